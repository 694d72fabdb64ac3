"""Settings: `load` gives one frozen, checked `Config`."""

from mcp_memory.config.models import Config as Config
from mcp_memory.config.models import DatabaseConfig as DatabaseConfig
from mcp_memory.config.models import EmbeddingsConfig as EmbeddingsConfig
from mcp_memory.config.models import GraphConfig as GraphConfig
from mcp_memory.config.models import HttpConfig as HttpConfig
from mcp_memory.config.models import LimitsConfig as LimitsConfig
from mcp_memory.config.models import MessagesConfig as MessagesConfig
from mcp_memory.config.models import PoolConfig as PoolConfig
from mcp_memory.config.models import RetentionRule as RetentionRule
from mcp_memory.config.models import SearchConfig as SearchConfig
from mcp_memory.config.models import Setting as Setting
from mcp_memory.config.models import TranscriptsConfig as TranscriptsConfig
from mcp_memory.config.models import WakeConfig as WakeConfig
from mcp_memory.config.models import WakeRoute as WakeRoute
from mcp_memory.config.reader import load as load
from mcp_memory.config.secret import DatabaseUrl as DatabaseUrl
from mcp_memory.config.secret import Secret as Secret
from mcp_memory.config.secret import WebUrl as WebUrl
from mcp_memory.config.secret import mask_url as mask_url
from mcp_memory.config.values import Toolset as Toolset
from mcp_memory.config.values import is_agent_name as is_agent_name
from mcp_memory.config.values import is_quiet as is_quiet
from mcp_memory.config.values import nearest_database_name as nearest_database_name
from mcp_memory.config.variables import setting_keys as setting_keys
