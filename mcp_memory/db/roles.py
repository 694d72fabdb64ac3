"""The two roles beside the owner: the application's, held by every policy, and the worker's."""

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mcp_memory.db.cancellation import Connection

_ROLE_STEM_BYTES = 40


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the roles transactions take; empty where the login could create none."""

    app: str = ""
    worker: str = ""

    @property
    def are_separate(self) -> bool:
        """Whether agents' transactions run as another role than the owner."""
        return bool(self.app)


@dataclass(frozen=True, slots=True)
class _Login:
    owner: str
    may_create_roles: bool


_LOGIN = """
SELECT coalesce(
           (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'mcp_memory'),
           current_user::text
       ) AS owner,
       rolsuper OR rolcreaterole AS may_create_roles
FROM pg_roles
WHERE rolname = current_user
"""


async def ensure_roles(conn: Connection) -> Roles:
    """The roles of this database's owner, created when they are missing and the login may."""
    async with conn.cursor(row_factory=class_row(_Login)) as cursor:
        login = await (await cursor.execute(_LOGIN)).fetchone()
    assert login is not None
    stem = login.owner.encode()[:_ROLE_STEM_BYTES].decode(errors="ignore")
    roles = Roles(app=f"{stem}_mcp_app", worker=f"{stem}_mcp_worker")
    for role in (roles.app, roles.worker):
        if login.may_create_roles:
            await _create(conn, role)
        if not await _can_take(conn, role):
            return Roles()
    return roles


async def _create(conn: Connection, role: str) -> None:
    """Create the role and let the login take it; somebody else may do the same just now."""
    name = sql.Identifier(role)
    statements = (
        sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT").format(name),
        sql.SQL("GRANT {} TO CURRENT_USER").format(name),
    )
    for attempt in statements:
        if await _can_take(conn, role):
            return
        try:
            await conn.execute(attempt)
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            continue
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError):
            return


# MEMBER is what 15 asks of SET ROLE; from 16 on it is the SET option of the membership.
_CAN_TAKE = """
SELECT CASE
           WHEN current_setting('server_version_num')::int >= 160000
           THEN pg_has_role(current_user, oid, 'SET')
           ELSE pg_has_role(current_user, oid, 'MEMBER')
       END
FROM pg_roles
WHERE rolname = %(role)s AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcanlogin
"""


async def _can_take(conn: Connection, role: str) -> bool:
    row = await (await conn.execute(_CAN_TAKE, {"role": role})).fetchone()
    return row is not None and bool(row[0])
