"""Every setting with its type, its default and its limits: frozen, and nothing unknown.

Each section names the module that reads it. `variables.setting_keys()` lists the dotted keys;
config.example.json holds each of them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from mcp_memory.config.secret import DatabaseUrl, Secret, WebUrl
from mcp_memory.config.values import (
    ALL_TOOLSETS,
    AgentName,
    DatabaseName,
    FlushPercents,
    Folder,
    Key,
    LogLevel,
    QuietHours,
    RelationName,
    Seconds,
    SourceName,
    Sources,
    TimeZoneName,
    Toolsets,
)
from mcp_memory.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Setting:
    """One value; `origin` is `default`, a file's path or a variable's name."""

    key: str
    value: object
    origin: str


class Section(BaseModel):
    """What every group of settings has in common."""

    # Without hide_input_in_errors a traceback of pydantic's own error would quote secrets.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class PoolConfig(Section):
    """Connections kept open and allowed at most, per process; read by db.database."""

    min: int = Field(default=1, ge=0, le=1000)
    max: int = Field(default=10, ge=1, le=1000)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self


class DatabaseConfig(Section):
    """One database: its address, a replica, and the direct line around a pooler.

    Read by db.databases. Without `url`: the embedded cluster for the default database, a
    derived name for any other.
    """

    url: DatabaseUrl | None = None
    read_url: DatabaseUrl | None = None
    listen_url: DatabaseUrl | None = None
    pool: PoolConfig = PoolConfig()


class EmbeddedConfig(Section):
    """Where the embedded PostgreSQL keeps its cluster; read by db.embedded.

    None: the user's data folder, or /var/lib/mcp-memory for root, whose server runs as another
    user.
    """

    data_dir: Folder | None = None


class EmbeddingsConfig(Section):
    """Who turns text into vectors, and how; read by embeddings.

    `auto` is minilm when it is installed, else hashing. The prefixes are put before a query or
    a passage for models that were trained with them.
    """

    provider: Literal["auto", "hashing", "minilm", "sentence-transformers", "openai"] = "auto"
    model: str | None = Field(default=None, min_length=1)
    model_dir: Folder = Field(default=Path("~/.cache/mcp-memory/models"), validate_default=True)
    base_url: WebUrl | None = None
    api_key: Secret | None = None
    dimensions: int | None = Field(default=None, ge=1, le=4000)
    batch_size: int = Field(default=64, ge=1, le=4096)
    timeout_seconds: Seconds = 30.0
    query_prefix: str = ""
    document_prefix: str = ""


class SearchConfig(Section):
    """What a search answers when the caller does not say; read by recall."""

    max_results: int = Field(default=6, ge=1, le=100)
    min_score: float = Field(default=0.3, ge=0, le=1)


class CacheConfig(Section):
    """The cache of answers: whether there is one, and how many each process keeps.

    Read by recall.cache.
    """

    enabled: bool = True
    entries: int = Field(default=512, ge=1, le=1_000_000)


class LimitsConfig(Section):
    """Bounds on what is taken in and how long anything may last.

    `recovery_days` is how long a deleted document or forgotten fact can be brought back; read
    by the services that delete. The sizes are read by the services that write and search, the
    timeouts by db.database.
    """

    content_bytes: int = Field(default=1_048_576, ge=1, le=268_435_456)
    query_chars: int = Field(default=4096, ge=1, le=1_048_576)
    path_chars: int = Field(default=512, ge=1, le=1024)
    statement_timeout_seconds: Seconds = 30.0
    pool_timeout_seconds: Seconds = 10.0
    recovery_days: int = Field(default=30, ge=0, le=36_500)


class MessagesConfig(Section):
    """How long `wait` may hold a message unacknowledged, and how long one that is read or expired
    is kept from `purge`; None keeps all. Read by messaging.service."""

    lease_seconds: Seconds = 300.0
    retention_days: float | None = Field(default=None, gt=0, le=36_500)


class GraphConfig(Section):
    """Relations of which an entity has only one at a time; read by graph.

    A memory that states another one is told which older fact it contradicts.
    """

    functional_relations: tuple[RelationName, ...] = (
        "works_at",
        "lives_in",
        "located_in",
        "born_in",
        "married_to",
        "reports_to",
        "has_status",
        "has_role",
    )


class RetentionRule(Section):
    """How long, and how much, the messages of one source are kept; None keeps all.

    Only what a summary covers is removed, unless `only_summarized` is false.
    """

    max_days: float | None = Field(default=None, gt=0, le=36_500)
    max_bytes: int | None = Field(default=None, ge=0)
    only_summarized: bool = True


class TranscriptsConfig(Section):
    """When an agent is asked to save, in percent of its context, and what is kept of its sources.

    Read by transcripts.
    """

    flush_percent: FlushPercents = (50, 75, 90)
    retention: dict[SourceName, RetentionRule] = Field(default_factory=dict[str, RetentionRule])


class WakeConfig(Section):
    """Where routes may lead that were added by command, and how fast agents are woken.

    Read by memory.mail.wake. An allowed target is a host, `host:port`, an address, a network or
    the absolute path of a program; what the configuration's own routes name is allowed by that. A
    wake attempt gathers what comes within `gather_seconds`; the next one follows after
    `pause_seconds` at the earliest. The first repetition follows after `retry_seconds`, later ones
    after more and more; what fails for `give_up_hours` is given up.
    """

    allowed_targets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    gather_seconds: float = Field(default=0.25, ge=0, le=60)
    pause_seconds: float = Field(default=5.0, ge=0, le=3600)
    retry_seconds: float = Field(default=1.0, gt=0, le=3600)
    give_up_hours: float = Field(default=24.0, gt=0, le=720)


class WakeRoute(Section):
    """How one agent is woken when mail arrives; read by messaging.wake.

    `command` is the program and its arguments, for the kind of that name; every other kind
    posts to `url`. `agent_id` and `session_key` are OpenClaw's own names. Messages below
    `min_priority` wake nobody, and those below `urgent_priority` nobody in `quiet_hours`, which
    are in `timezone`. What messages say is told only with `allow_text`.
    """

    kind: Literal["openclaw-wake", "openclaw-agent", "webhook", "command"]
    url: WebUrl | None = None
    token: Secret | None = None
    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    agent_id: str = Field(default="", max_length=200)
    session_key: str = Field(default="", max_length=500)
    min_priority: int = Field(default=0, ge=0, le=10)
    quiet_hours: QuietHours = ""
    urgent_priority: int = Field(default=9, ge=0, le=10)
    when_listening: bool = False
    allow_text: bool = False
    timeout_seconds: float = Field(default=20.0, gt=0, le=300)

    @model_validator(mode="after")
    def _has_its_target(self) -> Self:
        needed, spare = ("command", "url") if self.kind == "command" else ("url", "command")
        if not getattr(self, needed):
            raise ValueError(f"kind {self.kind!r} needs {needed!r}")
        if getattr(self, spare):
            raise ValueError(f"kind {self.kind!r} does not use {spare!r}")
        return self

    @model_validator(mode="after")
    def _has_a_token_that_can_be_sent(self) -> Self:
        if self.token is None or self.kind not in ("openclaw-wake", "openclaw-agent"):
            return self
        if not re.fullmatch(r"[!-~]+", self.token.reveal()):
            raise ValueError("'token' goes into a header: visible ASCII characters without spaces")
        return self


class HttpConfig(Section):
    """Where the HTTP transports listen, whom they answer and how much at once.

    Read by server.transports and web. Loopback names are always allowed. `public_url` is where
    clients find the server when that is not `host` and `port`. Each key may make
    `rate_per_minute` requests, all at once or spread out; 0 is no limit. What still runs
    `shutdown_seconds` after a signal is cut off.
    """

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8720, ge=0, le=65_535)
    public_url: WebUrl | None = None
    allowed_hosts: tuple[str, ...] = ()
    body_bytes: int = Field(default=4_194_304, ge=1024, le=268_435_456)
    rate_per_minute: int = Field(default=1200, ge=0, le=1_000_000)
    shutdown_seconds: Seconds = 10.0


class AuditConfig(Section):
    """Whether who did what is recorded; read by audit."""

    enabled: bool = True


class Config(Section):
    """All settings. Made by `load`; `describe` says where each value came from."""

    agent: AgentName = "default"
    timezone: TimeZoneName = "UTC"
    log_level: LogLevel = "info"
    database: DatabaseConfig = DatabaseConfig()
    databases: dict[DatabaseName, DatabaseConfig] = Field(default_factory=dict[str, DatabaseConfig])
    default_database: DatabaseName = "main"
    auto_create: bool = True
    embedded: EmbeddedConfig = Field(default_factory=EmbeddedConfig)
    embeddings: EmbeddingsConfig = Field(default_factory=EmbeddingsConfig)
    search: SearchConfig = SearchConfig()
    cache: CacheConfig = CacheConfig()
    limits: LimitsConfig = LimitsConfig()
    messages: MessagesConfig = MessagesConfig()
    graph: GraphConfig = GraphConfig()
    transcripts: TranscriptsConfig = Field(default_factory=TranscriptsConfig)
    wake: WakeConfig = WakeConfig()
    wake_routes: dict[AgentName, WakeRoute] = Field(default_factory=dict[str, WakeRoute])
    http: HttpConfig = HttpConfig()
    toolsets: Toolsets = ALL_TOOLSETS
    audit: AuditConfig = AuditConfig()

    _sources: Sources = PrivateAttr(default_factory=Sources)

    def model_post_init(self, context: object, /) -> None:
        """Remember who set what, when `load` is the one that asks."""
        if isinstance(context, Sources):
            self._sources = context

    def wake_route(self, document: object) -> WakeRoute:
        """A route that is written like those of `wake_routes` but kept elsewhere.

        Its secrets come from where this configuration's did. `ConfigError` when it cannot be used.
        """
        try:
            return WakeRoute.model_validate(document, context=self._sources)
        except ValidationError as exc:
            first = exc.errors(include_input=False, include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(first["msg"].removeprefix("Value error, "), key=key) from exc

    def zone(self) -> ZoneInfo:
        """The time zone that naive dates are in."""
        return ZoneInfo(self.timezone)

    def describe(self) -> list[Setting]:
        """Every value with its origin, secrets masked; safe to print."""
        document = cast("dict[str, object]", self.model_dump(mode="json"))
        origins = self._sources.origins
        return [
            Setting(".".join(key), value, origin_of(key, origins) or "default")
            for key, value in leaves(document)
        ]


def leaves(document: Mapping[str, object], above: Key = ()) -> Iterator[tuple[Key, object]]:
    """Every value that is not itself a group of values; an empty group counts as one."""
    for name, value in document.items():
        key = (*above, name)
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, object]", value), key)
        else:
            yield key, value


def origin_of(key: Key, origins: Mapping[Key, str]) -> str:
    """Who set this key or something inside it; empty when nobody did."""
    inside = (origin for other, origin in origins.items() if other[: len(key)] == key)
    return next(inside, "")
