"""The keeper: the small process that owns an embedded PostgreSQL while somebody uses it.

It is run by its path, `python -I -S keeper.py DATA_DIR`, so that it starts in milliseconds
and survives whoever started it: only the standard library is there, nothing of this package.
The starter's order is read from stdin, the one line of answer goes to stdout, the rest to the log.

Every fact it decides by is a lock of the kernel, which forgets the dead by itself:

users.lock   shared by every process that uses the cluster; the keeper waits for it exclusively.
             Getting it means that nobody is left, and that nobody can join until the stop is done.
keeper.lock  held by the keeper for life.
server.lock  held by the postmaster and, by inheritance, by each of its children. While it is held
             something of the server is alive, whatever a pid file says, and nothing may start.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final, NoReturn, TypedDict

PORT = 5432
ORPHANS_SECONDS = 30.0
STOP_SECONDS = 60.0
TICK_SECONDS = 5.0
LOG_BYTES = 8 * 1024 * 1024

_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_USERS_GONE = ord("u")
_SERVER_GONE = ord("s")


LOCKS: Final = ("users_fd", "keeper_fd", "server_fd", "watch_fd")


class Order(TypedDict):
    """What the starter hands over: open locks by descriptor, and what to run as whom."""

    users_fd: int
    keeper_fd: int
    server_fd: int
    watch_fd: int
    command: list[str]
    pgdata: str
    socket_dir: str
    owner: list[int]
    server: list[int]


class CannotKeepError(Exception):
    """The server could not be started or taken over; the text is for the starter."""


def server_environment() -> dict[str, str]:
    """An environment without the user's PG… and LC_… variables, which would change the server."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"LC_ALL": "C", "PATH": os.defpath} | kept


def _try_lock(descriptor: int) -> bool:
    """Whether the lock was free; it is ours now. As in `file_lock`, which is not there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def postmaster_pid(pgdata: Path) -> int | None:
    """The pid that the cluster's pid file names, alive or not."""
    line = _pid_file_line(pgdata, 0)
    return abs(int(line)) if line.lstrip("-").isdigit() else None


def _pid_file_line(pgdata: Path, index: int) -> str:
    try:
        lines = (pgdata / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return lines[index].strip() if index < len(lines) else ""


def is_postmaster(pid: int, pgdata: Path) -> bool:
    """Whether that process is this cluster's server: pids are used again, after a reboot above all.

    A postmaster's working directory is its data folder.
    """
    if Path("/proc/self").exists():
        try:
            folder = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return False
        return folder in (str(pgdata), f"{pgdata} (deleted)")
    line = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return str(pgdata) in line


def is_answering(pgdata: Path, socket_dir: Path) -> bool:
    """Whether the server accepts connections: it says so itself, and its socket is open."""
    if _pid_file_line(pgdata, 7) != "ready":
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(socket_dir / f".s.PGSQL.{PORT}"))
        except OSError:
            return False
    return True


def main() -> NoReturn:
    order: Order = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if os.fork():
        # The starter waits for this one at once, so that no dead child of its is ever left over.
        os._exit(0)
    for name in LOCKS:
        os.set_inheritable(order[name], False)
    os.chdir("/")
    os.umask(0o077)
    _become(order["owner"])
    _listen_to_signals()
    _keep(order)
    os._exit(0)


def _become(account: list[int]) -> None:
    uid, gid = account
    if os.geteuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _listen_to_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)


def _keep(order: Order) -> None:
    events = _Events()
    try:
        pid = _start_or_adopt(order)
        _wait_until_ready(pid, order)
    except (CannotKeepError, OSError) as problem:
        _report({"problem": str(problem)})
        return
    events.watch(order["users_fd"], _USERS_GONE)
    events.watch(order["watch_fd"], _SERVER_GONE)
    _report({"problem": ""})
    if _wait_for_the_end(events, order) != _SERVER_GONE:
        _stop(pid, events, Path(order["pgdata"]))


def _start_or_adopt(order: Order) -> int:
    """The pid of a server that runs: the one of a keeper who died, else a new one."""
    pgdata = Path(order["pgdata"])
    deadline = time.monotonic() + ORPHANS_SECONDS
    while not _try_lock(order["server_fd"]):
        pid = postmaster_pid(pgdata)
        if pid is not None and is_postmaster(pid, pgdata) and not _is_stopping(pgdata):
            os.close(order["server_fd"])
            return pid
        if time.monotonic() > deadline:
            raise CannotKeepError("processes of the former server have not ended yet; try again.")
        time.sleep(0.02)
    _clear_stale_files(pgdata, Path(order["socket_dir"]))
    return _start(order)


