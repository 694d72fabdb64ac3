"""Importing files into the named databases."""

from datetime import tzinfo
from pathlib import Path

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.db.session import Session
from mcp_memory.spaces.service import Spaces
from mcp_memory.transcripts.importing.formats import FormatName
from mcp_memory.transcripts.importing.lines import FileImport, ImportResult


class Importer:
    """Reads the files of agents into their conversations."""

    def __init__(
        self, spaces: Spaces, limits: LimitsConfig, settings: TranscriptsConfig, zone: tzinfo
    ) -> None:
        self._spaces, self._limits = spaces, limits
        self._settings, self._zone = settings, zone

    async def take(
        self, session: Session, path: Path, *, format_name: FormatName | None = None
    ) -> ImportResult:
        """Take everything that the file holds more than the last time; vectors follow."""
        database = await session.open(create=True)
        file_import = FileImport(session, self._limits, self._settings, self._zone)
        result = await file_import.take(path, format_name=format_name)
        if result.appended:
            await self._spaces.follow_later(database)
        return result
