"""What `doctor` looks at in PostgreSQL: server, pgvector, roles, migrations, the right to write."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mcp_memory.cli.findings import Finding, ok, problem, warning
from mcp_memory.db import migrate
from mcp_memory.db.diagnosis import Diagnosis, Inside, Server
from mcp_memory.db.migrate import shipped
from mcp_memory.db.provision import OLDEST_PGVECTOR, OLDEST_SERVER
from mcp_memory.errors import DatabaseTooNew, DatabaseTooOld, MigrationChanged, TakeOverNeeded

_SAFE_PGVECTOR = (0, 8, 2)
_CLOCK_TOLERANCE = timedelta(minutes=1)


def check_diagnosis(name: str, diagnosis: Diagnosis) -> Iterator[Finding]:
    """Every finding about the database of that name."""
    yield _version(diagnosis.server)
    yield _clock(diagnosis.server, datetime.now(UTC))
    if diagnosis.inside is None:
        yield _not_created(name, diagnosis.server)
        return
    yield _encoding(name, diagnosis.inside)
    yield _pgvector(diagnosis.inside)
    yield _roles(diagnosis.server, diagnosis.inside)
    if diagnosis.inside.may_write:
        yield _migrations(name, diagnosis)
    yield _writing(diagnosis.server, diagnosis.inside)


def _version(server: Server) -> Finding:
    what = f"PostgreSQL {server.version}, login {server.login}"
    if server.number < OLDEST_SERVER:
        return problem("server", what, "use PostgreSQL 15 or newer")
    return ok("server", what)


def _clock(server: Server, here: datetime) -> Finding:
    apart = abs(here - server.now)
    if apart > _CLOCK_TOLERANCE:
        what = f"the server's clock is {apart.total_seconds():.0f} seconds from this machine's"
        return warning("clock", what, "let both machines keep time by NTP")
    return ok("clock", "the server's agrees with this machine's")


def _not_created(name: str, server: Server) -> Finding:
    what = f"{name} is not created yet"
    if server.is_read_only or not server.may_create_databases:
        mend = f"have an administrator create it, or run ALTER ROLE {server.login} CREATEDB"
        return problem("database", what, mend)
    return ok("database", f"{what}; the first write creates it")


def _encoding(name: str, inside: Inside) -> Finding:
    if inside.encoding != "UTF8":
        what = f"{name} is encoded in {inside.encoding}"
        return problem("database", what, "create one with ENCODING 'UTF8' TEMPLATE template0")
    return ok("database", f"{name} is there, encoded in UTF8")


def _pgvector(inside: Inside) -> Finding:
    if not inside.pgvector:
        return _missing_pgvector(inside)
    version = tuple(int(part) for part in re.findall(r"\d+", inside.pgvector))
    if version < OLDEST_PGVECTOR:
        what = f"{inside.pgvector} is older than 0.8"
        return problem("pgvector", what, "run ALTER EXTENSION vector UPDATE in the database")
    if version < _SAFE_PGVECTOR:
        what = f"{inside.pgvector} has CVE-2026-3172 (parallel HNSW builds)"
        mend = "install pgvector 0.8.2 or newer, then run ALTER EXTENSION vector UPDATE"
        return warning("pgvector", what, mend)
    return ok("pgvector", inside.pgvector)


def _missing_pgvector(inside: Inside) -> Finding:
    if not inside.pgvector_on_server:
        what = "the server does not have it"
        return problem("pgvector", what, "install pgvector 0.8.2 or newer on the server")
    if not inside.may_install_pgvector:
        what = "not installed in the database, and the login may not do it"
        return problem("pgvector", what, "have an administrator run CREATE EXTENSION vector in it")
    return ok("pgvector", f"{inside.pgvector_on_server} will be installed by the first write")


def _roles(server: Server, inside: Inside) -> Finding:
    mend = (
        f"run ALTER ROLE {server.login} CREATEROLE, then mcp-memory databases list: agents then"
        " work under a role of their own"
    )
    if inside.worker_role:
        return ok("isolation", "agents and the worker have roles of their own")
    if inside.has_schema and not server.may_create_roles:
        what = "policies are forced on the login itself, which is slower"
        return warning("isolation", what, mend)
    if not server.may_create_roles:
        what = "the login may create no roles: policies will be forced on itself, which is slower"
        return warning("isolation", what, mend)
    return ok("isolation", "the roles of agents and of the worker will be created when needed")


def _migrations(name: str, diagnosis: Diagnosis) -> Finding:
    have, known = len(diagnosis.applied), len(shipped())
    try:
        migrate.check(name, diagnosis.applied, shipped())
    except DatabaseTooNew as exc:
        return problem("migrations", str(exc), "upgrade mcp-memory")
    except DatabaseTooOld as exc:
        return problem("migrations", str(exc), "run that build's mcp-memory migrate up first")
    except TakeOverNeeded as exc:
        return warning("migrations", str(exc), "an embedded database does it with its next use")
    except MigrationChanged as exc:
        return problem("migrations", str(exc), "install the released mcp-memory-postgres again")
    if have < known:
        return ok("migrations", f"{have} of {known}; the next use applies the rest")
    return ok("migrations", f"all {known}")


def _writing(server: Server, inside: Inside) -> Finding:
    if server.is_read_only:
        what = "the server accepts no writes"
        return problem("writing", what, "let database.url name the primary")
    if not inside.may_write:
        what = f"the login {server.login} does not own the schema mcp_memory, or may not create it"
        return problem("writing", what, "use the login that created it, or GRANT its role")
    return ok("writing", "allowed")
