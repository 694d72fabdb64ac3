"""Apps whose vectors come from a real endpoint that a test controls."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.provider import Provider, providing

MakeSettings = Callable[..., Config]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The endpoint that this test's vectors come from."""
    with providing() as running:
        yield running


@pytest.fixture
def with_model(make_config: MakeConfig, provider: Provider) -> MakeSettings:
    """Makes a configuration for one of the endpoint's models."""

    def make(model: str = "small", **keys: object) -> Config:
        return make_config(
            embeddings={
                "provider": "openai",
                "model": model,
                "base_url": provider.base_url,
                "timeout_seconds": 0.5,
            }
            | keys
        )

    return make


@pytest.fixture
def config(with_model: MakeSettings) -> Config:
    """This test's database with the model `small`."""
    return with_model()


@pytest.fixture
def hashing(make_config: MakeConfig) -> Config:
    """This test's database with the offline vectors."""
    return make_config(embeddings={"provider": "hashing"})


@pytest.fixture
async def other(config: Config) -> AsyncIterator[App]:
    """A second process's app on the same database."""
    async with open_app(config) as opened:
        yield opened
