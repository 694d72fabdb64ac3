"""Every error this package raises; each takes facts and composes its own sentence.

McpMemoryError
├── ConfigError
├── InvalidInput
├── NotFound
│   ├── DocumentNotFound
│   ├── ChunkNotFound
│   ├── SessionNotFound
│   ├── MessageNotFound
│   ├── SummaryNotFound
│   ├── FactNotFound
│   ├── EntityNotFound
│   ├── MailNotFound
│   ├── RecipientUnknown
│   ├── RouteNotFound
│   ├── RouteUnusable
│   ├── KeyNotFound
│   └── SpaceNotFound
├── Conflict
│   ├── AmbiguousPath
│   ├── DocumentExists
│   ├── VersionConflict
│   ├── AmbiguousMessage
│   ├── SummaryConflict
│   ├── FactConflict
│   └── IdempotencyConflict
├── PermissionRefused
│   ├── ScopeMissing
│   ├── DatabaseRefused
│   └── TargetRefused
├── DatabaseError
│   ├── UnknownDatabase
│   ├── InvalidDatabaseName
│   ├── DatabaseUnavailable
│   ├── DatabaseBusy
│   ├── OutcomeUnknown
│   ├── DatabaseTooNew
│   ├── DatabaseTooOld
│   ├── TakeOverNeeded
│   ├── DatabaseInUse
│   ├── MigrationFailed
│   ├── MigrationChanged
│   └── EmbeddedPostgresFailed
├── TransferError
│   ├── ArchiveUnusable
│   ├── BackupFailed
│   ├── RestoreFailed
│   └── NotEmpty
└── EmbeddingError
    ├── EmbeddingUnavailable
    ├── EmbeddingRefused
    └── DimensionMismatch

`status` is the HTTP status an error answers with.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint such as ` Did you mean 'agent'?`, or nothing when no known word is near."""
    matches = get_close_matches(word, known, n=3, cutoff=0.6)
    if not matches:
        return ""
    return f" Did you mean {' or '.join(repr(match) for match in matches)}?"


class McpMemoryError(Exception):
    """The root: its text is one sentence for a person or a model, free of secrets."""

    status = 500


class ConfigError(McpMemoryError):
    """A setting is unknown or has a value that cannot be used."""

    def __init__(self, problem: str, *, key: str = "", origin: str = "") -> None:
        self.key, self.origin, self.problem = key, origin, problem
        place = f"{origin}: " if origin else ""
        super().__init__(f"{place}{key}: {problem}" if key else f"{place}{problem}")


class InvalidInput(McpMemoryError):
    """An argument cannot be used; nothing was changed."""

    status = 400

    def __init__(self, parameter: str, problem: str) -> None:
        self.parameter, self.problem = parameter, problem
        super().__init__(f"{parameter}: {problem}")


class NotFound(McpMemoryError):
    """Something asked for by name does not exist, or is not the caller's to see."""

    status = 404


class DocumentNotFound(NotFound):
    """No document of that path is visible to the caller."""

    def __init__(self, path: str, *, hint: str = "") -> None:
        self.path = path
        super().__init__(
            f"No document {path!r}.{hint} Call memory_list to see which documents there are."
        )


class ChunkNotFound(NotFound):
    """No search result of that id is visible to the caller."""

    def __init__(self, chunk_id: str) -> None:
        self.chunk_id = chunk_id
        super().__init__(
            f"No search result with id {chunk_id!r}. Ids change when a document is rewritten:"
            " call memory_search again."
        )


class KeyNotFound(NotFound):
    """No key of that id was ever made."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(
            f"No key with id {key_id[:12]!r}. `mcp-memory keys list` shows the ids;"
            " a key's own text is not its id."
        )


class SpaceNotFound(NotFound):
    """No vector space is called so, or several are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, list(known)
        super().__init__(
            f"{name!r} is no vector space of this database, or not one alone."
            f" There are: {', '.join(known) or 'none'}."
        )


