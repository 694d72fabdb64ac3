"""The one place where PostgreSQL's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import psycopg_pool
from psycopg import errors as pg

from mcp_memory.errors import DatabaseBusy, DatabaseUnavailable, InvalidInput

_BUSY = (
    pg.QueryCanceled,
    pg.LockNotAvailable,
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.TooManyConnections,
    pg.IdleInTransactionSessionTimeout,
)


@contextmanager
def translated(database: str) -> Generator[None]:
    """Raise our errors for what PostgreSQL says inside; programming errors pass through."""
    try:
        yield
    except psycopg_pool.PoolTimeout as exc:
        raise DatabaseBusy(database, "no connection came free in time") from exc
    except psycopg_pool.PoolClosed as exc:
        raise DatabaseUnavailable(database, "it is being closed") from exc
    except _BUSY as exc:
        raise DatabaseBusy(database, _reason(exc)) from exc
    except pg.ReadOnlySqlTransaction as exc:
        raise DatabaseUnavailable(database, "the server accepts no writes") from exc
    except (pg.DiskFull, pg.OutOfMemory, pg.ConfigurationLimitExceeded) as exc:
        raise DatabaseUnavailable(database, _reason(exc)) from exc
    except (pg.UntranslatableCharacter, pg.CharacterNotInRepertoire) as exc:
        raise InvalidInput("text", "holds characters the database cannot store") from exc
    except psycopg.OperationalError as exc:
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
            return _connection_text(str(exc))


def _connection_text(text: str) -> str:
    lowered = text.lower()
    known = {
        "password authentication failed": "the login was refused",
        "no password supplied": "the login needs a password",
        "no pg_hba.conf entry": "the server does not admit this login from here",
        "connection refused": "the server refuses connections",
        "no such file": "the server does not run",
        "does not exist": "the server has no such database or login",
        "could not translate host name": "the server's name cannot be resolved",
        "failed to resolve host": "the server's name cannot be resolved",
        "timeout": "the server did not answer in time",
        "ssl": "an encrypted connection could not be made",
    }
    return next(
        (words for mark, words in known.items() if mark in lowered), "the connection was lost"
    )


def _reason(exc: psycopg.Error) -> str:
    match exc:
        case pg.QueryCanceled():
            return "the statement took longer than allowed"
        case pg.DiskFull():
            return "its disk is full"
        case pg.OutOfMemory():
            return "it is out of memory"
        case pg.TooManyConnections() | pg.ConfigurationLimitExceeded():
            return "it has no connections left"
        case _:
            return "others are writing the same rows"
