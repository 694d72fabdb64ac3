"""Which files of a folder become documents, under which path, and what stands in them."""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream
from watchfiles import (
    Change,
    awatch,  # pyright: ignore[reportUnknownVariableType] it names trio's event, not installed here
)

from mcp_memory.errors import InvalidInput
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.memory.documents.service import Documents
from mcp_memory.postgres.session import Session

PATTERNS = ("*.md", "*.markdown", "*.mdx", "*.txt", "*.text", "*.rst", "*.org", "*.adoc")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that becomes the document `path`."""

    file: Path
    path: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or folder that becomes none, and why."""

    file: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of some roots become documents: names by pattern, links only when asked for."""

    roots: Sequence[Path]
    patterns: Sequence[str] = PATTERNS
    prefix: str = ""
    follow_links: bool = False

    def find(self) -> Iterator[SourceFile | SkippedFile]:
        """Every file below the roots that fits, in order; a path that comes twice is skipped."""
        owners: dict[str, Path] = {}
        for root in self.roots:
            for source in self.below(root, root):
                if isinstance(source, SkippedFile):
                    yield source
                elif source.path in owners:
                    reason = f"{owners[source.path]} has the path {source.path!r} too; use --prefix"
                    yield SkippedFile(source.file, reason)
                else:
                    owners[source.path] = source.file
                    yield source

    def below(self, root: Path, start: Path) -> Iterator[SourceFile | SkippedFile]:
        """The files at or below `start`, which is `root` or lies in it."""
        reason = "" if start == root else self._refusal(start)
        if reason:
            yield SkippedFile(start, reason)
        elif start.is_dir():
            yield from self._walk(root, start, frozenset())
        else:
            yield from self._file(root, start, is_root=start == root)

    def root_of(self, file: Path) -> Path | None:
        """The root that the file lies below, unless it is hidden there; the nearest one wins."""
        above = [root for root in self.roots if file.is_relative_to(root)]
        if not above:
            return None
        root = max(above, key=lambda root: len(root.parts))
        return None if any(map(_is_hidden, file.relative_to(root).parts)) else root

    def fits(self, name: str) -> bool:
        """Whether a file of this name is taken from a folder."""
        return any(fnmatch(name.lower(), pattern.lower()) for pattern in self.patterns)

    def path_of(self, root: Path, file: Path) -> str:
        """What the document is called: its path below the root, after the prefix."""
        relative = file.name if file == root else file.relative_to(root).as_posix()
        return str(PurePosixPath(self.prefix) / relative)

    def _walk(
        self, root: Path, folder: Path, above: frozenset[tuple[int, int]]
    ) -> Iterator[SourceFile | SkippedFile]:
        """The folder's files, then its folders; one that contains itself by a link is left out."""
        try:
            status = folder.stat()
            children = sorted(folder.iterdir())
        except OSError as exc:
            yield SkippedFile(folder, exc.strerror or type(exc).__name__)
            return
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            yield SkippedFile(folder, "a link that leads back to a folder above it")
            return
        for child in sorted(children, key=Path.is_dir):
            if reason := self._refusal(child):
                yield SkippedFile(child, reason)
            elif child.is_dir():
                yield from self._walk(root, child, above | {identity})
            else:
                yield from self._file(root, child, is_root=False)

    def _refusal(self, child: Path) -> str:
        """Why a child of a folder is not even looked at; empty when it is."""
        is_candidate = child.is_dir() or self.fits(child.name)
        if _is_hidden(child.name) and is_candidate:
            return "hidden"
        if child.is_symlink() and is_candidate and not self.follow_links:
            return "a link; --follow-links takes it"
        return ""

    def _file(self, root: Path, file: Path, *, is_root: bool) -> Iterator[SourceFile | SkippedFile]:
        """The file, if it fits; one that the person named need not."""
        if not is_root and not self.fits(file.name):
            return
        path = self.path_of(root, file)
        if not file.is_file():
            yield SkippedFile(file, "not a regular file" if file.exists() else "not there")
        elif not _is_text(os.fsencode(path)):
            yield SkippedFile(file, "its name is not UTF-8")
        else:
            yield SourceFile(file, path)


def read(source: SourceFile, limit_bytes: int) -> str | SkippedFile:
    """The text of the file, with plain newlines."""
    try:
        with source.file.open("rb") as stream:
            content = stream.read(limit_bytes + 1)
    except OSError as exc:
        return SkippedFile(source.file, exc.strerror or type(exc).__name__)
    if len(content) > limit_bytes:
        return SkippedFile(source.file, f"over the limit of {limit_bytes} bytes")
    if b"\0" in content:
        return SkippedFile(source.file, "binary")
    if not _is_text(content):
        return SkippedFile(source.file, "not UTF-8 text")
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


