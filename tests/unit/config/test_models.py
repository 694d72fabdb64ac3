"""The settings themselves: defaults, limits, and nothing that can be changed."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mcp_memory.config import Config, DatabaseConfig, PoolConfig, WakeRoute, nearest_database_name
from mcp_memory.errors import ConfigError

DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def test_the_defaults_hold_together() -> None:
    config = Config()
    assert (config.agent, config.default_database, config.database.url) == ("default", "main", None)
    assert config.limits.content_bytes == 1024 * 1024
    assert config.zone().key == "UTC"
    assert config.embedded.data_dir is None
    assert {setting.origin for setting in config.describe()} == {"default"}


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        setattr(Config(), "agent", "mallory")  # noqa: B010 - an assignment would not type-check


def test_the_default_database_and_the_named_ones_take_the_same_settings() -> None:
    config = Config.model_validate({"databases": {"life": {"pool": {"max": 3}}}})
    assert config.databases == {"life": DatabaseConfig(pool=PoolConfig(min=1, max=3))}
    assert type(config.database) is type(config.databases["life"])


@pytest.mark.parametrize("name", ["a", "Z9", "0", "a.b:c-d_e", "a" * 64])
def test_an_agent_name_that_the_contract_allows_is_taken(name: str) -> None:
    assert Config(agent=name).agent == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "é", "a\n", "a" * 65])
def test_any_other_agent_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Config(agent=name)


@pytest.mark.parametrize("name", ["", "Life", "1a", "_a", 'a"; drop', "a/b?x=1", "a" * 49, "a\n"])
def test_a_database_name_that_cannot_be_used_is_refused_with_a_valid_one(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"databases": {name: {}}})
    assert repr(nearest_database_name(name)) in caught.value.errors()[0]["msg"]


@given(name=st.text(alphabet=string.printable + "éЖ字🎉", max_size=80))
def test_the_nearest_database_name_is_always_valid(name: str) -> None:
    assert DATABASE_NAME.fullmatch(nearest_database_name(name))


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "."])
def test_a_time_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError):
        Config(timezone=zone)


def test_a_pool_that_keeps_more_than_it_allows_is_refused() -> None:
    with pytest.raises(ValidationError):
        PoolConfig(min=5, max=4)


@pytest.mark.parametrize(
    "route",
    [
        {"kind": "webhook"},
        {"kind": "openclaw-wake", "command": ["wake"]},
        {"kind": "command"},
        {"kind": "command", "command": ["wake"], "url": "https://h"},
        {"kind": "pigeon", "url": "https://h"},
        {"kind": "webhook", "url": "https://h", "min_priority": 11},
    ],
)
def test_a_wake_route_without_exactly_its_own_target_is_refused(route: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WakeRoute.model_validate(route)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "schl\u00fcssel", "a\x7f"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token: str) -> None:
    route = {"kind": "openclaw-wake", "url": "https://h", "token": token}
    with pytest.raises(ConfigError) as caught:
        Config().wake_route(route)

    assert token not in str(caught.value)
    # A key is only signed with.
    assert WakeRoute.model_validate(route | {"kind": "webhook"}).token is not None


@pytest.mark.parametrize("toolsets", [[], ["graph", "graph"], ["telepathy"]])
def test_toolsets_are_known_different_and_at_least_one(toolsets: list[str]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"toolsets": toolsets})
