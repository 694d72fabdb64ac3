"""Where each named database is: configured, registered, or derived from the base's address.

Little is imported here: a hook, which has a second or two for everything, reads addresses too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from mcp_memory.config import Config, DatabaseConfig, DatabaseUrl, nearest_database_name
from mcp_memory.errors import InvalidDatabaseName, InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
# As libpq cuts it: a password may hold a ?, but no unescaped slash.
_URL = re.compile(r"(postgres(?:ql)?://(?:[^/@]*@)?[^/?]*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL)
_MAX_IDENTIFIER_BYTES = 63


def check_name(name: str) -> str:
    """The name itself; `InvalidDatabaseName` with the nearest valid one otherwise."""
    if _NAME.fullmatch(name):
        return name
    raise InvalidDatabaseName(name, nearest_database_name(name))


def check_url(url: str) -> str:
    """The URL itself; `InvalidInput`, which never quotes it, when it is none of PostgreSQL's."""
    _parts(url)
    options_in(url)
    return url


def options_in(url: str) -> dict[str, str]:
    """What an URL says, under libpq's own names for it."""
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError as exc:
        raise InvalidInput("url", "PostgreSQL's client library cannot read it") from exc


def database_in(url: str) -> str:
    """The name of the database that an URL leads to; without one, libpq takes the login's."""
    options = options_in(url)
    named = options.get("dbname") or _client_default("dbname")
    return named or options.get("user") or _client_default("user") or "postgres"


def _client_default(keyword: str) -> str:
    """What libpq takes where the URL is silent: PGDATABASE, PGUSER, the user of the system."""
    options = {option.keyword: option.val for option in Conninfo.get_defaults()}
    return (options.get(keyword.encode()) or b"").decode(errors="replace")


def complete_url(url: str) -> str:
    """The same address with its database named in its path, and nowhere else."""
    return with_database(check_url(url), database_in(url))


def with_database(url: str, database: str) -> str:
    """The same server, login and options, another database."""
    match = _parts(url)
    options = [option for option in (match[3] or "").split("&") if not _names_database(option)]
    query = f"?{'&'.join(options)}" if options else ""
    return f"{match[1]}/{quote(database, safe='')}{query}"


def _names_database(option: str) -> bool:
    """A dbname among the options would win over the path."""
    return unquote(option.partition("=")[0]) in ("", "dbname")


def derive_url(base_url: str, name: str) -> str:
    """`…/acme` and `life` give `…/acme_life`; credentials and query string are kept."""
    database = f"{database_in(base_url)}_{check_name(name)}"
    if len(database.encode()) > _MAX_IDENTIFIER_BYTES:
        raise InvalidInput(
            "name",
            f"{database!r} is longer than the {_MAX_IDENTIFIER_BYTES} bytes PostgreSQL allows",
        )
    return with_database(base_url, database)


def _parts(url: str) -> re.Match[str]:
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidInput("url", "a database URL starts with postgresql:// or postgres://")
    return match


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
        return self.own_url(check_name(name)) or derive_url(self.base_url, name)

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
        return derive_url(complete_url(base.reveal()), name)

    def _settings(self, name: str) -> DatabaseConfig:
        """The settings of that name; a derived one without any has a pool like the base's."""
        if name in self._config.databases:
            return self._config.databases[name]
        own = self._config.database
        return own if name == BASE else DatabaseConfig(pool=own.pool)
