"""The SQL script that an archive unfolds to, as it streams by; pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

# How pg_dump begins the rows of a table; each stands in a line of its own until the line `\.`.
_COPY = re.compile(rb'COPY mcp_memory\."?(\w+)"? \((.*)\) FROM stdin;')
_END = rb"\."
# The table of contents: number; two oids; what it is, its schema, its name, its owner.
_ENTRY = re.compile(r"\d+; \d+ \d+ (?P<what>.+)")
# Policies and grants name the roles of the server that the archive comes from.
_OF_ROLES = ("ACL ", "POLICY ", "ROW SECURITY ", "DEFAULT ACL ")
_NEWEST_SETTING = b"SET transaction_timeout = 0;"
# pg_dump sets everything within its first lines.
_HEAD_LINES = 40
_REVOCATION = re.compile(r"REVOKE \w+ ON \w+ mcp_memory\..+ FROM PUBLIC;")


class CountedScript:
    """A script that passes line by line, and how many rows of which table have passed."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.rows: dict[str, int] = {}

    def __iter__(self) -> Iterator[bytes]:
        """Every line but, at its head, what servers before 17 do not know."""
        lines = iter(self._lines)
        for number, line in enumerate(lines):
            if number < _HEAD_LINES and line.strip() == _NEWEST_SETTING:
                continue
            yield line
            if (header := _COPY.match(line)) is not None:
                yield from self._rows_of(header[1].decode(), lines)

    def _rows_of(self, table: str, lines: Iterator[bytes]) -> Iterator[bytes]:
        self.rows[table] = 0
        for line in lines:
            yield line
            if line.rstrip(b"\r\n") == _END:
                return
            self.rows[table] += 1


def rows_in(lines: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The rows of the first table in a script, by column, as PostgreSQL writes them."""
    columns: list[str] = []
    for line in lines:
        if columns and line.rstrip(b"\r\n") == _END:
            return
        if columns:
            yield dict(zip(columns, line.decode().rstrip("\n").split("\t"), strict=True))
        elif (header := _COPY.match(line)) is not None:
            columns = header[2].decode().split(", ")


def without_roles(contents: Sequence[str]) -> list[str]:
    """The entries of a table of contents that any server can take."""
    return [entry for entry in contents if not _what(entry).startswith(_OF_ROLES)]


def grants(contents: Sequence[str]) -> list[str]:
    """The entries that say who may do what."""
    return [entry for entry in contents if _what(entry).startswith("ACL ")]


def data_of(contents: Sequence[str], table: str) -> list[str]:
    """The entry of a table's rows; none where the archive has no such table."""
    beginning = f"TABLE DATA mcp_memory {table} "
    return [entry for entry in contents if _what(entry).startswith(beginning)]


def _what(entry: str) -> str:
    match = _ENTRY.match(entry)
    return match["what"] if match else ""


def revocations(lines: Iterable[bytes]) -> list[str]:
    """The statements of a script of grants by which nobody may do what everybody could.

    They name no role of the server that the archive comes from.
    """
    statements = (line.decode(errors="replace").strip() for line in lines)
    return [statement for statement in statements if _REVOCATION.fullmatch(statement)]
