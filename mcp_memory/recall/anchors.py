"""Anchors: the pull request, file, branch, session or folder that a search is about; pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.recall.models import Candidate, Hit

ROUTE = "anchor"
NAMES = ("pr", "file", "branch", "session", "cwd")

# How likely a text is relevant for carrying the very anchor that was asked for, whatever its words.
_BY_ANCHOR = 0.5
# No anchor is without one of these; `anchors_in` in the database reads which there are.
_MAY_NAME = re.compile(r"[\d/]|\.\w|branch", re.IGNORECASE)


def checked(anchors: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The anchors a caller gave, in one order; `InvalidInput` where a name is unknown."""
    for name in anchors:
        if name not in NAMES:
            hint = nearest(name, NAMES) or f" Known: {', '.join(NAMES)}."
            raise InvalidInput("anchors", f"{name[:60]!r} is not an anchor.{hint}")
    return tuple(sorted(anchors.items()))


def may_name(text: str) -> bool:
    """Whether it is worth asking the database which anchors the text names."""
    return _MAY_NAME.search(text) is not None


def are_given(hits: Sequence[Hit]) -> bool:
    """Whether these carry an anchor that the caller gave, and not just one the query names."""
    return any("given" in hit.signals for hit in hits)


def lifted(ranked: Sequence[Candidate], hits: Sequence[Hit]) -> list[Candidate]:
    """What carries an anchor before everything else, in its order, and with a score to match.

    Beside what carries an anchor that was given nothing else is answered. An anchor that a query
    only names may be chance, so what else was found follows.
    """
    if not hits:
        return list(ranked)
    first = [_lifted(each) for each in ranked if ROUTE in each.routes]
    if are_given(hits):
        return first
    return [*first, *(each for each in ranked if ROUTE not in each.routes)]


def _lifted(candidate: Candidate) -> Candidate:
    return replace(candidate, score=1 - (1 - candidate.score) * (1 - _BY_ANCHOR))
