"""What `doctor` looks at in the index: whether passages are indexed as this version does."""

from collections.abc import AsyncIterator

from mcp_memory.app import App
from mcp_memory.cli.findings import Finding, ok, warning
from mcp_memory.db.diagnosis import Diagnosis
from mcp_memory.db.migrate import is_current

_FIX = "leave a server running, or run `mcp-memory embeddings backfill`; search works meanwhile"


async def check_index(app: App, database: str, diagnosis: Diagnosis) -> AsyncIterator[Finding]:
    """One finding; none where the database is not ready, for nothing is migrated for it."""
    if diagnosis.inside is None or not is_current(diagnosis.applied):
        return
    waiting = await app.reindexer.waiting(app.session(app.config.agent, database))
    if waiting:
        what = f"{waiting} passages are still indexed as an earlier version did"
        yield warning("index", what, _FIX)
    else:
        yield ok("index", "every passage is indexed as this version does")
