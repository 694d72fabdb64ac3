"""`mcp-memory embeddings`: another model, seen, added, filled, compared, switched to and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.fixtures.program import Ended, Program
from tests.fixtures.provider import Provider, providing


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as running:
        yield running


@pytest.fixture
def hashing(program: Program, provider: Provider, notes: Path) -> Program:
    """The program on a database with three documents and offline vectors."""
    variables = {
        "MCP_MEMORY__EMBEDDINGS__PROVIDER": "hashing",
        "MCP_MEMORY__EMBEDDINGS__BASE_URL": provider.base_url,
    }
    ready = Program({**program.environ, **variables})
    assert ready.run("index", str(notes)).code == 0
    return ready


def document(ended: Ended) -> dict[str, list[dict[str, object]]]:
    assert ended.code == 0, ended.stderr
    return cast("dict[str, list[dict[str, object]]]", ended.document)


def spaces(program: Program) -> list[tuple[object, ...]]:
    """Provider, model, state, vectors, pending and failed of each space."""
    shown = document(program.run("embeddings", "status", "--json"))["spaces"]
    keys = ("provider", "model", "state", "vectors", "pending", "failed")
    return [tuple(each[key] for key in keys) for each in shown]


def test_status_shows_the_space_and_what_searches_use(hashing: Program) -> None:
    ended = hashing.run("embeddings", "status")
    assert ended.code == 0
    assert "hashing/hashing-v1\t384\tactive\t3\t0\t0" in ended.stdout
    assert "Its searches use both." in ended.stdout
    shown = document(hashing.run("embeddings", "status", "--json"))
    assert shown["this_process"] == {
        "configured": "hashing",
        "model": "hashing/hashing-v1",
        "semantic_search": True,
        "problem": "",
    }


def test_another_model_is_added_compared_activated_left_and_dropped(
    hashing: Program, tmp_path: Path
) -> None:
    added = hashing.run("embeddings", "add", "openai/large")
    assert (added.code, added.stdout) == (0, "openai/large (12) is space 2, full.\n")
    assert spaces(hashing) == [
        ("hashing", "hashing-v1", "active", 3, 0, 0),
        ("openai", "large", "full", 3, 0, 0),
    ]

    queries = tmp_path / "queries.txt"
    queries.write_text("lighthouse keeper\n\nzebras\n", encoding="utf-8")
    compared = document(
        hashing.run(
            "embeddings", "activate", "large", "--compare", str(queries), "--dry-run", "--json"
        )
    )
    assert [each["query"] for each in compared["compared"]] == ["lighthouse keeper", "zebras"]
    assert compared["activated"] is False
    assert spaces(hashing)[0][2] == "active"

    activated = hashing.run("embeddings", "activate", "large", "--queries", "2")
    assert activated.code == 0
    assert "overlap@10 over 2 queries: 1.00" in activated.stdout
    assert [each[2] for each in spaces(hashing)] == ["full", "active"]
    shown = hashing.run("embeddings", "status").stdout
    assert "Its searches use words alone" in shown
    assert "openai/large (12)" in shown

    assert hashing.run("embeddings", "drop", "2", "--yes").code == 1
    assert hashing.run("embeddings", "activate", "hashing").code == 0
    assert hashing.run("embeddings", "drop", "2", "--yes").stdout == "openai/large (12) is gone.\n"
    assert spaces(hashing) == [("hashing", "hashing-v1", "active", 3, 0, 0)]


def test_a_space_that_is_only_queued_is_not_activated_before_a_backfill(hashing: Program) -> None:
    assert hashing.run("embeddings", "add", "openai/small", "--no-fill").code == 0
    assert spaces(hashing)[1] == ("openai", "small", "filling", 0, 3, 0)
    refused = hashing.run("embeddings", "activate", "small")
    assert refused.code == 1
    assert "backfill" in refused.stderr
    assert refused.stderr.count("\n") == 1

    filled = hashing.run("embeddings", "backfill", "small")
    assert filled.stdout == "openai/small (8): 3 embedded.\n"
    assert hashing.run("embeddings", "activate", "small").code == 0


def test_a_poisonous_text_is_shown_as_failed_and_retried_on_demand(
    hashing: Program, provider: Provider
) -> None:
    provider.poison = "zebras"
    assert hashing.run("embeddings", "add", "openai/small").code == 0
    assert spaces(hashing)[1][3:] == (2, 0, 1)
    assert "zebras is not food" in hashing.run("embeddings", "status").stdout

    provider.poison = ""
    assert hashing.run("embeddings", "backfill", "small").stdout.endswith(": 0 embedded.\n")
    assert hashing.run("embeddings", "backfill", "small", "--retry-failed").code == 0
    assert spaces(hashing)[1][3:] == (3, 0, 0)


def test_an_unknown_space_or_model_is_one_line_that_names_those_there_are(
    hashing: Program,
) -> None:
    unknown = hashing.run("embeddings", "activate", "nonesuch")
    assert (unknown.code, unknown.stderr.count("\n")) == (1, 1)
    assert "1 = hashing/hashing-v1 (384)" in unknown.stderr
    misspelt = hashing.run("embeddings", "add", "minilmm")
    assert misspelt.code == 1
    assert "'minilm'" in misspelt.stderr


def test_dropping_without_yes_and_without_a_terminal_is_a_usage_error(hashing: Program) -> None:
    assert hashing.run("embeddings", "drop", "hashing").code == 2
    assert hashing.run("embeddings", "activate", "hashing", "--dry-run").code == 2


def test_the_local_model_is_installed_once_and_then_is_what_auto_uses(
    program: Program, minilm_dir: Path
) -> None:
    here = Program({**program.environ, "MCP_MEMORY_MODEL_DIR": str(minilm_dir)})
    installed = here.run("embeddings", "install")
    assert installed.code == 0
    assert str(minilm_dir) in installed.stdout
    assert "so minilm/all-MiniLM-L6-v2" in here.run("embeddings", "status").stdout
    elsewhere = here.run("embeddings", "status", MCP_MEMORY_MODEL_DIR=str(minilm_dir / "none"))
    assert "mcp-memory embeddings install" in elsewhere.stdout
