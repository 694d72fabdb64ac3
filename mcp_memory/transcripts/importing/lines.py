"""Taking a file: each line once, whatever happens in between, from where the last time ended."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import cast

import anyio.to_thread

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.db.transaction import AgentSession
from mcp_memory.errors import InvalidInput
from mcp_memory.transcripts.append import append
from mcp_memory.transcripts.importing import formats, store
from mcp_memory.transcripts.importing.documents import Document
from mcp_memory.transcripts.importing.files import Batch, Line, fingerprint, read_batch
from mcp_memory.transcripts.importing.formats import FormatName
from mcp_memory.transcripts.importing.reading import Entry, Reading
from mcp_memory.transcripts.importing.storable import fit_message
from mcp_memory.transcripts.importing.store import FileProgress
from mcp_memory.transcripts.models import AppendMessages, AppendResult, NewMessage
from mcp_memory.transcripts.preparing import MAX_MESSAGES, check, prepare_batch

# The rest would only repeat what is wrong with the file.
_MAX_PROBLEMS = 20


@dataclass(slots=True)
class ImportResult:
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

    def add(self, result: AppendResult) -> None:
        """Add what one append did."""
        self.appended += result.appended
        self.duplicates += result.duplicates
        self.ignored += result.ignored
        if result.session_id not in self.sessions:
            self.sessions.append(result.session_id)

    def add_problems(self, problems: Sequence[str]) -> None:
        """Count the lines that are no messages; the first few are kept."""
        self.bad_lines += len(problems)
        self.problems += problems[: max(0, _MAX_PROBLEMS - len(self.problems))]


@dataclass(frozen=True, slots=True)
class _ParsedBatch:
    """A batch as messages, by conversation and source in the order of the file."""

    groups: list[AppendMessages]
    end: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class FileImport:
    """Where what is read from files goes, and whose it is."""

    session: AgentSession
    limits: LimitsConfig
    settings: TranscriptsConfig
    zone: tzinfo

    async def take(
        self,
        path: Path,
        *,
        format_name: FormatName | None = None,
        is_time_up: Callable[[], bool] = lambda: False,
    ) -> ImportResult:
        """Take everything that the file holds more than the last time, or as time allows.

        A file that was replaced or cut is read from its start: what is there already is a
        duplicate.
        """
        result = ImportResult(str(path))
        first, reading = await self._resume(path, format_name)
        start = first
        while True:
            batch = await anyio.to_thread.run_sync(read_batch, path, start)
            parsed = await anyio.to_thread.run_sync(_parse, batch, reading, self.limits)
            if parsed.end == start:
                result.format = reading.format
                if first == 0 and result.is_fruitless:
                    await self._give_up(path, result)
                return result
            start = parsed.end
            progress = await anyio.to_thread.run_sync(_progress, path, start, reading)
            await self._keep(parsed, progress, result)
            if is_time_up():
                return result

    async def _give_up(self, path: Path, result: ImportResult) -> None:
        """Have the file read from its start the next time: as another format, or corrected."""
        result.understood = False
        unread = await anyio.to_thread.run_sync(_progress, path, 0, Reading("", path.stem))
        async with self.session.writing() as conn:
            await store.set_progress(conn, unread)

    async def _resume(self, path: Path, format_name: FormatName | None) -> tuple[int, Reading]:
        """Where to go on, and with what; the start for a file that is another one now."""
        async with self.session.reading() as conn:
            progress = await store.read_progress(conn, str(path))
        fresh = Reading(format_name or "", path.stem, self.zone)
        if progress is None:
            return 0, fresh
        now = await anyio.to_thread.run_sync(fingerprint, path, progress.read_to)
        if now != progress.fingerprint:
            return 0, fresh
        reading = Reading.of_state(progress.state, self.zone)
        reading.format = format_name or reading.format
        return progress.read_to, reading

    async def _keep(
        self, parsed: _ParsedBatch, progress: FileProgress, result: ImportResult
    ) -> None:
        """Store the messages; the last of them together with how far the file is read now."""
        for group in parsed.groups:
            batch = await prepare_batch(group.messages, self.zone)
            async with self.session.writing() as conn:
                if group is parsed.groups[-1]:
                    await store.set_progress(conn, progress)
                result.add(await append(conn, self.session.agent, group, batch, self.settings))
        if not parsed.groups:
            async with self.session.writing() as conn:
                await store.set_progress(conn, progress)
        result.add_problems(parsed.problems)


def _progress(path: Path, read_to: int, reading: Reading) -> FileProgress:
    return FileProgress(str(path), read_to, fingerprint(path, read_to) or b"", reading.as_state())


def _parse(batch: Batch, reading: Reading, limits: LimitsConfig) -> _ParsedBatch:
    entries: list[Entry] = []
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
            entries += _entries(document, line, reading, limits)
        except InvalidInput as exc:
            problems.append(f"at byte {line.start}: {exc}")
    return _ParsedBatch(_groups(entries), end, problems)


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
    reading.format = reading.format or formats.recognize(document) or ""
    if not reading.format:
        raise InvalidInput("line", "is of no format that is known; name one with --format")
    reading.line_id = f"{hashlib.sha256(line.text).hexdigest()[:24]}@{line.start}"
    return [
        replace(entry, message=part)
        for entry in formats.read_entries(document, reading)
        for part in fit_message(entry.message, limits.content_bytes)
        if _is_message(entry, part, limits)
    ]


def _is_message(entry: Entry, message: NewMessage, limits: LimitsConfig) -> bool:
    """Whether it says anything; `InvalidInput` when it cannot be stored."""
    if not message.content.strip():
        return False
    check(AppendMessages(entry.session_id, [message], entry.source), limits)
    return True


def _groups(entries: Sequence[Entry]) -> list[AppendMessages]:
    """Runs of one conversation and source, none larger than one append may be."""
    groups: list[AppendMessages] = []
    for run in _runs(entries):
        for start in range(0, len(run), MAX_MESSAGES):
            part = run[start : start + MAX_MESSAGES]
            messages = [entry.message for entry in part]
            groups.append(AppendMessages(run[0].session_id, messages, run[0].source))
    return groups


def _runs(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    run: list[Entry] = []
    for entry in entries:
        if run and (entry.session_id, entry.source) != (run[0].session_id, run[0].source):
            yield run
            run = []
        run.append(entry)
    if run:
        yield run
