"""The program on a home folder of its own, with and without a database."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from tests.cli.program import Program


@pytest.fixture
def bare(tmp_path: Path) -> Program:
    """The program of a user who has configured nothing; it must not need a database."""
    home = tmp_path / "home"
    home.mkdir()
    return Program({"HOME": str(home)})


@pytest.fixture
def program(bare: Program, database_url: str) -> Program:
    """The program on this test's database."""
    return Program({**bare.environ, "MCP_MEMORY_DATABASE_URL": database_url})


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with three files that become documents, and some that do not."""
    folder = tmp_path / "notes"
    (folder / "trips").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "MEMORY.md").write_text("# Keeper\n\nThe lighthouse keeper is called Ada.\n")
    (folder / "trips" / "norway.txt").write_text("We saw zebras nowhere near the fjord.\n")
    (folder / "trips" / "crlf.md").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    (folder / ".git" / "HEAD.md").write_text("not a note\n")
    (folder / "binary.md").write_bytes(b"x\0y")
    (folder / "latin.md").write_bytes(b"caf\xe9\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "trips" / "loop").symlink_to(folder)
    return folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for an embedded cluster: as root its server's user must be able to enter it."""
    folder = Path(tempfile.mkdtemp(prefix="mcpm-cli-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    EmbeddedCluster(folder / "data").wait_stopped()
    shutil.rmtree(folder)
