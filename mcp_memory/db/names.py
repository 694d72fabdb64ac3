"""Names of databases: which are allowed, and the address derived for one."""

import re
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from mcp_memory.config import nearest_database_name
from mcp_memory.errors import InvalidDatabaseName, InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
# As libpq cuts it: a password may hold a ?, but no unescaped slash.
_URL = re.compile(r"(postgres(?:ql)?://(?:[^/@]*@)?[^/?]*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL)
_MAX_IDENTIFIER_BYTES = 63


def checked_name(name: str) -> str:
    """The name itself; `InvalidDatabaseName` with the nearest valid one otherwise."""
    if _NAME.fullmatch(name):
        return name
    raise InvalidDatabaseName(name, nearest_database_name(name))


def checked_url(url: str) -> str:
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
    return with_database(checked_url(url), database_in(url))


def with_database(url: str, database: str) -> str:
    """The same server, login and options, another database."""
    match = _parts(url)
    options = [option for option in (match[3] or "").split("&") if not _names_database(option)]
    query = f"?{'&'.join(options)}" if options else ""
    return f"{match[1]}/{quote(database, safe='')}{query}"


def _names_database(option: str) -> bool:
    """A dbname among the options would win over the path."""
    return unquote(option.partition("=")[0]) in ("", "dbname")


def derived_url(base_url: str, name: str) -> str:
    """`…/acme` and `life` give `…/acme_life`; credentials and query string are kept."""
    database = f"{database_in(base_url)}_{checked_name(name)}"
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
