"""Importing files into the named databases."""

from datetime import tzinfo
from pathlib import Path

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.db.databases import Databases
from mcp_memory.spaces.service import Spaces
from mcp_memory.transcripts.importing.formats import FormatName
from mcp_memory.transcripts.importing.lines import Imported, Importing


class Importer:
    """Reads the files of agents into their transcripts."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        limits: LimitsConfig,
        settings: TranscriptsConfig,
        zone: tzinfo,
    ) -> None:
        self._databases, self._spaces = databases, spaces
        self._limits, self._settings, self._zone = limits, settings, zone

    async def take(
        self,
        agent: str,
        path: Path,
        *,
        format_name: FormatName | None = None,
        database: str | None = None,
    ) -> Imported:
        """Take everything that the file holds more than the last time; vectors follow."""
        chosen = await self._databases.writing(database, agent)
        importing = Importing(chosen, agent, self._limits, self._settings, self._zone)
        imported = await importing.take(path, format_name=format_name)
        if imported.appended:
            await self._spaces.follow_later(chosen)
        return imported
