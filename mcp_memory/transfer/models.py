"""What backing up and restoring give back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BackupReport:
    """An archive that was written and read again; `rows` counts those of each table in it."""

    database: str
    file: Path
    size_bytes: int
    migration: int
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A database as an archive left it; `migration` is the archive's, later ones were applied."""

    database: str
    file: Path
    migration: int
    rows: Mapping[str, int]
