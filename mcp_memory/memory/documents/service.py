"""Documents: written with their versions, read by lines, deleted, restored and purged."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

from mcp_memory.config import LimitsConfig
from mcp_memory.errors import (
    AmbiguousPath,
    DatabaseError,
    DocumentExists,
    DocumentNotFound,
    InvalidInput,
    PermissionRefused,
    VersionConflict,
)
from mcp_memory.memory import audit, idempotency
from mcp_memory.memory.audit import Event
from mcp_memory.memory.documents import chunks as documents_chunks
from mcp_memory.memory.documents import store
from mcp_memory.memory.documents.models import (
    Document,
    DocumentEntry,
    Excerpt,
    PurgeCounts,
    Removal,
    WriteDocument,
    WriteReceipt,
    check_path,
    check_prefix,
)
from mcp_memory.paging import Page, from_cursor
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.text.chunking import document_title
from mcp_memory.text.findable import NewChunk, day_of
from mcp_memory.text.terms import is_storable
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.vectors.reindex import reindex_document
from mcp_memory.vectors.service import Spaces
from mcp_memory.vectors.word_counts import WordCounts


async def excerpt(
    conn: Connection, document: Document, version: int, first: int, last: int | None
) -> Excerpt:
    """The lines `first` to `last` of that version; None is its last line.

    The whole document is given as it was written, to its last newline.
    """
    row = await store.text_of_version(conn, document.id, version)
    if row is None:
        raise DocumentNotFound(
            document.path, hint=f" It has no version {version}; the newest is {document.version}."
        )
    text, written_at = row
    lines = text.split("\n")
    total = len(lines) - 1 if text.endswith("\n") else len(lines)
    if not 1 <= first <= max(total, 1):
        raise InvalidInput("start_line", f"{document.path!r} has {total} lines")
    end = total if last is None else min(last, total)
    return Excerpt(
        path=document.path,
        text=text if (first, end) == (1, total) else "\n".join(lines[first - 1 : end]),
        start_line=first,
        end_line=end,
        total_lines=total,
        version=version,
        updated_at=document.updated_at if version == document.version else written_at,
        owner=document.agent_id,
    )


async def around(conn: Connection, chunk_id: int) -> Excerpt | None:
    """The lines of a visible document's chunk and of its neighbours."""
    row = await store.around_chunk(conn, chunk_id)
    if row is None:
        return None
    document, first, last = row
    return await excerpt(conn, document, document.version, first, last)


logger = logging.getLogger(__name__)

_CURSOR = "documents"


