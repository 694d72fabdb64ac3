"""Reading files into conversations: batch by batch, from where the last reading ended."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio.to_thread
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.errors import InvalidInput
from mcp_memory.memory.conversations.append import append
from mcp_memory.memory.conversations.batch import MAX_MESSAGES, check, prepare_batch
from mcp_memory.memory.conversations.imports import formats
from mcp_memory.memory.conversations.imports.entries import Document, Entry, FileState, fit_message
from mcp_memory.memory.conversations.imports.files import Batch, Line, fingerprint, read_batch
from mcp_memory.memory.conversations.imports.formats import FormatName
from mcp_memory.memory.conversations.models import AppendMessages, AppendResult, NewMessage
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import AgentSession

if TYPE_CHECKING:
    from mcp_memory.postgres.session import Session
    from mcp_memory.vectors.service import Spaces


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How far a file has been read, its fingerprint so far, and what its reading remembers."""

    path: str
    read_to: int
    fingerprint: bytes
    state: dict[str, object]


_PROGRESS = """
SELECT path, read_to, fingerprint, state
FROM transcript_files
WHERE agent_id = current_agent() AND path = %(path)s
"""


async def read_progress(conn: Connection, path: str) -> FileProgress | None:
    """Where the caller stopped reading the file."""
    async with conn.cursor(row_factory=class_row(FileProgress)) as cursor:
        return await (await cursor.execute(_PROGRESS, {"path": path})).fetchone()


_SET_PROGRESS = """
INSERT INTO transcript_files (agent_id, path, read_to, fingerprint, state)
VALUES (current_agent(), %(path)s, %(read_to)s, %(fingerprint)s, %(state)s)
ON CONFLICT (agent_id, path)
DO UPDATE SET read_to = excluded.read_to, fingerprint = excluded.fingerprint,
              state = excluded.state, updated_at = now()
"""


async def set_progress(conn: Connection, progress: FileProgress) -> None:
    """Remember how far the file has been read."""
    await conn.execute(
        _SET_PROGRESS,
        {
            "path": progress.path,
            "read_to": progress.read_to,
            "fingerprint": progress.fingerprint,
            "state": Jsonb(progress.state),
        },
    )


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
        first, state = await self._resume(path, format_name)
        start = first
        while True:
            batch = await anyio.to_thread.run_sync(read_batch, path, start)
            parsed = await anyio.to_thread.run_sync(_parse, batch, state, self.limits)
            if parsed.end == start:
                result.format = state.format
                if first == 0 and result.is_fruitless:
                    await self._give_up(path, result)
                return result
            start = parsed.end
            progress = await anyio.to_thread.run_sync(_progress, path, start, state)
            await self._keep(parsed, progress, result)
            if is_time_up():
                return result

    async def _give_up(self, path: Path, result: ImportResult) -> None:
        """Have the file read from its start the next time: as another format, or corrected."""
        result.understood = False
        unread = await anyio.to_thread.run_sync(_progress, path, 0, FileState("", path.stem))
        async with self.session.writing() as conn:
            await set_progress(conn, unread)

    async def _resume(self, path: Path, format_name: FormatName | None) -> tuple[int, FileState]:
        """Where to go on, and with what; the start for a file that is another one now."""
        async with self.session.reading() as conn:
            progress = await read_progress(conn, str(path))
        fresh = FileState(format_name or "", path.stem, self.zone)
        if progress is None:
            return 0, fresh
        now = await anyio.to_thread.run_sync(fingerprint, path, progress.read_to)
        if now != progress.fingerprint:
            return 0, fresh
        state = FileState.of_json(progress.state, self.zone)
        state.format = format_name or state.format
        return progress.read_to, state

    async def _keep(
        self, parsed: _ParsedBatch, progress: FileProgress, result: ImportResult
    ) -> None:
        """Store the messages; the last of them together with how far the file is read now."""
        for group in parsed.groups:
            batch = await prepare_batch(group.messages, self.zone)
            async with self.session.writing() as conn:
                if group is parsed.groups[-1]:
                    await set_progress(conn, progress)
                result.add(await append(conn, self.session.agent, group, batch, self.settings))
        if not parsed.groups:
            async with self.session.writing() as conn:
                await set_progress(conn, progress)
        result.add_problems(parsed.problems)


def _progress(path: Path, read_to: int, state: FileState) -> FileProgress:
    return FileProgress(str(path), read_to, fingerprint(path, read_to) or b"", state.as_json())


def _parse(batch: Batch, state: FileState, limits: LimitsConfig) -> _ParsedBatch:
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
            entries += _entries(document, line, state, limits)
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
    document: Document | None, line: Line, state: FileState, limits: LimitsConfig
) -> list[Entry]:
    if document is None:
        raise InvalidInput("line", "is no JSON object")
    state.format = state.format or formats.recognize(document) or ""
    if not state.format:
        raise InvalidInput("line", "is of no format that is known; name one with --format")
    state.line_id = f"{hashlib.sha256(line.text).hexdigest()[:24]}@{line.start}"
    return [
        replace(entry, message=part)
        for entry in formats.read_entries(document, state)
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


class Importer:
    """Reads the files of agents into their conversations."""

    def __init__(
        self, spaces: "Spaces", limits: LimitsConfig, settings: TranscriptsConfig, zone: tzinfo
    ) -> None:
        self._spaces, self._limits = spaces, limits
        self._settings, self._zone = settings, zone

    async def take(
        self, session: "Session", path: Path, *, format_name: FormatName | None = None
    ) -> ImportResult:
        """Take everything that the file holds more than the last time; vectors follow."""
        database = await session.open(create=True)
        file_import = FileImport(session, self._limits, self._settings, self._zone)
        result = await file_import.take(path, format_name=format_name)
        if result.appended:
            await self._spaces.follow_later(database)
        return result
