"""Memories are read with the offline hashing vectors, whatever is installed here."""

import pytest

from mcp_memory.config import Config
from tests.fixtures.postgres import MakeConfig


@pytest.fixture
def config(make_config: MakeConfig) -> Config:
    """This test's database, and vectors that are the same on every machine."""
    return make_config(embeddings={"provider": "hashing"})
