"""The composition root: everything is built here, once, and closed together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from mcp_memory.config import Config
from mcp_memory.db.databases import Databases
from mcp_memory.documents.service import Documents
from mcp_memory.recall.service import Recall
from mcp_memory.text.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class App:
    """The services of one process. None of them has touched a database before its first call."""

    config: Config
    databases: Databases
    documents: Documents
    recall: Recall


@asynccontextmanager
async def open_app(config: Config) -> AsyncIterator[App]:
    """An app that is closed, connections and embedded cluster with it, when the block ends."""
    tokens = TokenCounter()
    tokens.start_loading()
    databases = Databases(config)
    try:
        yield App(
            config=config,
            databases=databases,
            documents=Documents(databases, config.limits),
            recall=Recall(databases, config.search, config.limits, tokens),
        )
    finally:
        with anyio.CancelScope(shield=True):
            await databases.close()
