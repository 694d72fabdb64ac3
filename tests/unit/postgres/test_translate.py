"""What PostgreSQL says, in our words: never a raw error of the server's, never an address."""

import psycopg
import psycopg_pool
import pytest
from psycopg import errors as pg

from mcp_memory.errors import DatabaseBusy, DatabaseError, DatabaseUnavailable, InvalidInput
from mcp_memory.postgres.connection import connection_problem, may_be_the_database, translate_errors

PLACE = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (pg.QueryCanceled("x"), DatabaseBusy),
        (pg.DeadlockDetected("x"), DatabaseBusy),
        (pg.SerializationFailure("x"), DatabaseBusy),
        (pg.LockNotAvailable("x"), DatabaseBusy),
        (pg.ObjectInUse("x"), DatabaseBusy),
        (pg.TooManyConnections("x"), DatabaseBusy),
        (pg.IdleInTransactionSessionTimeout("x"), DatabaseBusy),
        (pg.AdminShutdown("x"), DatabaseUnavailable),
        (pg.CrashShutdown("x"), DatabaseUnavailable),
        (pg.CannotConnectNow("x"), DatabaseUnavailable),
        (pg.IdleSessionTimeout("x"), DatabaseUnavailable),
        (pg.DiskFull("x"), DatabaseUnavailable),
        (pg.IoError("x"), DatabaseUnavailable),
        (pg.ReadOnlySqlTransaction("x"), DatabaseUnavailable),
        (psycopg.OperationalError("the connection is closed"), DatabaseUnavailable),
        (psycopg_pool.PoolClosed("x"), DatabaseUnavailable),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_the_server_become_ours(error: Exception, ours: type[DatabaseError]) -> None:
    with pytest.raises(ours) as caught, translate_errors("main"):
        raise error

    assert caught.value.__cause__ is error
    assert "'main'" in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        pg.UniqueViolation("x"),
        pg.CheckViolation("x"),
        pg.UndefinedTable("x"),
        pg.InsufficientPrivilege("x"),
        pg.ProgramLimitExceeded("x"),
        ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_the_statement_pass_through(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, translate_errors("main"):
        raise error

    assert caught.value is error


def test_characters_that_cannot_be_stored_are_the_callers_mistake() -> None:
    with pytest.raises(InvalidInput), translate_errors("main"):
        raise pg.UntranslatableCharacter("x")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('FATAL:  password authentication failed for user "me"', "the login was refused"),
        ("Connection refused", "the server refuses connections"),
        ('FATAL:  database "acme" does not exist', "the server has no such database or login"),
        ("FATAL:  sorry, too many clients already", "the server has no connections left"),
        ("FATAL:  the database system is starting up", "the server is shutting down or starting"),
        (
            'root certificate file "/root/.postgresql/root.crt" does not exist',
            "the server's certificate was not accepted",
        ),
        (
            "server does not support SSL, but SSL was required",
            "an encrypted connection could not be made",
        ),
        ("FATAL:  »acme« ist unbekannt", "a connection could not be made"),
    ],
)
def test_a_failed_connection_is_told_without_its_address(said: str, words: str) -> None:
    assert connection_problem(psycopg.OperationalError(PLACE + said)) == words


@pytest.mark.parametrize(
    ("error", "is_worth_it"),
    [
        (psycopg.OperationalError(PLACE + 'FATAL:  database "acme" does not exist'), True),
        (psycopg.OperationalError(PLACE + "FATAL:  »acme« ist unbekannt"), True),
        (psycopg.OperationalError(PLACE + "Connection refused"), False),
        (psycopg.OperationalError(PLACE + "FATAL:  password authentication failed"), False),
        (pg.ConnectionTimeout("connection timeout expired"), False),
    ],
)
def test_another_door_is_tried_only_where_it_may_open(
    error: psycopg.OperationalError, is_worth_it: bool
) -> None:
    assert may_be_the_database(error) == is_worth_it