class SessionNotFound(NotFound):
    """The caller has no session of that id."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"No session {session_id[:200]!r}."
            ' Call transcript with action="sessions" to see which there are.'
        )


class MessageNotFound(NotFound):
    """The caller has no message of these ids."""

    def __init__(self, message_ids: Sequence[str]) -> None:
        self.message_ids = list(message_ids)
        named = ", ".join(repr(each[:200]) for each in self.message_ids[:5])
        super().__init__(
            f"No message with id {named}. Ids are those given to append;"
            ' transcript with action="search" or "recent" shows them.'
        )


class SummaryNotFound(NotFound):
    """The caller has no summary of that id."""

    def __init__(self, summary_id: str) -> None:
        self.summary_id = summary_id
        super().__init__(
            f"No summary with id {summary_id[:40]!r}."
            ' Call transcript with action="summaries" to see which there are.'
        )


class MailNotFound(NotFound):
    """No mail of these ids was sent to the caller, or by it."""

    def __init__(self, message_ids: Sequence[str], *, hint: str = "") -> None:
        self.message_ids = list(message_ids)
        named = ", ".join(repr(each[:40]) for each in self.message_ids[:5])
        super().__init__(
            f"No message with id {named} is yours.{hint}"
            ' Call memory_message with action="inbox" or "history" to see which are.'
        )


class RecipientUnknown(NotFound):
    """A message is addressed to agents that nobody has ever seen; nothing was sent."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        self.names, self.known = list(names), list(known)
        hints = "".join(dict.fromkeys(nearest(name, known) for name in self.names[:5]))
        super().__init__(
            f"Nobody called {', '.join(repr(name) for name in self.names[:5])} is known."
            f"{hints} An agent is known after its first call;"
            ' memory_message with action="agents" lists them. Nothing was sent.'
        )


class FactNotFound(NotFound):
    """No memory of that id is visible to the caller."""

    def __init__(self, memory_id: str) -> None:
        self.memory_id = memory_id
        super().__init__(
            f"No memory {memory_id[:40]!r}. Call memory_graph_recall or memory_graph_query to see"
            " which there are."
        )


class EntityNotFound(NotFound):
    """The caller knows no entity of that name or id; `near` are names like it, or some others."""

    def __init__(
        self,
        name: str,
        *,
        near: Sequence[str] = (),
        advice: str = "A memory that names it in entities makes one.",
    ) -> None:
        self.name, self.near = name, [*near]
        hint = f" Known: {', '.join(near)}." if near else ""
        super().__init__(f"No entity {name[:200]!r}.{hint} {advice}")


class RouteNotFound(NotFound):
    """No route is known that this agent is woken by."""

    def __init__(self, agent: str, known: Sequence[str]) -> None:
        self.agent, self.known = agent, list(known)
        super().__init__(
            f"No wake route of agent {agent!r}.{nearest(agent, known)}"
            f" Known: {', '.join(known) or 'none'}. `mcp-memory wake add` adds one."
        )


class RouteUnusable(NotFound):
    """There is a route that the agent is woken by, but not from here."""

    def __init__(self, agent: str, reason: str) -> None:
        self.agent, self.reason = agent, reason
        super().__init__(f"The wake route of agent {agent!r} cannot be used here: {reason}")


class Conflict(McpMemoryError):
    """What is there already contradicts the call; nothing was changed."""

    status = 409


class AmbiguousPath(Conflict):
    """Several owners share a document of that path."""

    def __init__(self, path: str, owners: Sequence[str]) -> None:
        self.path, self.owners = path, list(owners)
        super().__init__(
            f"{path!r} is shared by {', '.join(owners)}. Pass owner to say whose you mean."
        )


class DocumentExists(Conflict):
    """mode="create" met a document of that path."""

    def __init__(
        self,
        path: str,
        version: int,
        *,
        advice: str = 'Use mode="append" or mode="replace", or another path.',
    ) -> None:
        self.path, self.version = path, version
        super().__init__(f"{path!r} exists already (version {version}). {advice}")


class VersionConflict(Conflict):
    """expected_version is not the document's version."""

    def __init__(self, path: str, expected: int, actual: int) -> None:
        self.path, self.expected, self.actual = path, expected, actual
        super().__init__(
            f"{path!r} is at version {actual}, not {expected}."
            " Read it again with memory_get, then repeat the write."
        )


