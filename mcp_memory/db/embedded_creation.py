"""Creating an embedded cluster, whole or not at all, and saying who may log in to it."""

import os
import shutil
from pathlib import Path

from mcp_memory.db.durable import sync_folder
from mcp_memory.db.embedded_accounts import Account, run_as
from mcp_memory.db.embedded_binaries import MAJOR_VERSION
from mcp_memory.db.embedded_folder import ClusterFolder, make_private_folder, write_owned
from mcp_memory.errors import EmbeddedPostgresFailed

SUPERUSER = "mcp_memory"
_INITDB_SECONDS = 300.0
_TAIL_LINES = 12

_INITIAL_SETTINGS = {
    "max_connections": "200",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Two processes less each; nothing here needs them.
    "io_method": "sync",
    "max_logical_replication_workers": "0",
}
"""Written to postgresql.conf once; the owner of a cluster may change them there."""


def refuse_foreign_cluster(folder: ClusterFolder) -> None:
    """Never start on, or create beside, a cluster that is another PostgreSQL's."""
    for place in (folder.root, folder.pgdata):
        version = _cluster_version(place)
        if version == MAJOR_VERSION and place == folder.pgdata:
            continue
        if version is not None:
            raise EmbeddedPostgresFailed(
                f"{place} holds a cluster of PostgreSQL {version}, which was not made by this"
                f" mcp-memory (it uses {MAJOR_VERSION}). Set MCP_MEMORY_DATA_DIR to another folder,"
                f" and carry the data over with PostgreSQL {version}'s own pg_dump."
            )


def _cluster_version(place: Path) -> str | None:
    try:
        return (place / "PG_VERSION").read_text(errors="replace").strip()[:20]
    except (FileNotFoundError, NotADirectoryError):
        return None


def create_cluster(
    folder: ClusterFolder, binaries: Path, account: Account, *, keep_open: int
) -> None:
    """Make the cluster when there is none: beside its place, moved there when it is complete.

    `keep_open` is a lock that initdb inherits: when we die, nobody starts anew until it ends too.
    """
    if (folder.pgdata / "PG_VERSION").exists():
        return
    draft = folder.root / "pgdata.new"
    if draft.exists():
        shutil.rmtree(draft)
    make_private_folder(draft, account)
    _initdb(draft, binaries, account, keep_open)
    try:
        draft.rename(folder.pgdata)
    except OSError as exc:
        raise EmbeddedPostgresFailed(
            f"{folder.pgdata} is there but holds no cluster. Move it away, or set"
            " MCP_MEMORY_DATA_DIR to another folder."
        ) from exc
    sync_folder(folder.root)


def _initdb(draft: Path, binaries: Path, account: Account, keep_open: int) -> None:
    """Letters are told from punctuation by LC_CTYPE: in C, full text would take «word» for one."""
    outcome = None
    for character_type in ("C.UTF-8", "C"):
        command = _initdb_command(draft, binaries, character_type)
        outcome = run_as(account, command, keep_open=(keep_open,), seconds=_INITDB_SECONDS)
        if outcome.returncode == 0:
            return
        if "invalid locale" not in outcome.stdout:
            break
    tail = last_lines(outcome.stdout) if outcome else ""
    shutil.rmtree(draft, ignore_errors=True)
    raise EmbeddedPostgresFailed(
        f"a new cluster could not be created in {draft.parent}.{disk_hint(draft.parent)}",
        log_tail=tail,
    )


def _initdb_command(draft: Path, binaries: Path, character_type: str) -> list[str]:
    initial = {**_INITIAL_SETTINGS, "shared_buffers": f"{_buffer_mib()}MB"}
    settings = [f"--set={name}={setting}" for name, setting in initial.items()]
    return [
        str(binaries / "initdb"),
        f"--pgdata={draft}",
        f"--username={SUPERUSER}",
        "--encoding=UTF8",
        "--locale=C",
        f"--lc-ctype={character_type}",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--auth=peer",
        "--data-checksums",
        "--no-instructions",
        *settings,
    ]


def _buffer_mib() -> int:
    """A thirty-second of the memory in MiB, within bounds: what is not used stays free."""
    mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return min(max(mib // 32, 128), 512)


def write_login_rules(folder: ClusterFolder, server: Account) -> None:
    """Root, the cluster's owner and the server's user may log in, as any role; nobody else may."""
    owner = folder.owner()
    names = dict.fromkeys(("root", owner.name, server.name))
    write_owned(
        folder.hba_file,
        "local all all peer map=owners\nlocal replication all peer map=owners\n",
        owner,
    )
    write_owned(folder.ident_file, "".join(f'owners "{name}" all\n' for name in names), owner)


def last_lines(text: str) -> str:
    """The end of a log, as much as a person reads."""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])


def disk_hint(folder: Path) -> str:
    """A sentence when the disk is (nearly) full: a server that cannot write a log cannot say so."""
    disk = os.statvfs(folder)
    free_mib = disk.f_bavail * disk.f_frsize // 2**20
    if free_mib >= 64 and (disk.f_favail > 0 or disk.f_files == 0):
        return ""
    return f" Only {free_mib} MiB are left on its disk: make room."
