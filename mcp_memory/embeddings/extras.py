"""Importing what only an extra of this package installs, at its first use."""

from importlib import import_module
from types import ModuleType

from mcp_memory.errors import EmbeddingUnavailable


def import_extra(module: str, *, provider: str, mend: str) -> ModuleType:
    """The module, or `EmbeddingUnavailable` with the command that installs it.

    A module that is there but fails to load (a missing system library) says why, too.
    """
    try:
        return import_module(module)
    except ImportError as exc:
        raise EmbeddingUnavailable(provider, f"{exc}. Run: {mend}") from exc