class AmbiguousMessage(Conflict):
    """Several sessions have a message of that id."""

    def __init__(self, message_id: str, sessions: Sequence[str]) -> None:
        self.message_id, self.sessions = message_id, list(sessions)
        named = ", ".join(repr(each) for each in self.sessions[:5])
        super().__init__(
            f"Message {message_id[:200]!r} is in sessions {named}. Pass session_id to say which."
        )


class SummaryConflict(Conflict):
    """A summary would overlap with another one, or leave a hole; the text names which."""


class FactConflict(Conflict):
    """A change does not fit what is known of a memory; the text says what and what to do."""


class IdempotencyConflict(Conflict):
    """An idempotency key came back with other content."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"idempotency_key {key!r} was used before with other content. Use a new key."
        )


class PermissionRefused(McpMemoryError):
    """The caller is known but may not do this."""

    status = 403


class ScopeMissing(PermissionRefused):
    """The caller's key does not have the scope that this needs."""

    def __init__(self, scope: str, held: Sequence[str]) -> None:
        self.scope, self.held = scope, list(held)
        super().__init__(
            f"This needs a key with scope {scope!r}; yours has {', '.join(held) or 'none'}."
            " Ask the person who gave you the key."
        )


class DatabaseRefused(PermissionRefused):
    """The caller's key is not for this database."""

    def __init__(self, name: str, allowed: Sequence[str]) -> None:
        self.name, self.allowed = name, list(allowed)
        super().__init__(
            f"Your key is not for database {name[:80]!r}. Pass database: {' or '.join(allowed)}."
        )


class TargetRefused(PermissionRefused):
    """A wake route leads where none may lead."""

    def __init__(self, target: str, reason: str) -> None:
        self.target, self.reason = target, reason
        super().__init__(f"Nobody is woken through {target!r}: {reason}.")


class DatabaseError(McpMemoryError):
    """A database could not do what was asked."""

    status = 503


class UnknownDatabase(DatabaseError):
    """No database of that name exists."""

    status = 404

    def __init__(
        self,
        name: str,
        known: Sequence[str],
        *,
        advice: str = "A first write or memory_register_database creates it.",
    ) -> None:
        self.name, self.known = name, list(known)
        super().__init__(
            f"No database {name!r}.{nearest(name, known)} Known: {', '.join(known)}. {advice}"
        )


class InvalidDatabaseName(DatabaseError):
    """A name that no database may have."""

    status = 400

    def __init__(self, name: str, suggestion: str) -> None:
        self.name, self.suggestion = name, suggestion
        super().__init__(
            f"{name[:80]!r} is not a database name: lower-case letters, digits and _,"
            f" starting with a letter, at most 48. Try {suggestion!r}."
        )


class DatabaseUnavailable(DatabaseError):
    """The server of a database does not answer, or refuses us."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"Database {name!r} is unavailable: {reason}. Try again, or run `doctor`.")


class DatabaseBusy(DatabaseError):
    """A statement took longer than allowed, or no connection came free in time."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"Database {name!r} is busy: {reason}. Nothing was changed; try again.")


class OutcomeUnknown(DatabaseError):
    """The connection broke while a transaction was being committed."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The connection to database {name!r} broke during the commit: whether the change was"
            " made is unknown. Repeat the call with the same idempotency_key, or look first."
        )


class DatabaseTooNew(DatabaseError):
    """A newer mcp-memory migrated the database further than this one knows."""

    def __init__(self, name: str, found: int, known: int) -> None:
        self.name, self.found, self.known = name, found, known
        super().__init__(
            f"Database {name!r} is at migration {found}; this mcp-memory knows {known}."
            " Upgrade mcp-memory, or migrate down with the newer one."
        )


class DatabaseTooOld(DatabaseError):
    """The database is of an unreleased build that this version knows no way from."""

    def __init__(self, name: str, found: int) -> None:
        self.name, self.found = name, found
        super().__init__(
            f"Database {name!r} is at migration {found} of an unreleased build, of which only the"
            " last, 19, is taken over. Bring it there with that build (commit 747b382:"
            " mcp-memory migrate up), then come back."
        )


class TakeOverNeeded(DatabaseError):
    """The database is of the last unreleased build, and nobody said what becomes of a dump."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"Database {name!r} is at migration 19 of an unreleased build. End whatever uses it,"
            " then run mcp-memory migrate up with --dump FILE once (or --no-dump, if you have a"
            " dump): it is taken over without losing a row."
        )