# Reading one file while others are embedded; more would only wait for the same model.
_AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is said of every document; None leaves it as it is."""

    shared: bool | None
    tags: list[str] | None


@dataclass(frozen=True, slots=True)
class Target:
    """Whose documents the files become, in which database, and with which attributes."""

    documents: Documents
    session: Session
    attributes: Attributes
    limit_bytes: int


@dataclass(slots=True)
class Account:
    """What became of the files so far."""

    written: list[SourceFile] = field(default_factory=list[SourceFile])
    unchanged: list[SourceFile] = field(default_factory=list[SourceFile])
    skipped: list[SkippedFile] = field(default_factory=list[SkippedFile])

    @property
    def summary(self) -> str:
        """Such as `3 written, 120 unchanged, 1 skipped`."""
        counts = (len(self.written), len(self.unchanged), len(self.skipped))
        return "{} written, {} unchanged, {} skipped".format(*counts)


async def write_file(target: Target, source: SourceFile) -> bool | SkippedFile:
    """Whether the document changed; a file that cannot become one is skipped, never an error."""
    text = await anyio.to_thread.run_sync(read, source, target.limit_bytes)
    if isinstance(text, SkippedFile):
        return text
    attributes = target.attributes
    request = WriteDocument(
        source.path, text, mode="replace", tags=attributes.tags, shared=attributes.shared
    )
    try:
        receipt = await target.documents.write(target.session, request)
    except InvalidInput as exc:
        return SkippedFile(source.file, str(exc))
    return receipt.changed


async def write_files(
    target: Target,
    files: Iterable[SourceFile | SkippedFile],
    on_done: Callable[[], None],
) -> Account:
    """Write every file; `on_done` is called after each."""
    account = Account()
    send, receive = anyio.create_memory_object_stream[SourceFile](_AT_A_TIME)

    async def work(waiting: MemoryObjectReceiveStream[SourceFile]) -> None:
        async with waiting:
            async for source in waiting:
                _enter(account, source, await write_file(target, source))
                on_done()

    async with anyio.create_task_group() as tasks, send:
        for _ in range(_AT_A_TIME):
            tasks.start_soon(work, receive.clone())
        receive.close()
        for file in files:
            if isinstance(file, SourceFile):
                await send.send(file)
            else:
                account.skipped.append(file)
    return account


def _enter(account: Account, source: SourceFile, outcome: bool | SkippedFile) -> None:
    match outcome:
        case SkippedFile():
            account.skipped.append(outcome)
        case True:
            account.written.append(source)
        case False:
            account.unchanged.append(source)


# Editors write a file in several steps; what comes within this time is one change.
_PAUSE_MS = 200
_PAGE_DOCUMENTS = 100


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, where it goes, and whether documents of removed files are deleted."""

    selection: Selection
    target: Target
    delete: bool
    say: Callable[[str], None]

    async def follow(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled, do with each change what it asks for.

        No change is lost after `started`: the watches are set up before this task first waits.
        """
        folders = [root for root in self.selection.roots if root.is_dir()]
        # Editors replace a file by another one, so its folder is what must be watched.
        parents = {root.parent for root in self.selection.roots if not root.is_dir()}
        async with anyio.create_task_group() as tasks:
            if folders:
                await tasks.start(self._follow, folders, True)
            if parents:
                await tasks.start(self._follow, sorted(parents), False)
            task_status.started()

    async def _follow(
        self,
        folders: Sequence[Path],
        recursive: bool,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        changes = awatch(
            *folders,
            watch_filter=None,
            debounce=_PAUSE_MS,
            recursive=recursive,
            ignore_permission_denied=True,
        )
        task_status.started()
        async for batch in changes:
            changed = {Path(name): change for change, name in sorted(batch, reverse=True)}
            for path, change in sorted(changed.items()):
                await self._settle(path, change)

    async def _settle(self, changed: Path, change: Change) -> None:
        """Bring the documents at and below a path in line with what is there now."""
        root = self.selection.root_of(changed)
        if root is None:
            return
        files = await anyio.to_thread.run_sync(self._files_at, root, changed, change)
        if files is None:
            await self._follow_removal(self.selection.path_of(root, changed))
        for file in files or ():
            await self._write(file)

    def _files_at(
        self, root: Path, changed: Path, change: Change
    ) -> list[SourceFile | SkippedFile] | None:
        """The files at or below it; None when it is gone.

        A folder counts as modified whenever a file in it is, and that file has its own change.
        """
        if not changed.exists():
            return None
        if changed.is_dir() and change is not Change.added:
            return []
        return list(self.selection.below(root, changed))

    async def _write(self, file: SourceFile | SkippedFile) -> None:
        outcome = file
        if isinstance(file, SourceFile):
            outcome = await write_file(self.target, file)
            if outcome is True:
                self.say(f"written {file.path}")
        if isinstance(outcome, SkippedFile):
            self.say(f"skipped {outcome.file}: {outcome.reason}")

    async def _follow_removal(self, path: str) -> None:
        """The file, or the folder with all its files, was removed or moved away."""
        async for own in self._own_documents(path):
            if self.delete:
                await self.target.documents.delete(self.target.session, own)
                self.say(f"deleted {own}")
            else:
                self.say(f"kept {own}, whose file is gone; --delete deletes it")

    async def _own_documents(self, path: str) -> AsyncIterator[str]:
        """One's own documents of that path, or below it."""
        cursor = ""
        while True:
            page = await self.target.documents.list(
                self.target.session, prefix=path, limit=_PAGE_DOCUMENTS, cursor=cursor or None
            )
            for entry in page:
                is_below = entry.path == path or entry.path.startswith(f"{path}/")
                if is_below and entry.owner == self.target.session.agent:
                    yield entry.path
            if not (cursor := page.next_cursor):
                return
