"""Files into documents, a few at a time, and an account of what became of each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from mcp_memory.cli.files import Found, Skipped, read
from mcp_memory.documents.models import WriteDocument
from mcp_memory.documents.service import Documents
from mcp_memory.errors import InvalidInput

_AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Whose documents the files become, in which database, and what is said of all of them."""

    agent: str
    database: str | None
    shared: bool | None
    tags: list[str] | None
    limit_bytes: int


@dataclass(slots=True)
class Account:
    """What became of the files so far."""

    written: list[Found] = field(default_factory=list[Found])
    unchanged: list[Found] = field(default_factory=list[Found])
    skipped: list[Skipped] = field(default_factory=list[Skipped])

    @property
    def summary(self) -> str:
        """Such as `3 written, 120 unchanged, 1 skipped`."""
        counts = (len(self.written), len(self.unchanged), len(self.skipped))
        return "{} written, {} unchanged, {} skipped".format(*counts)


async def write_file(documents: Documents, target: Target, found: Found) -> bool | Skipped:
    """Whether the document changed; a file that cannot become one is skipped, never an error."""
    text = await anyio.to_thread.run_sync(read, found, target.limit_bytes)
    if isinstance(text, Skipped):
        return text
    request = WriteDocument(
        found.path, text, mode="replace", tags=target.tags, shared=target.shared
    )
    try:
        written = await documents.write(target.agent, request, database=target.database)
    except InvalidInput as exc:
        return Skipped(found.file, str(exc))
    return written.changed


async def write_files(
    documents: Documents,
    target: Target,
    files: Iterable[Found | Skipped],
    on_done: Callable[[], None],
) -> Account:
    """Write every file; `on_done` is called after each."""
    account = Account()
    send, receive = anyio.create_memory_object_stream[Found](_AT_A_TIME)

    async def work(waiting: MemoryObjectReceiveStream[Found]) -> None:
        async with waiting:
            async for found in waiting:
                _enter(account, found, await write_file(documents, target, found))
                on_done()

    async with anyio.create_task_group() as tasks, send:
        for _ in range(_AT_A_TIME):
            tasks.start_soon(work, receive.clone())
        receive.close()
        for each in files:
            if isinstance(each, Found):
                await send.send(each)
            else:
                account.skipped.append(each)
    return account


def _enter(account: Account, found: Found, outcome: bool | Skipped) -> None:
    match outcome:
        case Skipped():
            account.skipped.append(outcome)
        case True:
            account.written.append(found)
        case False:
            account.unchanged.append(found)
