"""Telling a whole install from a partial one."""

from pathlib import Path

import pytest

from mcp_memory.vectors.providers.minilm_files import (
    FILES,
    MANIFEST,
    is_installed,
    is_intact,
    model_folder,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks installed; what the files hold does not matter here."""
    folder = model_folder(tmp_path)
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    write_manifest(folder, converter="none")
    return folder


def test_all_files_and_a_manifest_are_an_install(folder: Path):
    assert is_installed(folder.parent)
    assert is_intact(folder)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_no_install(folder: Path, name: str):
    (folder / name).unlink()

    assert not is_installed(folder.parent)


def test_a_short_file_is_no_install(folder: Path):
    (folder / "model.bin").write_bytes(b"mod")

    assert not is_installed(folder.parent)


def test_changed_bytes_are_found_by_the_thorough_look(folder: Path):
    (folder / "model.bin").write_bytes(b"MODEL.BIN")

    assert is_installed(folder.parent)
    assert not is_intact(folder)


@pytest.mark.parametrize("old", ['"layout": 1', '"model.bin"'])
def test_a_manifest_of_another_layout_is_no_install(folder: Path, old: str):
    manifest = folder / MANIFEST
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace(old, old.replace("1", "0").replace("bin", "old"), 1))

    assert not is_installed(folder.parent)


def test_an_empty_folder_for_models_is_no_install(tmp_path: Path):
    assert not is_installed(tmp_path)