def _is_stopping(pgdata: Path) -> bool:
    return _pid_file_line(pgdata, 7) == "stopping"


def _clear_stale_files(pgdata: Path, socket_dir: Path) -> None:
    """Remove what PostgreSQL would mistake for a running server; server.lock says there is none."""
    pid = postmaster_pid(pgdata)
    if pid is not None and is_postmaster(pid, pgdata):
        raise CannotKeepError(
            f"a PostgreSQL that mcp-memory did not start (process {pid}) uses {pgdata}. Stop it."
        )
    if pid is not None and _is_alive(pid):
        (pgdata / "postmaster.pid").unlink(missing_ok=True)
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (socket_dir / name).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start(order: Order) -> int:
    pid = os.fork()
    if pid == 0:
        _run_server(order)
    # Only the server may hold this lock on: its end is seen by the lock coming free.
    os.close(order["server_fd"])
    return pid


def _run_server(order: Order) -> NoReturn:
    try:
        os.setsid()
        for restored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(restored, signal.SIG_DFL)
        os.dup2(2, 1)
        os.set_inheritable(order["server_fd"], True)
        _become(order["server"])
        os.execve(order["command"][0], order["command"], server_environment())
    except OSError as problem:
        os.write(2, f"{order['command'][0]}: {problem}\n".encode())
        os._exit(127)


def _wait_until_ready(pid: int, order: Order) -> None:
    """Return once the server answers; crash recovery may take its time, only an end is an error."""
    pgdata, socket_dir = Path(order["pgdata"]), Path(order["socket_dir"])
    while postmaster_pid(pgdata) != pid or not is_answering(pgdata, socket_dir):
        if _has_ended(pid, pgdata):
            raise CannotKeepError("the server ended while it was starting.")
        time.sleep(0.005)


def _has_ended(pid: int, pgdata: Path) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not is_postmaster(pid, pgdata)


def _report(outcome: dict[str, str]) -> None:
    """Tell the starter, who may be dead, and let go of the pipe: the rest goes to the log."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(outcome).encode() + b"\n")
    os.dup2(2, 1)


class _Events:
    """One pipe on which locks that came free and signals arrive, each as a byte."""

    def __init__(self) -> None:
        self._receiver, self._sender = os.pipe()
        os.set_blocking(self._sender, False)
        signal.set_wakeup_fd(self._sender, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda _number, _frame: None)

    def watch(self, descriptor: int, event: int) -> None:
        threading.Thread(target=self._wait_for_lock, args=(descriptor, event), daemon=True).start()

    def _wait_for_lock(self, descriptor: int, event: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(self._sender, bytes([event]))

    def next_within(self, seconds: float) -> int | None:
        if not select.select([self._receiver], [], [], max(0.0, seconds))[0]:
            return None
        return os.read(self._receiver, 1)[0]


def _wait_for_the_end(events: _Events, order: Order) -> int:
    """What ended it: nobody is left, the server is gone, or we are asked to stop."""
    server_socket = Path(order["socket_dir"]) / f".s.PGSQL.{PORT}"
    while True:
        _limit_log()
        event = events.next_within(TICK_SECONDS)
        if event is not None:
            return event
        if not server_socket.exists() or _is_stopping(Path(order["pgdata"])):
            # Somebody tidied the temporary files away, or asked for a stop that waits for clients
            # and refuses new ones meanwhile: only another start mends either.
            return signal.SIGTERM


def _limit_log() -> None:
    """Empty a log that grew too long, keeping one former copy; the server goes on appending."""
    if os.fstat(2).st_size < LOG_BYTES:
        return
    log_file = Path(sys.argv[1]) / "postgres.log"
    try:
        log_file.with_name(log_file.name + ".1").write_bytes(log_file.read_bytes())
        os.ftruncate(2, 0)
    except OSError as problem:
        os.write(2, f"keeper: the log cannot be shortened: {problem}\n".encode())


def _stop(pid: int, events: _Events, pgdata: Path) -> None:
    """A fast shutdown, and a hard one (safe, but the next start recovers) when that hangs."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        if _has_ended(pid, pgdata):
            return
        os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if events.next_within(left) == _SERVER_GONE:
                return


if __name__ == "__main__":
    main()
