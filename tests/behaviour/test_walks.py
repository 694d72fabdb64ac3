"""How many files of the package one call walks: a stranger has to open each of them."""

import pytest

from lab.trace_files import client_of, walks
from mcp_memory.app import open_app
from tests.fixtures.postgres import MakeConfig

# The goal of the design is 25 for a search, 18 for an append and 10 for the inbox; before the four
# layers it took 49, 40 and 18. These hold what is reached: they only ever get smaller.
MAX_FILES = {
    "memory_search": 36,
    "transcript append": 30,
    "memory_message inbox": 18,
    "memory_message send": 21,
    "memory_message wait": 18,
    "memory_graph_store": 41,
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
        print(f"\nfiles a call walks: {files}")
    assert {name: count for name, count in files.items() if count > MAX_FILES[name]} == {}
