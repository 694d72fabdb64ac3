"""What is read of a memory around a search result; of messages it is an excerpt like another."""

from dataclasses import dataclass
from datetime import datetime

from mcp_memory.documents.models import Excerpt
from mcp_memory.graph.models import FactType, Trust
from mcp_memory.graph.reading.models import EntityName


@dataclass(frozen=True, slots=True)
class MemoryExcerpt(Excerpt):
    """Lines of what a version of a memory says, and what a reader must know of it.

    It is true from `valid_from` until `valid_until`, as far as is known; None has no bound.
    """

    memory_id: str
    memory_type: FactType
    entities: list[EntityName]
    valid_from: datetime | None
    valid_until: datetime | None
    trust: Trust
    caution: str
