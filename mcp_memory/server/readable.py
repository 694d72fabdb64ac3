"""What callers may read about an error: our own sentences, but nothing of this machine."""

import logging

from mcp_memory.errors import EmbeddedPostgresFailed, McpMemoryError, MigrationFailed

logger = logging.getLogger(__name__)


def readable(exc: McpMemoryError) -> str:
    """The error's text for a caller; what names paths or SQL goes to the log instead."""
    match exc:
        case EmbeddedPostgresFailed():
            logger.error("%s", exc)
            return "The embedded PostgreSQL cannot be used. `mcp-memory doctor` says why."
        case MigrationFailed():
            logger.error("%s", exc)
            return f"Migration {exc.migration} failed and was rolled back. The log says why."
        case _:
            return str(exc)
