"""What `doctor` looks at on this machine: Python, packages, the clock's zone, tokens, the disk."""

import platform
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Literal

from mcp_memory.app import App
from mcp_memory.config import Config
from mcp_memory.errors import (
    DatabaseTooNew,
    DatabaseTooOld,
    EmbeddingError,
    MigrationChanged,
    TakeOverNeeded,
)
from mcp_memory.interfaces.cli.output import count_noun, readable_size
from mcp_memory.memory.mail.wake.model import ListedRoute
from mcp_memory.postgres import migrate
from mcp_memory.postgres.diagnosis import Diagnosis, Inside, Server
from mcp_memory.postgres.migrate import is_current, list_shipped
from mcp_memory.postgres.provision import OLDEST_PGVECTOR, OLDEST_SERVER
from mcp_memory.text.tokens import TokenCounter
from mcp_memory.vectors.embedders import Embedders

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; what is not ok comes with its mend."""

    check: str
    state: State
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    """It is as it should be."""
    return Finding(check, "ok", what)


def warning(check: str, what: str, mend: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding(check, "warning", what, mend)


def problem(check: str, what: str, mend: str) -> Finding:
    """It keeps the memory from working."""
    return Finding(check, "problem", what, mend)


_DISTRIBUTION = "mcp-memory-postgres"
# Somebody else's on PyPI; its wheel writes over this package's files and this program's script.
_STRANGER = "mcp-memory"
_OLDEST_PYTHON = (3, 11)
_LITTLE_SPACE = 1024**3
_NO_SPACE = 100 * 1024**2


def check_python() -> Finding:
    """The interpreter."""
    what = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return problem("python", what, f"install {_DISTRIBUTION} with Python 3.11 or newer")
    return ok("python", what)


def check_packages() -> Finding:
    """Everything that this package requires is installed, and nothing that writes over it."""
    needed = list(_list_requirements())
    missing = [name for name in needed if not _is_installed(name)]
    if missing:
        what = f"not installed: {', '.join(missing)}"
        return problem("packages", what, f"{sys.executable} -m pip install {' '.join(missing)}")
    if _is_installed(_STRANGER):
        return _warn_of_stranger()
    version = metadata.version(_DISTRIBUTION)
    return ok("packages", f"{_DISTRIBUTION} {version}, {len(needed)} required packages")


def _warn_of_stranger() -> Finding:
    pip = f"{sys.executable} -m pip"
    return warning(
        "packages",
        f"the distribution {_STRANGER} is installed too: it is not ours, and brings a package and"
        " a command of the same names, so that either may have overwritten the other",
        f"{pip} uninstall {_STRANGER}, then {pip} install --force-reinstall {_DISTRIBUTION}"
        " (from a clone: -e .)",
    )


def _list_requirements() -> Iterator[str]:
    for line in metadata.requires(_DISTRIBUTION) or ():
        name, _, marker = line.partition(";")
        if "extra ==" not in marker and (match := re.match(r"[\w.-]+", name)):
            yield match[0]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_timezone(config: Config) -> Finding:
    """The zone that dates without one are in, and what time that makes it."""
    now = datetime.now(config.zone())
    return ok("timezone", f"{config.timezone}, where it is {now:%Y-%m-%d %H:%M}")


def check_vocabulary() -> Finding:
    """Whether tokens are counted or estimated; the vocabulary is never fetched unasked."""
    counter = TokenCounter()
    counter.load()
    if counter.is_exact:
        return ok("tokens", "counted with o200k_base, from tiktoken's cache")
    return warning(
        "tokens",
        "estimated: tiktoken's o200k_base is not on this machine, and is never fetched unasked",
        "to have it, set TIKTOKEN_CACHE_DIR to a folder that stays and run"
        f""" {sys.executable} -c "import tiktoken; tiktoken.get_encoding('o200k_base')" once""",
    )


def check_disk(folder: Path) -> Finding:
    """The disk of the data folder, or of where it would be made."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    what = f"{readable_size(free)} free for {folder}"
    mend = "make room, or set embedded.data_dir (MCP_MEMORY_DATA_DIR) to another disk"
    if free < _NO_SPACE:
        return problem("disk", what, mend)
    return warning("disk", what, mend) if free < _LITTLE_SPACE else ok("disk", what)


_INSTALL = "run `mcp-memory embeddings install` for a model that knows meaning (22 MB)"
_CORRECT_EMBEDDINGS = (
    "see to that, or set embeddings.provider to another; search uses words alone until then"
)


