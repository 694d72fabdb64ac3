"""Taking a file: each line once, whatever happens in between, from where the last time ended."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import cast

import anyio.to_thread

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.errors import InvalidInput
from mcp_memory.transcripts import preparing
from mcp_memory.transcripts.appending import Transactions, append_to
from mcp_memory.transcripts.importing import store
from mcp_memory.transcripts.importing.documents import Document
from mcp_memory.transcripts.importing.files import Batch, Line, fingerprint, read_batch
from mcp_memory.transcripts.importing.formats import FormatName, entries, recognized
from mcp_memory.transcripts.importing.reading import Entry, Reading
from mcp_memory.transcripts.importing.storable import fitting
from mcp_memory.transcripts.models import Appended, AppendMessages, NewMessage

_MAX_PROBLEMS = 20


@dataclass(slots=True)
class Imported:
    """What was taken from a file; `problems` names lines that are no messages, the first few.

    It is not `understood` when it was read from its start, and every line is one of them.
    """

    path: str
    format: str = ""
    appended: int = 0
    duplicates: int = 0
    ignored: int = 0
    bad_lines: int = 0
    understood: bool = True
    sessions: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    @property
    def is_fruitless(self) -> bool:
        """Whether there were lines, and none of them said anything."""
        return self.bad_lines > 0 and not (self.appended or self.duplicates or self.ignored)

    def count(self, appended: Appended) -> None:
        """Add what one append did."""
        self.appended += appended.appended
        self.duplicates += appended.duplicates
        self.ignored += appended.ignored
        if appended.session_id not in self.sessions:
            self.sessions.append(appended.session_id)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A batch as messages, by session and source in the order of the file."""

    groups: list[AppendMessages]
    end: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Importing:
    """Where what is read from files goes, and whose it is."""

    database: Transactions
    agent: str
    limits: LimitsConfig
    settings: TranscriptsConfig
    zone: tzinfo

    async def take(
        self,
        path: Path,
        *,
        format_name: FormatName | None = None,
        is_time_up: Callable[[], bool] = lambda: False,
    ) -> Imported:
        """Take everything that the file holds more than the last time, or as time allows.

        A file that was replaced or cut is read from its start: what is known is a duplicate.
        """
        imported = Imported(str(path))
        began, reading = await self._resumed(path, format_name)
        start = began
        while True:
            batch = await anyio.to_thread.run_sync(read_batch, path, start)
            parsed = await anyio.to_thread.run_sync(_parse, batch, reading, self.limits)
            if parsed.end == start:
                imported.format = reading.format
                if began == 0 and imported.is_fruitless:
                    await self._give_up(path, imported)
                return imported
            start = parsed.end
            mark = await anyio.to_thread.run_sync(_mark, path, start, reading)
            await self._keep(parsed, mark, imported)
            if is_time_up():
                return imported

    async def _give_up(self, path: Path, imported: Imported) -> None:
        """Have the file read from its start the next time: as another format, or mended."""
        imported.understood = False
        mark = await anyio.to_thread.run_sync(_mark, path, 0, Reading("", path.stem))
        await self.database.write(self.agent, partial(store.set_mark, mark=mark))

    async def _resumed(self, path: Path, format_name: FormatName | None) -> tuple[int, Reading]:
        """Where to go on, and with what; the start for a file that is another one now."""
        mark = await self.database.read(self.agent, partial(store.mark, path=str(path)))
        fresh = Reading(format_name or "", path.stem, self.zone)
        if mark is None:
            return 0, fresh
        now = await anyio.to_thread.run_sync(fingerprint, path, mark.read_to)
        if now != mark.fingerprint:
            return 0, fresh
        reading = Reading.of_state(mark.state, self.zone)
        reading.format = format_name or reading.format
        return mark.read_to, reading

    async def _keep(self, parsed: _Parsed, mark: store.Mark, imported: Imported) -> None:
        """Store the messages; the last of them together with how far the file is read now."""
        progress = partial(store.set_mark, mark=mark)
        for place, group in enumerate(parsed.groups, start=1):
            is_last = place == len(parsed.groups)
            appended = await append_to(
                self.database,
                self.agent,
                group,
                self.settings,
                self.zone,
                progress if is_last else None,
            )
            imported.count(appended)
        if not parsed.groups:
            await self.database.write(self.agent, progress)
        imported.bad_lines += len(parsed.problems)
        left = _MAX_PROBLEMS - len(imported.problems)
        imported.problems += parsed.problems[: max(0, left)]


def _mark(path: Path, read_to: int, reading: Reading) -> store.Mark:
    known_by = fingerprint(path, read_to) or b""
    return store.Mark(str(path), read_to, known_by, reading.as_state())


def _parse(batch: Batch, reading: Reading, limits: LimitsConfig) -> _Parsed:
    found: list[Entry] = []
    problems: list[str] = []
    end = batch.end
    for line in batch.lines:
        if not line.text.strip():
            continue
        document = _document(line)
        if document is None and not line.is_ended:
            break
        if not line.is_ended:
            end = line.start + len(line.text)
        try:
            found += _entries(document, line, reading, limits)
        except InvalidInput as exc:
            problems.append(f"at byte {line.start}: {exc}")
    return _Parsed(_grouped(found), end, problems)


def _document(line: Line) -> Document | None:
    """The JSON object of the line; None when it is something else, or not all there yet."""
    try:
        document = cast("object", json.loads(line.text))
    except (ValueError, RecursionError):
        return None
    return cast("Document", document) if isinstance(document, dict) else None


def _entries(
    document: Document | None, line: Line, reading: Reading, limits: LimitsConfig
) -> list[Entry]:
    if document is None:
        raise InvalidInput("line", "is no JSON object")
    reading.format = reading.format or recognized(document) or ""
    if not reading.format:
        raise InvalidInput("line", "is of no format that is known; name one with --format")
    reading.line_id = f"{hashlib.sha256(line.text).hexdigest()[:24]}@{line.start}"
    return [
        replace(entry, message=part)
        for entry in entries(document, reading)
        for part in fitting(entry.message, limits.content_bytes)
        if _is_message(entry, part, limits)
    ]


def _is_message(entry: Entry, message: NewMessage, limits: LimitsConfig) -> bool:
    """Whether it says anything; `InvalidInput` when it cannot be stored."""
    if not message.content.strip():
        return False
    preparing.check(AppendMessages(entry.session_id, [message], entry.source), limits)
    return True


def _grouped(found: Sequence[Entry]) -> list[AppendMessages]:
    """Runs of one session and source, none larger than one append may be."""
    groups: list[AppendMessages] = []
    for run in _runs(found):
        for start in range(0, len(run), preparing.MAX_MESSAGES):
            part = run[start : start + preparing.MAX_MESSAGES]
            messages = [entry.message for entry in part]
            groups.append(AppendMessages(run[0].session_id, messages, run[0].source))
    return groups


def _runs(found: Sequence[Entry]) -> Iterator[list[Entry]]:
    run: list[Entry] = []
    for entry in found:
        if run and (entry.session_id, entry.source) != (run[0].session_id, run[0].source):
            yield run
            run = []
        run.append(entry)
    if run:
        yield run
