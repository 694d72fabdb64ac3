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

from mcp_memory.cli.files import Found, Selection, Skipped
from mcp_memory.cli.indexing import Target, write_file
from mcp_memory.documents.service import Documents

_PAUSE_MS = 200


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, where it goes, and whether documents of removed files are deleted."""

    selection: Selection
    documents: Documents
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
        found = await anyio.to_thread.run_sync(self._what_is_there, root, changed, change)
        if found is None:
            await self._gone(self.selection.path_of(root, changed))
        for each in found or ():
            await self._write(each)

    def _what_is_there(
        self, root: Path, changed: Path, change: Change
    ) -> list[Found | Skipped] | None:
        """The files at or below it; None when it is gone.

        A folder counts as modified whenever a file in it is, which is told apart.
        """
        if not changed.exists():
            return None
        if changed.is_dir() and change is not Change.added:
            return []
        return list(self.selection.below(root, changed))

    async def _write(self, found: Found | Skipped) -> None:
        outcome = found
        if isinstance(found, Found):
            outcome = await write_file(self.documents, self.target, found)
            if outcome is True:
                self.say(f"written {found.path}")
        if isinstance(outcome, Skipped):
            self.say(f"skipped {outcome.file}: {outcome.reason}")

    async def _gone(self, path: str) -> None:
        """The file, or the folder with all its files, was removed or moved away."""
        async for own in self._own_documents(path):
            if self.delete:
                agent, database = self.target.agent, self.target.database
                await self.documents.delete(agent, own, database=database)
                self.say(f"deleted {own}")
            else:
                self.say(f"kept {own}, whose file is gone; --delete deletes it")

    async def _own_documents(self, path: str) -> AsyncIterator[str]:
        """One's own documents of that path, or below it."""
        cursor = ""
        while True:
            page = await self.documents.list(
                self.target.agent,
                prefix=path,
                limit=100,
                cursor=cursor or None,
                database=self.target.database,
            )
            for listed in page.documents:
                is_below = listed.path == path or listed.path.startswith(f"{path}/")
                if is_below and listed.owner == self.target.agent:
                    yield listed.path
            if not (cursor := page.next_cursor):
                return
