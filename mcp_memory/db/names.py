"""Names of databases: which are allowed, and the address derived for one."""

import re
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mcp_memory.config import nearest_database_name
from mcp_memory.errors import InvalidDatabaseName, InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_URL = re.compile(r"(postgres(?:ql)?://[^/?]*)(?:/([^?]*))?(\?.*)?", re.DOTALL)
_LONGEST_IDENTIFIER = 63


def checked_name(name: str) -> str:
    """The name itself; `InvalidDatabaseName` with the nearest valid one otherwise."""
    if _NAME.fullmatch(name):
        return name
    raise InvalidDatabaseName(name, nearest_database_name(name))


def checked_url(url: str) -> str:
    """The URL itself; `InvalidInput`, which never quotes it, when it is none of PostgreSQL's."""
    _parts(url)
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError as exc:
        raise InvalidInput("url", "PostgreSQL's client library cannot read it") from exc
    return url


def database_in(url: str) -> str:
    """The name of the PostgreSQL database that an URL leads to."""
    match = _parts(url)
    return unquote(match[2] or "") or "postgres"


def with_database(url: str, database: str) -> str:
    """The same server, login and options, another database."""
    match = _parts(url)
    return f"{match[1]}/{quote(database, safe='')}{match[3] or ''}"


def derived_url(base_url: str, name: str) -> str:
    """`…/acme` and `life` give `…/acme_life`; credentials and query string are kept."""
    database = f"{database_in(base_url)}_{checked_name(name)}"
    if len(database.encode()) > _LONGEST_IDENTIFIER:
        raise InvalidInput(
            "name", f"{database!r} is longer than the {_LONGEST_IDENTIFIER} bytes PostgreSQL allows"
        )
    return with_database(base_url, database)


def _parts(url: str) -> re.Match[str]:
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidInput("url", "a database URL starts with postgresql:// or postgres://")
    return match
