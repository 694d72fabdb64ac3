"""What PostgreSQL's programs say on stderr, in one line."""

_BEGINS = ("error: ", "ERROR:  ", "FATAL:  ")


def error_line_in(stderr: bytes) -> str:
    """The first error of them, without program and position; never the rows that it is about."""
    lines = stderr.decode(errors="replace").splitlines()
    for line in lines:
        for begin in _BEGINS:
            if begin in line:
                return line.partition(begin)[2].strip()
    return lines[-1].strip() if lines else "it ended without a word"
