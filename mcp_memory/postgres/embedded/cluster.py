"""The embedded PostgreSQL: started by its first user, shared by all, stopped with its last."""

import fcntl
import logging
import os
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from mcp_memory.errors import EmbeddedPostgresFailed
from mcp_memory.file_lock import lock_within, try_lock
from mcp_memory.postgres.embedded.binaries import wheel_binaries
from mcp_memory.postgres.embedded.folder import (
    ClusterFolder,
    default_data_dir,
    make_cluster_folder,
    open_lock,
    open_lock_file,
)
from mcp_memory.postgres.embedded.keeper import PORT, is_answering
from mcp_memory.postgres.embedded.launch import START_SECONDS, SUPERUSER, disk_hint, launch_keeper

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 90.0
_LEAVE_SECONDS = 10.0
_POLL_SECONDS = 0.01


class EmbeddedCluster:
    """One process's use of the cluster in a data folder; any number of processes may use it.

    A use is a lock, so a process that dies leaves by dying. All methods block: call them in a
    thread from async code. `settings` are PostgreSQL's, in force for the server this use starts.
    """

    def __init__(
        self, data_dir: Path | None = None, *, settings: Mapping[str, str] | None = None
    ) -> None:
        folder = data_dir if data_dir is not None else default_data_dir()
        self._folder = ClusterFolder(folder.expanduser().resolve())
        self._settings = dict(settings or {})
        self._users_fd: int | None = None
        self._mutex = threading.Lock()

    @property
    def data_dir(self) -> Path:
        """The folder of the cluster, its locks and its log."""
        return self._folder.root

    @property
    def socket_dir(self) -> Path:
        """The folder of the server's socket: `host` for a client."""
        return self._folder.socket_dir()

    @property
    def bin_dir(self) -> Path:
        """The folder of psql, pg_dump and the like."""
        return wheel_binaries()

    @property
    def log_file(self) -> Path:
        """Where the server writes what it has to say."""
        return self._folder.log_file

    def url(self, dbname: str = "postgres") -> str:
        """The address of one database, for the users who may log in: us and root."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(dbname, safe='')}?host={host}&port={PORT}"

    def start(self) -> None:
        """Join the users of the cluster; return when the server answers."""
        with self._mutex, self._readable_errors():
            if self._users_fd is not None:
                self._ensure_kept()
                return
            make_cluster_folder(self._folder)
            self._users_fd = self._join()
            try:
                self._ensure_kept()
            except BaseException:
                self._let_go()
                raise

    def ensure_running(self) -> None:
        """Start the server again when it was killed; cheap when it runs."""
        with self._mutex, self._readable_errors():
            if self._users_fd is None:
                raise EmbeddedPostgresFailed("this process is not among its users. Call start().")
            self._ensure_kept()

    def leave(self) -> None:
        """Stop using the cluster; when the last user has left, the server stops by itself."""
        with self._mutex:
            if self._users_fd is None:
                return
            try:
                with self._readable_errors():
                    self._adopt_unkept_server()
            except EmbeddedPostgresFailed as problem:
                logger.warning("embedded PostgreSQL may go on without users: %s", problem)
            finally:
                self._let_go()

    def wait_stopped(self, timeout_seconds: float = 60.0) -> bool:
        """Whether the server and its keeper are gone in time, with all that they held."""
        deadline = time.monotonic() + timeout_seconds
        while self._is_kept_or_serving():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def _join(self) -> int:
        """A shared lock on users.lock. It is refused while a keeper stops the server."""
        descriptor = open_lock_file(self._folder.locks, "users.lock")
        if lock_within(descriptor, fcntl.LOCK_SH, _JOIN_SECONDS):
            return descriptor
        os.close(descriptor)
        raise EmbeddedPostgresFailed(
            f"it has been stopping for {_JOIN_SECONDS:.0f} seconds. Look at {self.log_file}."
        )

    def _let_go(self) -> None:
        if self._users_fd is not None:
            # Closed, not unlocked: a child forked without exec still uses the cluster.
            os.close(self._users_fd)
            self._users_fd = None

    def _ensure_kept(self) -> None:
        """Return when a keeper lives and the server answers, launching what is missing.

        A keeper that lives without an answering server is just starting it, or seeing its end.
        """
        deadline = time.monotonic() + START_SECONDS
        with self._starting(START_SECONDS), open_lock(self._folder.locks, "keeper.lock") as keeper:
            while True:
                if try_lock(keeper):
                    launch_keeper(self._folder, keeper, self._settings)
                    return
                if is_answering(self._folder.pgdata, self.socket_dir):
                    return
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresFailed(
                        f"the server has not answered for {START_SECONDS:.0f} seconds."
                        f" Look at {self.log_file}."
                    )
                time.sleep(_POLL_SECONDS)

    def _adopt_unkept_server(self) -> None:
        """Give a server whose keeper was killed another one, or nobody would ever stop it."""
        locks = self._folder.locks
        with self._starting(_LEAVE_SECONDS), open_lock(locks, "keeper.lock") as keeper:
            if not try_lock(keeper):
                return
            with open_lock(locks, "server.lock") as server:
                is_serving = not try_lock(server)
            if is_serving:
                launch_keeper(self._folder, keeper, self._settings)

    def _is_kept_or_serving(self) -> bool:
        if not self._folder.locks.is_dir():
            return False
        with self._starting(_LEAVE_SECONDS):
            for name in ("keeper.lock", "server.lock"):
                with open_lock(self._folder.locks, name) as descriptor:
                    if not try_lock(descriptor):
                        return True
        return False

    @contextmanager
    def _starting(self, seconds: float) -> Generator[None]:
        """One process at a time looks at the locks of keeper and server, or starts a keeper."""
        with open_lock(self._folder.locks, "start.lock") as descriptor:
            if not lock_within(descriptor, fcntl.LOCK_EX, seconds):
                raise EmbeddedPostgresFailed(
                    f"another process has been starting it for {seconds:.0f} seconds; try again."
                )
            yield

    @contextmanager
    def _readable_errors(self) -> Generator[None]:
        try:
            yield
        except OSError as exc:
            hint = disk_hint(self._folder.root) if self._folder.root.exists() else ""
            file = f" ({exc.filename})" if exc.filename else ""
            raise EmbeddedPostgresFailed(f"{exc.strerror or exc}{file}.{hint}") from exc
        except subprocess.TimeoutExpired as exc:
            raise EmbeddedPostgresFailed(
                f"{exc.cmd[0]} took longer than {exc.timeout:.0f} seconds."
            ) from exc
