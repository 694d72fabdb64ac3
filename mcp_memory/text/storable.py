"""Which texts PostgreSQL can hold."""

import re

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether the text is free of NUL and of halves of surrogate pairs.

    Arguments of a command line and names of files hold such halves where they are not UTF-8.
    """
    return _UNSTORABLE.search(text) is None
