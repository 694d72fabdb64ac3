"""Settings: `load` gives one frozen, checked `Config`."""

from mcp_memory.config.described import Setting
from mcp_memory.config.loading import load
from mcp_memory.config.models import (
    ALL_TOOLSETS,
    AuditConfig,
    CacheConfig,
    Config,
    DatabaseConfig,
    EmbeddedConfig,
    EmbeddingsConfig,
    GraphConfig,
    HttpConfig,
    LimitsConfig,
    MessagesConfig,
    PoolConfig,
    RetentionRule,
    SearchConfig,
    Toolset,
    TranscriptsConfig,
    WakeConfig,
    WakeRoute,
    is_agent_name,
    nearest_database_name,
)
from mcp_memory.config.outline import setting_keys
from mcp_memory.config.quiet import is_quiet
from mcp_memory.config.secret import DatabaseUrl, Secret, WebUrl, mask_url

__all__ = [
    "ALL_TOOLSETS",
    "AuditConfig",
    "CacheConfig",
    "Config",
    "DatabaseConfig",
    "DatabaseUrl",
    "EmbeddedConfig",
    "EmbeddingsConfig",
    "GraphConfig",
    "HttpConfig",
    "LimitsConfig",
    "MessagesConfig",
    "PoolConfig",
    "RetentionRule",
    "SearchConfig",
    "Secret",
    "Setting",
    "Toolset",
    "TranscriptsConfig",
    "WakeConfig",
    "WakeRoute",
    "WebUrl",
    "is_agent_name",
    "is_quiet",
    "load",
    "mask_url",
    "nearest_database_name",
    "setting_keys",
]
