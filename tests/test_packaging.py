"""The wheel: what it holds, and that nothing else slips in."""

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Every file of the wheel that is made from the sdist: that proves the sdist whole, too."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _below(wheel: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {name[len(prefix) :]: text for name, text in wheel.items() if name.startswith(prefix)}


def test_the_migrations_are_in_the_wheel_byte_for_byte(wheel: Mapping[str, bytes]) -> None:
    folder = ROOT / "migrations"
    ours = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.*")}
    assert ours
    assert _below(wheel, "mcp_memory/migrations/") == ours


def test_the_example_configuration_is_in_the_wheel(wheel: Mapping[str, bytes]) -> None:
    example = (ROOT / "config.example.json").read_bytes()
    assert wheel["mcp_memory/config.example.json"] == example


def test_every_module_is_in_the_wheel_and_nothing_beside_the_package(
    wheel: Mapping[str, bytes],
) -> None:
    modules = {file.relative_to(ROOT).as_posix() for file in ROOT.glob("mcp_memory/**/*.py")}
    assert modules == {name for name in wheel if name.endswith(".py")}
    tops = {name.split("/")[0].split("-")[0] for name in wheel}
    # The package, and the metadata of its distribution.
    assert tops == {"mcp_memory", "mcp_memory_postgres"}


def test_the_wheel_is_typed_licensed_and_has_its_commands(wheel: Mapping[str, bytes]) -> None:
    assert "mcp_memory/py.typed" in wheel
    metadata = {Path(name).name: text for name, text in wheel.items() if ".dist-info/" in name}
    assert metadata["LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert metadata["time_words.LICENSE"] == wheel["mcp_memory/text/time_words.LICENSE"]
    scripts = metadata["entry_points.txt"].decode().split("\n")
    assert "mcp-memory = mcp_memory.interfaces.cli:main" in scripts
    assert "mcp-memory-postgres = mcp_memory.interfaces.cli:main" in scripts
