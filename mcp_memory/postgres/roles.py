"""The two roles beside the owner: the application's, held by every policy, and the worker's."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mcp_memory.errors import DatabaseUnavailable
from mcp_memory.postgres.connection import Connection

_ROLE_STEM_BYTES = 40
_DIGEST_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the roles transactions take; empty where the login could create none."""

    app: str = ""
    worker: str = ""

    @property
    def are_separate(self) -> bool:
        """Whether agents' transactions run as another role than the owner."""
        return bool(self.app)

    @classmethod
    def of(cls, owner: str) -> "Roles":
        """The roles beside that owner; no two owners have the same."""
        stem = owner.encode()
        if len(stem) > _ROLE_STEM_BYTES:
            digest = hashlib.sha256(stem).hexdigest()[:_DIGEST_CHARACTERS]
            kept = stem[: _ROLE_STEM_BYTES - _DIGEST_CHARACTERS - 1].decode(errors="ignore")
            owner = f"{kept}_{digest}"
        return cls(app=f"{owner}_mcp_app", worker=f"{owner}_mcp_worker")


@dataclass(frozen=True, slots=True)
class Login:
    """Who is connected, and whose our schema is; it will be the login's where there is none."""

    name: str
    owner: str
    may_create_roles: bool
    bypasses_policies: bool


_LOGIN = """
SELECT rolname::text AS name,
       coalesce(
           (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'mcp_memory'),
           rolname::text
       ) AS owner,
       rolsuper OR rolcreaterole AS may_create_roles,
       rolsuper OR rolbypassrls AS bypasses_policies
FROM pg_roles
WHERE rolname = current_user
"""


async def login_of(conn: Connection) -> Login:
    """The login of this connection, before it becomes anybody else."""
    async with conn.cursor(row_factory=class_row(Login)) as cursor:
        login = await (await cursor.execute(_LOGIN)).fetchone()
    assert login is not None
    return login


async def ensure_roles(conn: Connection, login: Login, name: str) -> Roles:
    """The roles of the database's owner, created when they are missing and the login may.

    Login and owner can take them both: what one of them secures, the other must live with.
    """
    roles = Roles.of(login.owner)
    for role in (roles.app, roles.worker):
        if login.may_create_roles:
            await _create(conn, role, login)
        if not await _can_take(conn, role, login):
            return _none_for(login, name)
    return roles


def _none_for(login: Login, name: str) -> Roles:
    """Policies are to hold the login itself, which they cannot when it is above them."""
    if login.bypasses_policies:
        raise DatabaseUnavailable(
            name,
            f"row-level security does not hold the login {login.name!r}, which may create no roles"
            " that it holds; take BYPASSRLS from it, or give it CREATEROLE",
        )
    return Roles()


async def _create(conn: Connection, role: str, login: Login) -> None:
    """Create the role and let login and owner take it; somebody else may do the same just now."""
    create, grant = sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT"), sql.SQL("GRANT {} TO {}, {}")
    for statement in (create, grant):
        if await _can_take(conn, role, login):
            return
        people = (sql.Identifier(login.name), sql.Identifier(login.owner))
        try:
            await conn.execute(statement.format(sql.Identifier(role), *people))
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            continue
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InternalError):
            return


# MEMBER is what 15 asks of SET ROLE; from 16 on it is the SET option of the membership.
_CAN_TAKE = """
SELECT bool_and(pg_has_role(taker, oid, CASE
           WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET'
           ELSE 'MEMBER'
       END))
FROM pg_roles, unnest(ARRAY[%(login)s, %(owner)s]::name[]) taker
WHERE rolname = %(role)s AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcanlogin
"""


async def _can_take(conn: Connection, role: str, login: Login) -> bool:
    """Whether login and owner both can; a role that policies do not hold is none of ours."""
    parameters = {"role": role, "login": login.name, "owner": login.owner}
    row = await (await conn.execute(_CAN_TAKE, parameters)).fetchone()
    return row is not None and bool(row[0])


async def become_owner(conn: Connection, login: Login, name: str) -> None:
    """Let the session be the schema's owner, to whom all that is made in it must belong."""
    if login.name == login.owner:
        return
    try:
        await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(login.owner)))
    except psycopg.errors.InsufficientPrivilege as exc:
        raise DatabaseUnavailable(
            name, f"its schema mcp_memory belongs to {login.owner!r}, and {login.name!r} is another"
        ) from exc


_BLIND = """
SELECT bool_or(NOT has_schema_privilege(role, %(schema)s, 'USAGE'))
FROM unnest(ARRAY[%(app)s, %(worker)s]::name[]) role
"""


async def show_schema(conn: Connection, roles: Roles, schema: str, name: str) -> None:
    """Let the roles use the schema that pgvector lies in; `public` is everybody's already."""
    if not roles.are_separate or not await _are_blind_to(conn, roles, schema):
        return
    to_roles = [sql.Identifier(each) for each in (schema, roles.app, roles.worker)]
    with suppress(psycopg.errors.InsufficientPrivilege):
        await conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(*to_roles))
    if await _are_blind_to(conn, roles, schema):
        raise DatabaseUnavailable(
            name,
            f"pgvector lies in the schema {schema!r}; have an administrator grant its USAGE"
            f" to {roles.app} and {roles.worker}",
        )


async def _are_blind_to(conn: Connection, roles: Roles, schema: str) -> bool:
    parameters = {"app": roles.app, "worker": roles.worker, "schema": schema}
    row = await (await conn.execute(_BLIND, parameters)).fetchone()
    return row is not None and bool(row[0])
