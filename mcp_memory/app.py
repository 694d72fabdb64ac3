"""The composition root: everything is built here, once, and closed together."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo

import anyio

from mcp_memory.config import Config, EmbeddingsConfig
from mcp_memory.memory.conversations.imports.importer import Importer
from mcp_memory.memory.conversations.retention import Retention
from mcp_memory.memory.conversations.service import Transcripts
from mcp_memory.memory.conversations.summaries import Summaries
from mcp_memory.memory.documents.service import Documents
from mcp_memory.memory.facts.forget import Forgetting
from mcp_memory.memory.facts.identity import Entities
from mcp_memory.memory.facts.service import Facts
from mcp_memory.memory.keys import Keys
from mcp_memory.memory.mail.directory import Directory, Presence
from mcp_memory.memory.mail.mailbox import Messages
from mcp_memory.memory.mail.wake.service import Wake
from mcp_memory.memory.mail.watch import MailWatch
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import OpenSession
from mcp_memory.search.cache import AnswerCache, Epochs
from mcp_memory.search.kinds import SearchAnswer
from mcp_memory.search.service import Search
from mcp_memory.search.usage import Usage
from mcp_memory.text.tokens import TokenCounter
from mcp_memory.transfer.service import Transfer, archive_within
from mcp_memory.vectors.embedders import Embedders
from mcp_memory.vectors.providers.base import EmbeddingSettings
from mcp_memory.vectors.reindex import Reindexer
from mcp_memory.vectors.service import Spaces
from mcp_memory.vectors.word_counts import WordCounts

# A command that only asks or writes something is over by then, and never needed the vocabulary.
_VOCABULARY_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class App:
    """The services of one process. None of them has touched a database before its first call.

    `session` is the agent in the database that its calls use, `mail_session` the agent where its
    mail lies, unless another is named.
    """

    config: Config
    databases: Databases
    session: OpenSession
    mail_session: OpenSession
    spaces: Spaces
    word_counts: WordCounts
    reindexer: Reindexer
    documents: Documents
    search: Search
    graph: Facts
    forgetting: Forgetting
    identity: Entities
    usage: Usage
    transcripts: Transcripts
    summaries: Summaries
    importer: Importer
    retention: Retention
    presence: Presence
    directory: Directory
    messages: Messages
    wake: Wake
    mail_watch: MailWatch
    keys: Keys
    transfer: Transfer


@asynccontextmanager
async def open_app(config: Config) -> AsyncGenerator[App]:
    """An app with its background work; all is closed, embedded cluster too, when the block ends."""
    base = _Base.of(config)
    app = _build(base)
    try:
        async with anyio.create_task_group() as background:
            for run_worker in _workers(base, app):
                background.start_soon(run_worker)
            yield app
            background.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await base.databases.close()
            await base.embedders.aclose()
            await app.wake.aclose()


@dataclass(frozen=True, slots=True)
class _Base:
    """What the services are built of."""

    config: Config
    zone: ZoneInfo
    tokens: TokenCounter
    databases: Databases
    embedders: Embedders
    spaces: Spaces
    word_counts: WordCounts
    epochs: Epochs

    @classmethod
    def of(cls, config: Config) -> Self:
        tokens = TokenCounter()
        tokens.start_loading(pause_seconds=_VOCABULARY_PAUSE_SECONDS)
        databases = Databases(config, archive_within)
        embedders = Embedders(_embedding_settings(config.embeddings))
        return cls(
            config=config,
            zone=config.zone(),
            tokens=tokens,
            databases=databases,
            embedders=embedders,
            spaces=Spaces(databases, embedders, batch_size=config.embeddings.batch_size),
            word_counts=WordCounts(databases),
            epochs=Epochs(databases),
        )


def _build(base: _Base) -> App:
    config, limits, zone = base.config, base.config.limits, base.zone
    databases, spaces, word_counts = base.databases, base.spaces, base.word_counts
    return App(
        config=config,
        databases=databases,
        session=databases.session,
        mail_session=databases.mail_session,
        spaces=spaces,
        word_counts=word_counts,
        reindexer=Reindexer(databases, zone),
        documents=Documents(spaces, word_counts, limits, zone),
        search=_search(base, usage := Usage()),
        graph=Facts(spaces, limits, config.graph, zone),
        forgetting=Forgetting(spaces, word_counts, limits, zone),
        identity=Entities(),
        usage=usage,
        transcripts=Transcripts(spaces, limits, config.transcripts, zone),
        summaries=Summaries(limits),
        importer=Importer(spaces, limits, config.transcripts, zone),
        retention=Retention(config.transcripts),
        presence=Presence(databases),
        directory=Directory(),
        messages=Messages(databases, limits, config.messages),
        wake=Wake(databases, config),
        mail_watch=MailWatch(databases),
        keys=Keys(databases),
        transfer=Transfer(databases),
    )


def _search(base: _Base, usage: Usage) -> Search:
    config = base.config
    answers = AnswerCache[SearchAnswer](config.cache.entries if config.cache.enabled else 0)
    return Search(
        base.spaces,
        config.search,
        config.limits,
        base.tokens,
        base.zone,
        base.epochs,
        answers,
        usage,
    )


def _workers(base: _Base, app: App) -> Sequence[Callable[[], Coroutine[object, object, None]]]:
    """What runs in the background as long as the app is open; each runs until it is cancelled."""
    return [
        app.spaces.run_worker,
        app.word_counts.run_worker,
        base.epochs.run_worker,
        app.usage.run_worker,
        app.presence.run_worker,
        app.messages.run_worker,
        app.mail_watch.run_worker,
        app.reindexer.run_worker,
    ]


def _embedding_settings(section: EmbeddingsConfig) -> EmbeddingSettings:
    return EmbeddingSettings(
        provider=section.provider,
        model=section.model,
        model_dir=section.model_dir,
        base_url=section.base_url.reveal() if section.base_url else None,
        api_key=section.api_key.reveal() if section.api_key else None,
        dimensions=section.dimensions,
        batch_size=section.batch_size,
        timeout_seconds=section.timeout_seconds,
        query_prefix=section.query_prefix or None,
        document_prefix=section.document_prefix or None,
    )
