"""What `doctor` looks at on this machine: Python, packages, the clock's zone, tokens, the disk."""

import platform
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path

from mcp_memory.cli.findings import Finding, ok, problem, warning
from mcp_memory.cli.output import readable_size
from mcp_memory.config import Config
from mcp_memory.text.tokens import TokenCounter

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
    needed = list(_required())
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


def _required() -> Iterator[str]:
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
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    what = f"{readable_size(free)} free for {folder}"
    mend = "make room, or set embedded.data_dir (MCP_MEMORY_DATA_DIR) to another disk"
    if free < _NO_SPACE:
        return problem("disk", what, mend)
    return warning("disk", what, mend) if free < _LITTLE_SPACE else ok("disk", what)
