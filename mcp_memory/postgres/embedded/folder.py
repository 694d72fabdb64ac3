"""Where an embedded cluster lies on the disk: its files, its locks and its socket."""

import hashlib
import os
import pwd
import stat
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_dir

from mcp_memory.errors import EmbeddedPostgresFailed
from mcp_memory.postgres.embedded.keeper import server_environment

SYSTEM_USERS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system."""

    uid: int
    gid: int
    name: str


def account_of(uid: int) -> Account:
    """The user with that number; PostgreSQL needs its name."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as exc:
        raise EmbeddedPostgresFailed(
            f"user id {uid} has no name on this system. Add it to /etc/passwd, run as another"
            " user, or set database.url."
        ) from exc
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name)


def unprivileged_system_account() -> Account:
    """The user whom root lends a new cluster to."""
    for name in SYSTEM_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name)
    raise EmbeddedPostgresFailed(
        f"PostgreSQL refuses to run as root, and there is no user {' or '.join(SYSTEM_USERS)}."
        " Create one, run as another user, or set database.url."
    )


def owner_uid(path: Path) -> int | None:
    """Whose that file or folder is, or None when there is none."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None


def run_as(
    account: Account, command: Sequence[str], *, keep_open: Sequence[int] = (), seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a command as that user, in an environment of its own, its two outputs in one."""
    becomes_another = os.geteuid() != account.uid
    return subprocess.run(
        command,
        user=account.uid if becomes_another else None,
        group=account.gid if becomes_another else None,
        extra_groups=[] if becomes_another else None,
        pass_fds=keep_open,
        cwd="/",
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        timeout=seconds,
        check=False,
    )


def refuse_unreachable(folder: Path, account: Account) -> None:
    """Name the folder that user cannot enter; its rights are not ours to widen.

    Tried rather than computed from the mode, which says nothing of access lists and mounts.
    """
    if os.geteuid() == account.uid or _can_enter(folder, account):
        return
    closed = next(
        (step for step in (*reversed(folder.parents), folder) if not _can_enter(step, account)),
        folder,
    )
    raise EmbeddedPostgresFailed(
        f"user {account.name!r}, who runs the server in root's place, cannot enter {closed}."
        f" Set MCP_MEMORY_DATA_DIR to a folder it can reach, such as /var/lib/mcp-memory,"
        f" or allow it: chmod o+x {closed}"
    )


def _can_enter(folder: Path, account: Account) -> bool:
    enter = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)]
    return run_as(account, enter, seconds=10).returncode == 0


ROOT_DATA_DIR = Path("/var/lib/mcp-memory")
SOCKET_DIR_BYTES = 89
"""A socket's path has 104 bytes on macOS, 108 on Linux, and ends in `/.s.PGSQL.5432` and a NUL."""


@dataclass(frozen=True, slots=True)
class ClusterFolder:
    """The folder of one cluster; `pgdata` is PostgreSQL's, the rest is ours."""

    root: Path

    @property
    def pgdata(self) -> Path:
        return self.root / "pgdata"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def log_file(self) -> Path:
        return self.root / "postgres.log"

    @property
    def hba_file(self) -> Path:
        return self.root / "pg_hba.conf"

    @property
    def ident_file(self) -> Path:
        return self.root / "pg_ident.conf"

    def owner(self) -> Account:
        """Who starts and stops the cluster, and whose the locks are."""
        if os.geteuid() != 0:
            return account_of(os.geteuid())
        for path in (self.locks, self.root):
            if (uid := owner_uid(path)) is not None:
                return account_of(uid)
        return account_of(0)

    def server_account(self) -> Account:
        """Who the server runs as: never root."""
        if os.geteuid() != 0:
            return account_of(os.geteuid())
        for path in (self.pgdata, self.locks, self.root):
            if uid := owner_uid(path):
                return account_of(uid)
        return unprivileged_system_account()

    def socket_dir(self) -> Path:
        """The same for all processes of the cluster, whatever their environment.

        A comma would read as two hosts in a URL. $XDG_RUNTIME_DIR is no place: cron has none, and
        it is removed at log-out.
        """
        beside = self.root / "run"
        if len(os.fsencode(beside)) <= SOCKET_DIR_BYTES and "," not in str(beside):
            return beside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path("/tmp") / f"mcp-memory-{self.server_account().uid}-{digest}"


def default_data_dir() -> Path:
    """Where the cluster lies when nothing is configured."""
    if os.geteuid() == 0:
        return ROOT_DATA_DIR
    return Path(user_data_dir("mcp-memory")) / "postgres"


def make_cluster_folder(folder: ClusterFolder) -> None:
    """Make the folder and its locks; the rights of what is there already stay as they are."""
    if not folder.root.exists():
        _make_parents(folder.root.parent)
        _make_root(folder)
    owner = folder.owner()
    make_private_folder(folder.locks, owner)


def _make_parents(parent: Path) -> None:
    for step in (*reversed(parent.parents), parent):
        if step.exists():
            continue
        step.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            # Root's umask may be 077, but the server passes through here as another user.
            step.chmod(0o755)


def _make_root(folder: ClusterFolder) -> None:
    folder.root.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder.root, 0, folder.server_account().gid)
        folder.root.chmod(0o710)


def make_private_folder(path: Path, account: Account) -> None:
    """That user's own folder with no right for others; one that is not so already is refused."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if os.geteuid() != account.uid:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise EmbeddedPostgresFailed(
            f"{path} is not a private folder of user {account.name!r} (owner {found.st_uid},"
            f" mode {stat.S_IMODE(found.st_mode):o}). Remove it, or set MCP_MEMORY_DATA_DIR."
        )


def write_owned(path: Path, text: str, owner: Account) -> None:
    """Replace a small file that everybody who reaches the folder may read; no link is followed."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as draft_file:
        os.fchmod(descriptor, 0o644)
        if os.geteuid() != owner.uid:
            os.fchown(descriptor, owner.uid, owner.gid)
        draft_file.write(text)
    draft.replace(path)


@contextmanager
def open_lock(folder: Path, name: str) -> Generator[int]:
    """That lock file, open but not locked, until the block ends."""
    descriptor = open_lock_file(folder, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock_file(folder: Path, name: str) -> int:
    """A descriptor of its own for that lock file, made when missing, given to the folder's owner.

    Root may work in a folder of another user: nothing is followed out of it.
    """
    folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(folder_descriptor)
        _refuse_foreign(owner, folder)
        descriptor = os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder_descriptor
        )
    finally:
        os.close(folder_descriptor)
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _refuse_foreign(folder: os.stat_result, path: Path) -> None:
    if os.geteuid() not in (0, folder.st_uid) or stat.S_IMODE(folder.st_mode) & 0o022:
        raise EmbeddedPostgresFailed(
            f"{path} belongs to another user (id {folder.st_uid}) or others may write to it."
            " Set MCP_MEMORY_DATA_DIR to a folder of your own."
        )


def sync_folder(folder: Path) -> None:
    """Have the names of the files in it written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