class Documents:
    """Markdown documents of every named database, as each agent sees them."""

    def __init__(
        self,
        spaces: Spaces,
        word_counts: WordCounts,
        limits: LimitsConfig,
        zone: tzinfo,
    ) -> None:
        self._limits, self._zone = limits, zone
        self._spaces, self._word_counts = spaces, word_counts

    async def write(self, session: Session, request: WriteDocument) -> WriteReceipt:
        """Write the agent's own document of that path; every earlier version is kept."""
        self._check(request)
        receipt = await self._write_once(session, request)
        if not receipt.changed:
            return receipt
        try:
            await self._spaces.follow(await session.open())
            async with session.reading() as conn:
                pending = await store.pending(conn, request.path)
        except DatabaseError as exc:
            # It is committed: told otherwise, the caller would write it again.
            logger.warning("written, and its vectors come later: %s", exc)
            return receipt
        return replace(receipt, pending_embeddings=pending)

    async def get(
        self,
        session: Session,
        path: str,
        *,
        start_line: int = 1,
        lines: int | None = None,
        version: int | None = None,
        owner: str | None = None,
    ) -> Excerpt:
        """Lines of one's own document of that path, else of the one that is shared."""
        check_path(path, self._limits.path_chars)
        last = None if lines is None else start_line + lines - 1
        async with session.reading() as conn:
            document = _pick(await store.readable(conn, path, owner), session.agent, path)
            return await excerpt(conn, document, version or document.version, start_line, last)

    async def list(
        self,
        session: Session,
        *,
        prefix: str | None = None,
        tags: Sequence[str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[DocumentEntry]:
        """Visible documents by path; the page is full if there are enough."""
        check_prefix("prefix", prefix or "")
        after = _position_in(cursor) if cursor else ("", "")
        unique_tags = sorted(set(tags)) if tags else None
        async with session.reading() as conn:
            rows = await store.entries(
                conn, prefix=prefix, tags=unique_tags, after=after, limit=limit + 1
            )
        return Page[DocumentEntry].of(rows, limit, _CURSOR, lambda entry: (entry.path, entry.owner))

    async def delete(self, session: Session, path: str) -> Removal:
        """Take one's own document out of every list and search; undo brings it back for a while."""
        check_path(path, self._limits.path_chars)
        async with session.writing(create=False) as conn:
            await store.lock_path(conn, session.agent, path)
            document = await _own_or_refuse(conn, session.agent, path)
            deleted_at = await store.delete(conn, document.id)
            await documents_chunks.remove_all_chunks(conn, document.id)
            await _audit(conn, session, "delete", document)
        return Removal(path, deleted_at=deleted_at)

    async def restore(self, session: Session, path: str) -> Removal:
        """Bring back the document of that path that was deleted last."""
        check_path(path, self._limits.path_chars)
        async with session.writing(create=False) as conn:
            await self._restore(conn, session, path)
        await self._spaces.follow(await session.open())
        return Removal(path, restored=True)

    async def purge(self, session: Session, path: str) -> Removal:
        """Remove one's own documents of that path, living and deleted, with everything derived."""
        check_path(path, self._limits.path_chars)
        async with session.writing(create=False) as conn:
            await store.lock_path(conn, session.agent, path)
            if not await store.purge(conn, session.agent, path):
                raise await _refusal(conn, path)
            await audit.record(conn, Event(session.agent, "purge", "document", ""))
        await self._word_counts.merge_if_possible(await session.open())
        return Removal(path, purged=True)

    async def purge_expired(
        self,
        session: Session,
        *,
        owner: str | None = None,
        age: timedelta | None = None,
        dry_run: bool = False,
    ) -> PurgeCounts:
        """Remove for good what was deleted longer ago than `age`, and answers kept too long.

        Of every agent, or of one owner; None is the time in which it can be brought back. A dry
        run does it and takes it back, so its counts are true.
        """
        recovery = timedelta(days=self._limits.recovery_days)
        async with session.maintaining() as conn, conn.transaction(force_rollback=dry_run):
            documents = await store.purge_expired(conn, recovery if age is None else age, owner)
            keys = await idempotency.purge_expired(conn, recovery, owner)
        await self._word_counts.merge_if_possible(await session.open())
        return PurgeCounts(documents, keys)

    async def count(self, session: Session) -> dict[str, int]:
        """How many documents and chunks the agent can see."""
        async with session.reading() as conn:
            documents, chunks = await store.count(conn)
        return {"documents": documents, "chunks": chunks}

    def _check(self, request: WriteDocument) -> None:
        check_path(request.path, self._limits.path_chars)
        idempotency.check_key(request.idempotency_key)
        if not request.content.strip() and request.mode != "replace":
            raise InvalidInput("content", "is empty; nothing was written")
        self._check_text(request.content)
        for tag in request.tags or ():
            if not tag.strip() or len(tag) > 100 or not is_storable(tag):
                raise InvalidInput("tags", "each is 1 to 100 characters of UTF-8, without NUL")

    def _check_text(self, text: str) -> None:
        if "\0" in text:
            raise InvalidInput("content", "holds a NUL byte, which PostgreSQL cannot store")
        try:
            size = len(text.encode())
        except UnicodeEncodeError as exc:
            raise InvalidInput("content", "holds half of a surrogate pair") from exc
        if size > self._limits.content_bytes:
            raise InvalidInput(
                "content",
                f"a document of {size} bytes is over the limit of {self._limits.content_bytes};"
                " split it into several paths",
            )

    async def _write_once(self, session: Session, request: WriteDocument) -> WriteReceipt:
        """What the write left behind; the same as before when its key comes again."""
        fingerprint = idempotency.request_hash(asdict(request))
        # What must be there already is in no database that is not.
        is_first = not request.expected_version
        async with session.writing(create=is_first) as conn:
            response = await idempotency.once(
                conn,
                session.agent,
                request.idempotency_key,
                fingerprint,
                partial(self._write, conn, session, request),
            )
        return WriteReceipt(**response)  # pyright: ignore[reportArgumentType]  # our own JSON

    async def _write(
        self, conn: Connection, session: Session, request: WriteDocument
    ) -> dict[str, object]:
        await store.lock_path(conn, session.agent, request.path)
        before = await store.own(conn, session.agent, request.path)
        _check_expectations(request, before)
        text = await _combine(conn, request, before)
        self._check_text(text)
        after = _row_after(session.agent, request, before, text)
        # Writing what is there already makes no version.
        if before == after:
            chunks = len(await documents_chunks.chunk_hashes(conn, after.id))
            return asdict(WriteReceipt(request.path, after.version, chunks, 0, False, False))
        document = await (store.add if before is None else store.change)(conn, after)
        await store.add_version(conn, document, text)
        chunks = await self._reindex(conn, document, text)
        await _audit(conn, session, "write", document)
        is_new = before is None
        return asdict(WriteReceipt(request.path, document.version, chunks, 0, is_new, True))

    async def _restore(self, conn: Connection, session: Session, path: str) -> None:
        await store.lock_path(conn, session.agent, path)
        if (living := await store.own(conn, session.agent, path)) is not None:
            raise DocumentExists(path, living.version, advice="Delete it first, or leave it.")
        days = self._limits.recovery_days
        document = await store.last_deleted(conn, session.agent, path, days)
        if document is None:
            raise DocumentNotFound(path, hint=" Nothing of that path can be brought back.")
        await store.restore(conn, document.id)
        text = await store.content(conn, document.id, document.version) or ""
        await self._add_chunks(conn, document, await documents_chunks.split(text))
        await _audit(conn, session, "restore", document)

    async def _reindex(self, conn: Connection, document: Document, text: str) -> int:
        """Bring the chunks in line with the text; how many there are."""
        chunks = await documents_chunks.split(text)
        todo = documents_chunks.plan(await documents_chunks.chunk_hashes(conn, document.id), chunks)
        await documents_chunks.remove_chunks(conn, todo.removed)
        await documents_chunks.move_chunks(conn, todo.kept)
        await documents_chunks.describe_chunks(conn, document)
        await reindex_document(conn, self._zone, document.id)
        await self._add_chunks(conn, document, todo.added)
        return len(chunks)

    async def _add_chunks(
        self, conn: Connection, document: Document, chunks: Sequence[NewChunk]
    ) -> None:
        day = day_of(document.occurred_at or document.updated_at, self._zone)
        chunks = await documents_chunks.add_lexemes(
            chunks, path=document.path, tags=document.tags, day=day
        )
        await documents_chunks.add_chunks(conn, document, chunks)


def _check_expectations(request: WriteDocument, before: Document | None) -> None:
    actual = before.version if before else 0
    if request.expected_version is not None and request.expected_version != actual:
        raise VersionConflict(request.path, request.expected_version, actual)
    if before is not None and request.mode == "create":
        raise DocumentExists(request.path, before.version)


async def _combine(conn: Connection, request: WriteDocument, before: Document | None) -> str:
    """The whole text after the write; appended text starts on a line of its own."""
    if before is None or request.mode != "append":
        return request.content
    earlier = await store.content(conn, before.id, before.version) or ""
    separator = "" if not earlier or earlier.endswith("\n") else "\n"
    return f"{earlier}{separator}{request.content}"


def _row_after(agent: str, request: WriteDocument, before: Document | None, text: str) -> Document:
    """The document's row after the write; what the request leaves open stays as it was."""
    start = before or Document(
        0, agent, False, request.path, "", [], 0, 0, b"", None, datetime.now(UTC)
    )
    return replace(
        start,
        shared=start.shared if request.shared is None else request.shared,
        title=document_title(text, request.path),
        tags=start.tags if request.tags is None else sorted(set(request.tags)),
        tokens=estimate_tokens(text),
        sha256=hashlib.sha256(text.encode()).digest(),
        occurred_at=request.occurred_at or start.occurred_at,
    )


def _pick(documents: Sequence[Document], agent: str, path: str) -> Document:
    """One's own comes first; several of others' are ambiguous."""
    if not documents:
        raise DocumentNotFound(path)
    if len(documents) > 1 and documents[0].agent_id != agent:
        raise AmbiguousPath(path, [document.agent_id for document in documents])
    return documents[0]


async def _audit(conn: Connection, session: Session, action: str, document: Document) -> None:
    await audit.record(conn, Event(session.agent, action, "document", str(document.id)))


async def _own_or_refuse(conn: Connection, agent: str, path: str) -> Document:
    document = await store.own(conn, agent, path)
    if document is None:
        raise await _refusal(conn, path)
    return document


async def _refusal(conn: Connection, path: str) -> Exception:
    """Why nothing of one's own is there: another's is, or nothing at all."""
    others = await store.readable(conn, path, None)
    if not others:
        return DocumentNotFound(path)
    owners = ", ".join(document.agent_id for document in others)
    return PermissionRefused(
        f"{path!r} belongs to {owners}; you can read it, but only its owner may change it."
    )


def _position_in(cursor: str) -> tuple[str, str]:
    match from_cursor(_CURSOR, cursor):
        case [str() as path, str() as owner] if is_storable(path + owner):
            return path, owner
        case _:
            raise InvalidInput("cursor", "is not one of memory_list")
