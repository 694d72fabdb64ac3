"""Whose an embedded cluster is: PostgreSQL refuses to run as root, so root lends it to another."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_memory.db.embedded_keeper import server_environment
from mcp_memory.errors import EmbeddedPostgresFailed

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
