"""How many files of the package one call walks: a stranger has to open each of them."""

import pytest

from lab.trace_files import client_of, walks
from mcp_memory.app import open_app
from tests.fixtures.postgres import MakeConfig

# The design asks for 25 for a search, 18 for an append and 10 for the inbox. These hold what is
# reached: they only ever get smaller.
MAX_FILES = {
    "memory_search": 25,
    "transcript append": 18,
    "memory_message inbox": 10,
    "memory_message send": 14,
    "memory_message wait": 10,
    "memory_graph_store": 34,
}


async def test_a_call_walks_no_more_files_than_its_budget(
    make_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    hashing = {"provider": "hashing"}
    async with (
        open_app(make_config(agent="ada", embeddings=hashing)) as ada,
        open_app(make_config(agent="ben", embeddings=hashing)) as ben,
        client_of(ada) as client,
        client_of(ben) as other,
    ):
        files = {name: len(walk.files) for name, walk in (await walks(client, other)).items()}

    with capsys.disabled():
        print(f"\nfiles a call walks: {files}")  # noqa: T201 - the figures are part of the result
    assert {name: count for name, count in files.items() if count > MAX_FILES[name]} == {}
