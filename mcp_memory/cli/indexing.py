"""Files into documents, a few at a time, and an account of what became of each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from mcp_memory.cli.files import SkippedFile, SourceFile, read
from mcp_memory.db.session import Session
from mcp_memory.documents.models import WriteDocument
from mcp_memory.documents.service import Documents
from mcp_memory.errors import InvalidInput

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