class DatabaseInUse(DatabaseError):
    """Other sessions use a database that must be alone to be taken over."""

    def __init__(self, name: str, sessions: Sequence[str]) -> None:
        self.name, self.sessions = name, sessions
        super().__init__(
            f"Database {name!r} must be taken over from an unreleased build, and others use it:"
            f" {'; '.join(sessions)}. Nothing was changed; end them and try again."
        )


class MigrationFailed(DatabaseError):
    """A migration did not apply; the database is as it was before that step."""

    def __init__(self, migration: str, reason: str) -> None:
        self.migration, self.reason = migration, reason
        super().__init__(f"Migration {migration} failed and was rolled back: {reason}")


class MigrationChanged(DatabaseError):
    """A migration file differs from what was applied."""

    def __init__(self, migration: str) -> None:
        self.migration = migration
        super().__init__(
            f"Migration {migration} was changed after it had been applied."
            " Restore the released file; put changes into a new migration."
        )


class EmbeddedPostgresFailed(DatabaseError):
    """The embedded cluster cannot be created, started or reached."""

    def __init__(self, problem: str, *, log_tail: str = "") -> None:
        self.problem, self.log_tail = problem, log_tail
        tail = f" The end of its log:\n{log_tail}" if log_tail else ""
        super().__init__(f"Embedded PostgreSQL: {problem}{tail}")


class TransferError(McpMemoryError):
    """A database could not be moved as a whole."""


class ArchiveUnusable(TransferError):
    """A file is no archive of a memory, or a damaged one."""

    status = 422

    def __init__(self, file: str, problem: str) -> None:
        self.file, self.problem = file, problem
        super().__init__(f"{file} cannot be restored: {problem}")


class BackupFailed(TransferError):
    """No archive was written; a file that was there before is as it was."""

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"Database {name!r} was not backed up: {problem}")


class RestoreFailed(TransferError):
    """What an archive holds was taken back again; the database is as it was."""

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"Nothing was restored into database {name!r}: {problem}")


class NotEmpty(TransferError):
    """A database holds something that must not be written over."""

    status = 409
    _NAMED = 5

    def __init__(self, name: str, rows: Mapping[str, int]) -> None:
        self.name, self.rows = name, rows
        fullest = sorted(rows, key=lambda table: (-rows[table], table))[: self._NAMED]
        told = ", ".join(f"{rows[table]} {table}" for table in fullest)
        super().__init__(
            f"Database {name!r} is not empty ({told}); nothing was changed. Name another one, which"
            " is made, or drop this one first."
        )


class EmbeddingError(McpMemoryError):
    """Text could not be turned into vectors."""

    status = 503


class EmbeddingUnavailable(EmbeddingError):
    """The provider is not installed, does not answer or refuses us."""

    def __init__(self, provider: str, reason: str, *, retry_after_seconds: float | None = None):
        self.provider, self.reason = provider, reason
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Embeddings from {provider!r} are unavailable: {reason}")


class EmbeddingRefused(EmbeddingError):
    """The provider answers, but never for these texts: sending them again is no use."""

    status = 422

    def __init__(self, provider: str, reason: str) -> None:
        self.provider, self.reason = provider, reason
        super().__init__(f"{provider!r} refused to embed these texts: {reason}")


class DimensionMismatch(EmbeddingError):
    """A provider returned vectors of another length than the model's."""

    status = 422

    def __init__(self, model: str, expected: int, actual: int) -> None:
        self.model, self.expected, self.actual = model, expected, actual
        super().__init__(
            f"Model {model!r} has {expected} dimensions, but the provider returned {actual}."
            " Nothing was stored. Add it as a new model instead."
        )
