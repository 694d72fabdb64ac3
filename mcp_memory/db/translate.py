"""The one place where PostgreSQL's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import psycopg_pool
from psycopg import errors as pg

from mcp_memory.errors import DatabaseBusy, DatabaseUnavailable, InvalidInput

_BUSY = (
    pg.ObjectInUse,
    pg.QueryCanceled,
    pg.LockNotAvailable,
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.TooManyConnections,
    pg.IdleInTransactionSessionTimeout,
)
_FULL = (pg.DiskFull, pg.OutOfMemory, pg.ConfigurationLimitExceeded)
# Classes of SQLSTATE that speak of the server; any other error is one of the statement's.
_SERVER_CLASSES = ("08", "28", "3D", "53", "57", "58")

# How a failed connection is told: psycopg gives these no SQLSTATE, only the server's words.
_TOLD = {
    "certificate": "the server's certificate was not accepted",
    "password authentication failed": "the login was refused",
    "no password supplied": "the login needs a password",
    "no pg_hba.conf entry": "the server does not admit this login from here",
    "too many clients": "the server has no connections left",
    "too many connections": "the server has no connections left",
    "connection slots are reserved": "the server has no connections left",
    "connection refused": "the server refuses connections",
    "no such file": "the server does not run",
    "does not exist": "the server has no such database or login",
    "is not permitted to log in": "the login was refused",
    "permission denied for database": "the login may not enter the database",
    "the database system is": "the server is shutting down or starting",
    "shutting down": "the server is shutting down or starting",
    "could not translate host name": "the server's name cannot be resolved",
    "failed to resolve host": "the server's name cannot be resolved",
    "timeout": "the server did not answer in time",
    "timed out": "the server did not answer in time",
    "ssl": "an encrypted connection could not be made",
    "connection failed": "a connection could not be made",
}


@contextmanager
def translated(database: str) -> Generator[None]:
    """Raise our errors for what PostgreSQL says inside; programming errors pass through."""
    try:
        yield
    except psycopg_pool.PoolClosed as exc:
        raise DatabaseUnavailable(database, "it is being closed") from exc
    except _BUSY as exc:
        raise DatabaseBusy(database, _reason(exc)) from exc
    except pg.ReadOnlySqlTransaction as exc:
        raise DatabaseUnavailable(database, "the server accepts no writes") from exc
    except _FULL as exc:
        raise DatabaseUnavailable(database, _reason(exc)) from exc
    except (pg.UntranslatableCharacter, pg.CharacterNotInRepertoire) as exc:
        raise InvalidInput("text", "holds characters the database cannot store") from exc
    except psycopg.OperationalError as exc:
        if exc.sqlstate is not None and not exc.sqlstate.startswith(_SERVER_CLASSES):
            raise
        raise DatabaseUnavailable(database, connection_problem(exc)) from exc


def connection_problem(exc: psycopg.Error) -> str:
    """Why a server cannot be used, in a few words without addresses or passwords."""
    match exc:
        case pg.InvalidPassword() | pg.InvalidAuthorizationSpecification():
            return "the login was refused"
        case pg.InvalidCatalogName():
            return "the server has no such database"
        case pg.AdminShutdown() | pg.CrashShutdown() | pg.CannotConnectNow():
            return "the server is shutting down or starting"
        case pg.InsufficientPrivilege():
            return "the login may not do this"
        case _:
            text = str(exc).lower()
            return next((words for mark, words in _TOLD.items() if mark in text), _LOST)


_LOST = "the connection was lost"


def may_be_the_database(exc: psycopg.OperationalError) -> bool:
    """Whether the server may let us into another database: it spoke, and not of the login.

    A server speaks the language it was set to, so an unknown reason is worth another attempt.
    """
    return not isinstance(exc, pg.ConnectionTimeout) and connection_problem(exc) in (
        _TOLD["does not exist"],
        _TOLD["permission denied for database"],
        _TOLD["connection failed"],
        _LOST,
    )


def _reason(exc: psycopg.Error) -> str:
    match exc:
        case pg.QueryCanceled():
            return "the statement took longer than allowed"
        case pg.IdleInTransactionSessionTimeout():
            return "the transaction waited longer than allowed"
        case pg.DiskFull():
            return "its disk is full"
        case pg.OutOfMemory():
            return "it is out of memory"
        case pg.ObjectInUse():
            return "others are using it"
        case pg.TooManyConnections() | pg.ConfigurationLimitExceeded():
            return "the server has no connections left"
        case _:
            return "others are writing the same rows"
