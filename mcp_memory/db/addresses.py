"""Where each named database is: configured, registered, or derived from the base's address.

Little is imported here: a hook, which has a second or two for everything, reads addresses too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_memory.config import Config, DatabaseConfig, DatabaseUrl
from mcp_memory.db.names import checked_name, complete_url, database_in, derived_url

BASE = "main"
# What the base is called inside the embedded cluster.
EMBEDDED_DATABASE = "mcp_memory"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a named database is and how many connections it may have."""

    name: str
    url: str
    listen_url: str = ""
    read_url: str = ""
    pool_min: int = 0
    pool_max: int = 8

    @property
    def direct_url(self) -> str:
        """The address past any pooler, for LISTEN and for migrations."""
        return self.listen_url or self.url


class Addresses:
    """The addresses of one configuration. `main` is the base; other names are derived from it.

    A name that was registered with a URL of its own has that one.
    """

    def __init__(self, config: Config, base_url: str) -> None:
        self._config, self.base_url = config, complete_url(base_url)
        self._registered: dict[str, str] = {}

    @property
    def base_database(self) -> str:
        """What PostgreSQL calls the base; a pooler may call it otherwise."""
        return database_in(self.address(BASE).direct_url)

    @property
    def names(self) -> set[str]:
        """Every name that needs no server to be known."""
        default = self._config.default_database
        return {BASE, default, *self._config.databases, *self._registered}

    def register(self, urls: Mapping[str, str]) -> None:
        """Give these names URLs of their own."""
        self._registered |= urls

    def unregister(self, name: str) -> bool:
        """Take the name's own URL away; whether it had one."""
        return self._registered.pop(name, None) is not None

    def own_url(self, name: str) -> str | None:
        """The URL a name was given, by configuration or registration; None when it is derived."""
        settings = self._settings(name)
        if settings.url is not None:
            return complete_url(settings.url.reveal())
        return self.base_url if name == BASE else self._registered.get(name)

    def url(self, name: str) -> str:
        """Where the database of that name is, or would be made; may hold a password."""
        return self.own_url(checked_name(name)) or derived_url(self.base_url, name)

    def address(self, name: str) -> Address:
        """The same with its other lines and the size of its pool."""
        settings, base = self._settings(name), self._settings(BASE)
        return Address(
            name,
            self.url(name),
            listen_url=self._line(name, settings.listen_url, base.listen_url),
            read_url=self._line(name, settings.read_url, base.read_url),
            pool_min=settings.pool.min,
            pool_max=settings.pool.max,
        )

    def is_derived(self, name: str) -> bool:
        """Whether the name's address comes from the base's."""
        return self.own_url(name) in (None, self.base_url)

    def _line(self, name: str, own: DatabaseUrl | None, base: DatabaseUrl | None) -> str:
        """A further address: the name's own, or derived from the base's as its URL is."""
        if own is not None:
            return complete_url(own.reveal())
        if base is None or self.own_url(name) is not None:
            return ""
        return derived_url(complete_url(base.reveal()), name)

    def _settings(self, name: str) -> DatabaseConfig:
        """The settings of that name; a derived one without any has a pool like the base's."""
        if name in self._config.databases:
            return self._config.databases[name]
        own = self._config.database
        return own if name == BASE else DatabaseConfig(pool=own.pool)
