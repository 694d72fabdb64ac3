"""Answers without what differs from one run to the next: times, sizes, keys, paths, ports.

Numbers that mean something (scores, counts, versions of documents, the order of rows) stay.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import quote

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:([T ])(\d\d:\d\d)(:\d\d)?([.,]\d+)?)?(Z|[+-]\d\d:\d\d)?(?![\w-])"
)
# A word is replaced wherever it stands in a text.
_VARYING = [
    (re.compile(r"mm_[0-9a-f]{12}_[\w-]{20,}"), "<key>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<message-id>"),
    (re.compile(r"\.\d{8}T\d{12}\.bak\b"), ".<time>.bak"),
    (re.compile(r"\b(?=[0-9]*[a-f])[0-9a-f]{12}\b"), "<key-id>"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:bytes|[KMG]iB)"), "<size>"),
    (re.compile(r"\b\d+(?:\.\d+)? ms\b"), "<duration>"),
    (re.compile(r"127\.0\.0\.1:(?!18789)\d{4,5}"), "127.0.0.1:<port>"),
    (re.compile(r"\bPostgreSQL \d+(?:\.\d+)?"), "PostgreSQL <version>"),
    (re.compile(r"\b(mcp-memory(?:-postgres)?,?(?: version)?) \d+(?:\.\w+)+"), r"\1 <version>"),
    (re.compile(r"\b[\d,]+ rows in \d+ tables"), "<rows>"),
    (re.compile(r"is not empty \([^)]*\)"), "is not empty (<rows>)"),
]
_VARYING_KEYS = {
    "size_bytes": "<size>",
    "bytes": "<size>",
    "pending_embeddings": "<count>",
    "server_version": "<version>",
    "pgvector_version": "<version>",
    "used": "<uses>",
    "sha256": "<hash>",
    "next_cursor": "<cursor>",
    "rows": "<rows>",
    "port": "<port>",
    "at": "<instant>",
}
# A fixed date of the content is older than this; what the clock told is younger.
_RECENT_DAYS, _COMING_DAYS = 60, 400


@dataclass(frozen=True, slots=True)
class Normal:
    """What this run's machine and clock bring into texts, and what is written in their place."""

    today: date
    paths: Mapping[str, str] = field(default_factory=dict[str, str])

    def of(self, value: object) -> object:
        """The same value without what varies."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return self._of_object({str(k): v for k, v in _items(value)})  # pyright: ignore[reportUnknownArgumentType] JSON from outside
            case list():
                return [self.of(each) for each in _values(value)]  # pyright: ignore[reportUnknownArgumentType] JSON from outside
            case _:
                return value

    def text(self, text: str) -> str:
        """A text without what varies."""
        for path, name in self.paths.items():
            text = text.replace(path, name).replace(quote(path, safe=""), name)
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
        return _DATE.sub(self._date, text)

    def _of_object(self, value: Mapping[str, object]) -> dict[str, object]:
        normal = {key: self._of_key(key, each) for key, each in value.items()}
        # A silence that lasts until now is as long as the clock says.
        if "hours" in normal and str(normal.get("to")).startswith("<day"):
            normal["hours"] = "<hours>"
        return normal

    def _of_key(self, key: str, value: object) -> object:
        if key in _VARYING_KEYS and value is not None:
            return _VARYING_KEYS[key]
        if key == "version" and isinstance(value, str):
            return "<version>"
        return self.of(value)

    def _date(self, match: re.Match[str]) -> str:
        """The shape of an instant that the clock told; any other date as it is."""
        try:
            day = date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            return match[0]
        first = self.today - timedelta(days=_RECENT_DAYS)
        if not first <= day <= self.today + timedelta(days=_COMING_DAYS):
            return match[0]
        _, _, _, mark, minutes, seconds, fraction, zone = match.groups()
        time = f"{mark}hh:mm{':ss' if seconds else ''}{'.f' if fraction else ''}" if minutes else ""
        return f"<day{time}{'' if not zone else 'Z' if zone == 'Z' else '+zz'}>"


def _items(value: Mapping[object, object]) -> Sequence[tuple[object, object]]:
    return list(value.items())


def _values(value: Sequence[object]) -> Sequence[object]:
    return list(value)
