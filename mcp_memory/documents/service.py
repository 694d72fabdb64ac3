"""The rules of documents; each public method is one transaction."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import LimitsConfig
from mcp_memory.db import idempotency
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.documents import indexing, store
from mcp_memory.documents.excerpts import excerpt
from mcp_memory.documents.models import (
    Deleted,
    Document,
    Excerpt,
    Expired,
    ListPage,
    NewChunk,
    WriteDocument,
    Written,
)
from mcp_memory.documents.paths import checked_path, checked_prefix
from mcp_memory.errors import (
    AmbiguousPath,
    DatabaseError,
    DocumentExists,
    DocumentNotFound,
    InvalidInput,
    PermissionRefused,
    VersionConflict,
)
from mcp_memory.lexicon.service import Lexicon
from mcp_memory.paging import from_cursor, to_cursor
from mcp_memory.renewal.renewing import renew_document
from mcp_memory.spaces.service import Spaces
from mcp_memory.text.chunking import document_title
from mcp_memory.text.findable import day_of
from mcp_memory.text.storable import is_storable
from mcp_memory.text.tokens import estimate_tokens

logger = logging.getLogger(__name__)

_CURSOR = "documents"


class Documents:
    """Markdown documents of every named database, as each agent sees them."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        lexicon: Lexicon,
        limits: LimitsConfig,
        zone: tzinfo,
    ) -> None:
        self._databases, self._limits, self._zone = databases, limits, zone
        self._spaces, self._lexicon = spaces, lexicon

    async def write(
        self, agent: str, request: WriteDocument, *, database: str | None = None
    ) -> Written:
        """Write the agent's own document of that path; every earlier version is kept."""
        self._check(request)
        # What must be there already is in no database that is not.
        is_first = not request.expected_version
        chosen = await self._databases.opened_for(database, agent, create=is_first)
        fingerprint = idempotency.request_hash(asdict(request))

        async def write(conn: Connection) -> Written:
            do = partial(self._write, conn, agent, request)
            key = request.idempotency_key
            response = await idempotency.once(conn, agent, key, fingerprint, do)
            return Written(**response)  # pyright: ignore[reportArgumentType]  # our own JSON

        written = await chosen.write(agent, write)
        if not written.changed:
            return written
        try:
            await self._spaces.follow(chosen)
            pending = await chosen.read(agent, partial(store.pending, path=request.path))
        except DatabaseError as exc:
            # It is committed: told otherwise, the caller would write it again.
            logger.warning("written, and its vectors come later: %s", exc)
            return written
        return replace(written, pending_embeddings=pending)

    async def get(
        self,
        agent: str,
        path: str,
        *,
        start_line: int = 1,
        lines: int | None = None,
        version: int | None = None,
        owner: str | None = None,
        database: str | None = None,
    ) -> Excerpt:
        """Lines of one's own document of that path, else of the one that is shared."""
        checked_path(path, self._limits.path_chars)
        chosen = await self._databases.reading(database, agent)

        async def read(conn: Connection) -> Excerpt:
            document = _one_of(await store.readable(conn, path, owner), agent, path)
            last = None if lines is None else start_line + lines - 1
            return await excerpt(conn, document, version or document.version, start_line, last)

        return await chosen.read(agent, read)

    async def list(
        self,
        agent: str,
        *,
        prefix: str | None = None,
        tags: Sequence[str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
        database: str | None = None,
    ) -> ListPage:
        """Visible documents by path; the page is full if there are enough."""
        checked_prefix("prefix", prefix or "")
        after = _place(cursor) if cursor else ("", "")
        chosen = await self._databases.reading(database, agent)
        found = await chosen.read(
            agent,
            lambda conn: store.listed(
                conn,
                prefix=prefix,
                tags=sorted(set(tags)) if tags else None,
                after=after,
                limit=limit + 1,
            ),
        )
        page, more = found[:limit], len(found) > limit
        return ListPage(page, to_cursor(_CURSOR, page[-1].path, page[-1].owner) if more else "")

    async def delete(self, agent: str, path: str, *, database: str | None = None) -> Deleted:
        """Take one's own document out of every list and search; undo brings it back for a while."""
        checked_path(path, self._limits.path_chars)
        chosen = await self._databases.reading(database, agent)

        async def delete(conn: Connection) -> Deleted:
            await store.lock_path(conn, agent, path)
            document = await _own_or_refuse(conn, agent, path)
            deleted_at = await store.delete(conn, document.id)
            await store.remove_all_chunks(conn, document.id)
            await audit.record(conn, Event(agent, "delete", "document", str(document.id)))
            return Deleted(path, deleted_at=deleted_at)

        return await chosen.write(agent, delete)

    async def restore(self, agent: str, path: str, *, database: str | None = None) -> Deleted:
        """Bring back the document of that path that was deleted last."""
        checked_path(path, self._limits.path_chars)
        chosen = await self._databases.reading(database, agent)

        async def restore(conn: Connection) -> Deleted:
            await store.lock_path(conn, agent, path)
            if (living := await store.own(conn, agent, path)) is not None:
                raise DocumentExists(path, living.version, advice="Delete it first, or leave it.")
            days = self._limits.recovery_days
            document = await store.last_deleted(conn, agent, path, days)
            if document is None:
                raise DocumentNotFound(path, hint=" Nothing of that path can be brought back.")
            await store.restore(conn, document.id)
            text = await store.content(conn, document.id, document.version) or ""
            await self._add_chunks(conn, document, await indexing.chunks_of(text))
            await audit.record(conn, Event(agent, "restore", "document", str(document.id)))
            return Deleted(path, restored=True)

        restored = await chosen.write(agent, restore)
        await self._spaces.follow(chosen)
        return restored

    async def purge(self, agent: str, path: str, *, database: str | None = None) -> Deleted:
        """Remove one's own documents of that path, living and deleted, with everything derived."""
        checked_path(path, self._limits.path_chars)
        chosen = await self._databases.reading(database, agent)

        async def purge(conn: Connection) -> Deleted:
            await store.lock_path(conn, agent, path)
            if not await store.purge(conn, agent, path):
                raise await _refusal(conn, path)
            await audit.record(conn, Event(agent, "purge", "document", ""))
            return Deleted(path, purged=True)

        purged = await chosen.write(agent, purge)
        await self._lexicon.merge_if_possible(chosen)
        return purged

    async def purge_expired(
        self,
        agent: str,
        *,
        owner: str | None = None,
        age: timedelta | None = None,
        dry_run: bool = False,
        database: str | None = None,
    ) -> Expired:
        """Remove for good what was deleted longer ago than `age`, and answers kept too long.

        Of every agent, or of one owner; None is the time in which it can be brought back. A dry
        run does it and takes it back, so its counts are true.
        """
        chosen = await self._databases.reading(database, agent)
        kept = timedelta(days=self._limits.recovery_days)

        async def purge(conn: Connection) -> Expired:
            async with conn.transaction(force_rollback=dry_run):
                documents = await store.purge_expired(conn, kept if age is None else age, owner)
                keys = await idempotency.purge_expired(conn, kept, owner)
            return Expired(documents, keys)

        expired = await chosen.maintain(purge)
        await self._lexicon.merge_if_possible(chosen)
        return expired

    async def count(self, agent: str, *, database: str | None = None) -> dict[str, int]:
        """How many documents and chunks the agent can see."""
        chosen = await self._databases.reading(database, agent)
        documents, chunks = await chosen.read(agent, store.count)
        return {"documents": documents, "chunks": chunks}

    def _check(self, request: WriteDocument) -> None:
        checked_path(request.path, self._limits.path_chars)
        idempotency.checked_key(request.idempotency_key)
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

    async def _write(
        self, conn: Connection, agent: str, request: WriteDocument
    ) -> dict[str, object]:
        await store.lock_path(conn, agent, request.path)
        before = await store.own(conn, agent, request.path)
        _check_expectations(request, before)
        text = await _combined(conn, request, before)
        self._check_text(text)
        wanted = _described(agent, request, before, text)
        if before is not None and _is_same(before, wanted):
            chunks = len(await store.chunk_hashes(conn, before.id))
            return asdict(
                Written(request.path, before.version, chunks, 0, created=False, changed=False)
            )
        document = await (store.add if before is None else store.change)(conn, wanted)
        await store.add_version(conn, document, text)
        chunks = await self._reindex(conn, document, text)
        await audit.record(conn, Event(agent, "write", "document", str(document.id)))
        created = before is None
        return asdict(Written(request.path, document.version, chunks, 0, created, changed=True))

    async def _reindex(self, conn: Connection, document: Document, text: str) -> int:
        """Bring the chunks in line with the text; how many there are."""
        wanted = await indexing.chunks_of(text)
        todo = indexing.plan(await store.chunk_hashes(conn, document.id), wanted)
        await store.remove_chunks(conn, todo.removed)
        await store.move_chunks(conn, todo.kept)
        await store.describe_chunks(conn, document)
        await renew_document(conn, self._zone, document.id)
        await self._add_chunks(conn, document, todo.added)
        return len(wanted)

    async def _add_chunks(
        self, conn: Connection, document: Document, chunks: Sequence[NewChunk]
    ) -> None:
        told = day_of(document.occurred_at or document.updated_at, self._zone)
        chunks = await indexing.findable(chunks, path=document.path, tags=document.tags, told=told)
        await store.add_chunks(conn, document, chunks)


def _check_expectations(request: WriteDocument, before: Document | None) -> None:
    actual = before.version if before else 0
    if request.expected_version is not None and request.expected_version != actual:
        raise VersionConflict(request.path, request.expected_version, actual)
    if before is not None and request.mode == "create":
        raise DocumentExists(request.path, before.version)


async def _combined(conn: Connection, request: WriteDocument, before: Document | None) -> str:
    """The whole text after the write; appended text starts on a line of its own."""
    if before is None or request.mode != "append":
        return request.content
    earlier = await store.content(conn, before.id, before.version) or ""
    separator = "" if not earlier or earlier.endswith("\n") else "\n"
    return f"{earlier}{separator}{request.content}"


def _described(agent: str, request: WriteDocument, before: Document | None, text: str) -> Document:
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


def _is_same(before: Document, wanted: Document) -> bool:
    """Writing what is there already makes no version."""
    return before == wanted


def _one_of(found: Sequence[Document], agent: str, path: str) -> Document:
    """One's own comes first; several of others' are ambiguous."""
    if not found:
        raise DocumentNotFound(path)
    if len(found) > 1 and found[0].agent_id != agent:
        raise AmbiguousPath(path, [document.agent_id for document in found])
    return found[0]


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


def _place(cursor: str) -> tuple[str, str]:
    match from_cursor(_CURSOR, cursor):
        case [str() as path, str() as owner] if is_storable(path + owner):
            return path, owner
        case _:
            raise InvalidInput("cursor", "is not one of memory_list")
