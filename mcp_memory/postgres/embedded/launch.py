"""Starting the keeper of an embedded cluster, and hearing from it whether the server runs."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from mcp_memory.errors import EmbeddedPostgresFailed
from mcp_memory.file_lock import try_lock
from mcp_memory.postgres.embedded import keeper
from mcp_memory.postgres.embedded.binaries import (
    MAJOR_VERSION,
    remove_other_copies,
    server_binaries,
)
from mcp_memory.postgres.embedded.folder import (
    Account,
    ClusterFolder,
    make_private_folder,
    open_lock,
    refuse_unreachable,
    run_as,
    sync_folder,
    write_owned,
)
from mcp_memory.postgres.embedded.keeper import PORT, Order

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
    for path in (folder.root, folder.pgdata):
        version = _cluster_version(path)
        if version == MAJOR_VERSION and path == folder.pgdata:
            continue
        if version is not None:
            raise EmbeddedPostgresFailed(
                f"{path} holds a cluster of PostgreSQL {version}, which was not made by this"
                f" mcp-memory (it uses {MAJOR_VERSION}). Set MCP_MEMORY_DATA_DIR to another folder,"
                f" and carry the data over with PostgreSQL {version}'s own pg_dump."
            )


def _cluster_version(folder: Path) -> str | None:
    try:
        return (folder / "PG_VERSION").read_text(errors="replace").strip()[:20]
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


START_SECONDS = 120.0
_SHARED_MEMORY_BYTES = 256 * 1024 * 1024


def launch_keeper(folder: ClusterFolder, keeper_fd: int, settings: Mapping[str, str]) -> None:
    """Start a keeper, who starts the server or takes a running one over; return when it answers.

    Called with keeper.lock held: the new keeper inherits it, so nobody comes between.
    """
    server = folder.server_account()
    with ExitStack() as stack:
        users_fd, server_fd, watch_fd = (
            stack.enter_context(open_lock(folder.locks, name))
            for name in ("users.lock", "server.lock", "server.lock")
        )
        is_alone = try_lock(server_fd)
        binaries = _prepare(folder, server, keeper_fd, is_alone=is_alone)
        owner = folder.owner()
        order = Order(
            users_fd=users_fd,
            keeper_fd=keeper_fd,
            server_fd=server_fd,
            watch_fd=watch_fd,
            command=_server_command(folder, binaries, settings),
            pgdata=str(folder.pgdata),
            socket_dir=str(folder.socket_dir()),
            owner=[owner.uid, owner.gid],
            server=[server.uid, server.gid],
        )
        _run_keeper(folder, owner, order)


def _prepare(folder: ClusterFolder, server: Account, keeper_fd: int, *, is_alone: bool) -> Path:
    """All that a server needs, made where it is missing; the programs it is to run."""
    refuse_foreign_cluster(folder)
    refuse_unreachable(folder.root, server)
    binaries = server_binaries(folder, server)
    if is_alone:
        remove_other_copies(folder, binaries)
    create_cluster(folder, binaries, server, keep_open=keeper_fd)
    make_private_folder(folder.socket_dir(), server)
    write_login_rules(folder, server)
    return binaries


def _server_command(
    folder: ClusterFolder, binaries: Path, settings: Mapping[str, str]
) -> list[str]:
    """What must hold, whatever postgresql.conf says, is on the command line."""
    fixed = {
        "port": str(PORT),
        "listen_addresses": "",
        "unix_socket_directories": '"' + str(folder.socket_dir()).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "hba_file": str(folder.hba_file),
        "ident_file": str(folder.ident_file),
        "cluster_name": "mcp-memory",
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        # What was forgotten must not live on in a log: no statements, no values of rows.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        **_choose_shared_memory(),
        **settings,
    }
    options = [part for name, setting in fixed.items() for part in ("-c", f"{name}={setting}")]
    return [str(binaries / "postgres"), "-D", str(folder.pgdata), *options]


def _choose_shared_memory() -> dict[str, str]:
    """Containers have 64 MiB of /dev/shm, too little to build an index by several workers."""
    try:
        disk = os.statvfs("/dev/shm")
    except OSError:
        return {}
    is_small = disk.f_blocks * disk.f_frsize < _SHARED_MEMORY_BYTES
    return {"dynamic_shared_memory_type": "mmap"} if is_small else {}


def _run_keeper(folder: ClusterFolder, owner: Account, order: Order) -> None:
    log_descriptor = _open_log(folder, owner)
    report_reader, report_writer = os.pipe()
    try:
        log_start = os.fstat(log_descriptor).st_size
        try:
            _spawn(folder, order, log_descriptor, report_writer)
        finally:
            os.close(report_writer)
        problem = _await_report(report_reader)
        if problem:
            tail = _log_since(folder, log_start)
            raise EmbeddedPostgresFailed(problem + disk_hint(folder.root), log_tail=tail)
    finally:
        os.close(report_reader)
        os.close(log_descriptor)


def _open_log(folder: ClusterFolder, owner: Account) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    descriptor = os.open(folder.log_file, flags, 0o600)
    if os.geteuid() != owner.uid:
        os.fchown(descriptor, owner.uid, owner.gid)
    return descriptor


def _spawn(folder: ClusterFolder, order: Order, log_descriptor: int, report: int) -> None:
    """Run the keeper in a session of its own: a client kills its server's whole process group."""
    keeper_file = str(Path(keeper.__file__))
    subprocess.run(
        [sys.executable, "-I", "-S", keeper_file, str(folder.root)],
        input=json.dumps(order).encode(),
        pass_fds=[order[name] for name in keeper.LOCKS],
        stdout=report,
        stderr=log_descriptor,
        start_new_session=True,
        check=False,
    )


def _await_report(report: int) -> str:
    """The problem the keeper met, or nothing when the server answers."""
    deadline = time.monotonic() + START_SECONDS
    received = b""
    while not received.endswith(b"\n"):
        if not select.select([report], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return f"the server did not answer within {START_SECONDS:.0f} seconds; try again."
        piece = os.read(report, 4096)
        if not piece:
            return "the process that keeps the server ended before the server answered."
        received += piece
    return str(json.loads(received)["problem"])


def _log_since(folder: ClusterFolder, offset: int) -> str:
    with folder.log_file.open("rb") as log_file:
        log_file.seek(offset)
        return last_lines(log_file.read().decode(errors="replace"))
