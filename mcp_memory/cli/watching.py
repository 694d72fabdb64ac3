"""Following folders: a file that is written becomes a document at once."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus
from watchfiles import (
    Change,
    awatch,  # pyright: ignore[reportUnknownVariableType] it names trio's event, not installed here
)

from mcp_memory.cli.files import Selection, SkippedFile, SourceFile
from mcp_memory.cli.indexing import Target, write_file

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