async def check_embeddings(embedders: Embedders) -> Finding:
    """The model loads and gives a vector. Without one only the words are searched: a warning."""
    try:
        embedder = await embedders.own()
        await embedder.embed_query("doctor")
    except EmbeddingError as exc:
        return warning("embeddings", str(exc), _CORRECT_EMBEDDINGS)
    what = f"{embedder.provider}/{embedder.model}, {embedder.dimensions} dimensions"
    if embedders.settings.provider == "auto" and embedder.provider == "hashing":
        return warning("embeddings", f"{what}: it knows spelling, not meaning", _INSTALL)
    return ok("embeddings", what)


_FIX = "leave a server running, or run `mcp-memory embeddings backfill`; search works meanwhile"


async def check_index(app: App, database: str, diagnosis: Diagnosis) -> AsyncIterator[Finding]:
    """One finding; none where the database is not ready, for nothing is migrated for it."""
    if diagnosis.inside is None or not is_current(diagnosis.applied):
        return
    waiting = await app.reindexer.waiting(app.session(app.config.agent, database))
    if waiting:
        what = f"{waiting} passages are still indexed as an earlier version did"
        yield warning("index", what, _FIX)
    else:
        yield ok("index", "every passage is indexed as this version does")


_LONG = timedelta(hours=1)
_CORRECT_ROUTE = (
    "correct its route, or see that what it leads to runs; `mcp-memory wake test {}` rings"
)
_TRY = "once its door opens, `mcp-memory wake test {}` has unread mail rung for again"
_SERVE = "start a server that has its route, or run `mcp-memory wake remove {}`"


async def check_wake(app: App, database: str, diagnosis: Diagnosis) -> AsyncIterator[Finding]:
    """One finding for each route, and one for each outbox in which something is stuck.

    Nothing is migrated for it: what lies in the database is looked at where that is ready.
    """
    is_ready = diagnosis.inside is not None and is_current(diagnosis.applied)
    session = app.mail_session(app.config.agent, database)
    routes = await app.wake.list(session) if is_ready else app.wake.list_configured()
    for listed in routes:
        if listed.route is not None or listed.unusable:
            yield await _door(app, listed)
        if (stuck := _stuck(listed)) is not None:
            yield stuck


async def _door(app: App, listed: ListedRoute) -> Finding:
    outcome = await app.wake.try_dry(listed)
    check = f"wake {listed.agent}"
    if outcome.is_delivered:
        return ok(check, f"{listed.document.get('kind')}, from {listed.origin}: the door opens")
    return problem(check, outcome.problem, _CORRECT_ROUTE.format(listed.agent))


def _stuck(listed: ListedRoute) -> Finding | None:
    """What was given up, or waits for long, in the agent's outbox."""
    outbox, check = listed.outbox, f"bells {listed.agent}"
    if outbox is None:
        return None
    if outbox.given_up:
        rings = count_noun(outbox.given_up, "ring")
        what = f"{rings} for unread mail given up in the last seven days: {outbox.given_up_problem}"
        return warning(check, what.rstrip(": "), _TRY.format(listed.agent))
    since = outbox.waiting_since
    if since is not None and datetime.now(UTC) - since > _LONG:
        messages = count_noun(outbox.waiting, "message")
        what = f"{messages} to be rung for since {since:%Y-%m-%d %H:%M} UTC"
        return warning(check, what, _SERVE.format(listed.agent))
    return None


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
    have, newest = len(diagnosis.applied), len(list_shipped())
    try:
        migrate.check(name, diagnosis.applied, list_shipped())
    except DatabaseTooNew as exc:
        return problem("migrations", str(exc), "upgrade mcp-memory")
    except DatabaseTooOld as exc:
        return problem("migrations", str(exc), "run that build's mcp-memory migrate up first")
    except TakeOverNeeded as exc:
        return warning("migrations", str(exc), "an embedded database does it with its next use")
    except MigrationChanged as exc:
        return problem("migrations", str(exc), "install the released mcp-memory-postgres again")
    if have < newest:
        return ok("migrations", f"{have} of {newest}; the next use applies the rest")
    return ok("migrations", f"all {newest}")


def _writing(server: Server, inside: Inside) -> Finding:
    if server.is_read_only:
        what = "the server accepts no writes"
        return problem("writing", what, "let database.url name the primary")
    if not inside.may_write:
        what = f"the login {server.login} does not own the schema mcp_memory, or may not create it"
        return problem("writing", what, "use the login that created it, or GRANT its role")
    return ok("writing", "allowed")
