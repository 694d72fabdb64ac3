"""`graph`: entities listed, joined and parted; a source revoked, first for show."""

from typing import cast

import anyio
import pytest

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.memory.facts.model import EntityReference, NewFact
from tests.fixtures.program import Program


@pytest.fixture
def told(program: Program, config: Config) -> Program:
    """Two memories, of Bob and of Robert Smith, from a source that may be wrong."""

    async def tell() -> None:
        async with open_app(config) as app:
            for name in ("Bob", "Robert Smith"):
                memory = NewFact(
                    f"{name} came", source="web:gossip", entities=(EntityReference(name, "person"),)
                )
                await app.graph.store(app.session(config.agent), memory)

    anyio.run(tell)
    return program


def _names(program: Program) -> list[tuple[object, object]]:
    listed = program.run("graph", "entities", "--json")
    document = cast("dict[str, list[dict[str, object]]]", listed.document)
    return [(each["name"], each["aliases"]) for each in document["entities"]]


def test_entities_are_joined_and_part_again(told: Program) -> None:
    before = _names(told)
    told.run("graph", "merge", "bob", "Robert Smith")
    assert _names(told) == [("Robert Smith", ["Bob"])]
    told.run("graph", "split", "Robert Smith", "Bob")

    assert sorted(_names(told), key=str) == sorted(before, key=str)


def test_a_source_is_revoked_only_when_it_is_meant(told: Program) -> None:
    said = told.run("graph", "revoke", "web:gossip", "--dry-run").stdout
    assert said == "Would forget 2 memories.\n"
    assert len(_names(told)) == 2
    assert told.run("graph", "revoke", "web:gossip").stdout == "Forgot 2 memories.\n"
    assert _names(told) == []


def test_an_unknown_entity_is_one_line_on_stderr(told: Program) -> None:
    done = told.run("graph", "merge", "Nobody", "Bob")
    assert (done.code, "Nobody" in done.stderr) == (1, True)
    assert "Known: Bob, Robert Smith. " in done.stderr
    assert "makes one" not in done.stderr
    assert "Known: Robert Smith. " in told.run("graph", "merge", "Bob", "Roberd Smith").stderr
