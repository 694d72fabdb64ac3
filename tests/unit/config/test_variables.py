"""Settings in variables: their names, their values, and what is not one of them."""

from pathlib import Path

import pytest

from mcp_memory.config import DatabaseUrl, Secret, load
from mcp_memory.errors import ConfigError

URL = "postgresql://me:hunter2@h/db"


def _environ(folder: Path, **variables: str) -> dict[str, str]:
    return {"HOME": str(folder), **variables}


def _refusal(folder: Path, **variables: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(None, _environ(folder, **variables))
    return caught.value


def test_the_five_short_variables_are_taken(tmp_path: Path) -> None:
    config = load(
        None,
        _environ(
            tmp_path,
            MCP_MEMORY_DATABASE_URL=URL,
            MCP_MEMORY_AGENT="Bob",
            MCP_MEMORY_DATA_DIR="~/data",
            MCP_MEMORY_MODEL_DIR="/models",
            MCP_MEMORY_LOG_LEVEL="DEBUG",
        ),
    )
    assert config.database.url == DatabaseUrl(URL)
    assert (config.agent, config.log_level) == ("Bob", "debug")
    assert config.embedded.data_dir == tmp_path / "data"
    assert config.embeddings.model_dir == Path("/models")


def test_long_variables_reach_every_depth_and_are_json_where_the_setting_is_no_text(
    tmp_path: Path,
) -> None:
    config = load(
        None,
        _environ(
            tmp_path,
            MCP_MEMORY__AUTO_CREATE="false",
            MCP_MEMORY__TIMEZONE="Europe/Berlin",
            MCP_MEMORY__HTTP__ALLOWED_HOSTS='["memory.example"]',
            MCP_MEMORY__DATABASES__LIFE__POOL__MAX="3",
            MCP_MEMORY__EMBEDDINGS__API_KEY="12345",
            MCP_MEMORY__EMBEDDINGS__DIMENSIONS="null",
            MCP_MEMORY__WAKE_ROUTES__Bob='{"kind": "webhook", "url": "https://h"}',
            MCP_MEMORY__WAKE_ROUTES__Bob__MIN_PRIORITY="7",
        ),
    )
    assert (config.auto_create, config.timezone) == (False, "Europe/Berlin")
    assert config.http.allowed_hosts == ("memory.example",)
    assert config.databases["life"].pool.max == 3
    assert config.embeddings.api_key == Secret("12345")
    assert config.embeddings.dimensions is None
    assert config.wake_routes["Bob"].min_priority == 7


def test_a_secret_in_a_variable_may_refer_to_another(tmp_path: Path) -> None:
    config = load(
        None,
        _environ(tmp_path, MCP_MEMORY__EMBEDDINGS__API_KEY='{"env": "MINE"}', MINE="k"),
    )
    assert config.embeddings.api_key == Secret("k")


def test_a_secret_that_merely_begins_like_json_is_taken_as_it_is(tmp_path: Path) -> None:
    config = load(None, _environ(tmp_path, MCP_MEMORY__EMBEDDINGS__API_KEY="{k"))
    assert config.embeddings.api_key == Secret("{k")


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("MCP_MEMORY_AGNET", "MCP_MEMORY_AGENT"),
        ("MCP_MEMORY_DATABSE_URL", "MCP_MEMORY_DATABASE_URL"),
        ("MCP_MEMORY_CONFG", "MCP_MEMORY_CONFIG"),
        ("MCP_MEMORY_HTTP_PORT", "MCP_MEMORY__HTTP__PORT"),
        ("MCP_MEMORY__HTTP__PROT", "MCP_MEMORY__HTTP__PORT"),
        ("MCP_MEMORY__HTTP__PORT__", "MCP_MEMORY__HTTP__PORT"),
        ("MCP_MEMORY__AGENT__NAME", "MCP_MEMORY__AGENT"),
        ("MCP_MEMORY__", "MCP_MEMORY_"),
    ],
)
def test_an_unknown_variable_stops_the_start_with_the_nearest_known_one(
    tmp_path: Path, variable: str, near: str
) -> None:
    refusal = _refusal(tmp_path, **{variable: "hunter2"})
    assert refusal.key == variable
    assert near in refusal.problem
    assert "hunter2" not in str(refusal)


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("MCP_MEMORY__HTTP__PORT", "80a", "http.port"),
        ("MCP_MEMORY__HTTP__PORT", '"80"', "http.port"),
        ("MCP_MEMORY__AUTO_CREATE", "yes", "auto_create"),
        ("MCP_MEMORY__SEARCH__MIN_SCORE", "NaN", "search.min_score"),
        ("MCP_MEMORY__SEARCH", "5", "search"),
        ("MCP_MEMORY__SEARCH", "max", "search"),
        ("MCP_MEMORY_DATABASE_URL", "", "database.url"),
        ("MCP_MEMORY_DATABASE_URL", "h/db", "database.url"),
        ("MCP_MEMORY_AGENT", "\udcff", "agent"),
        ("MCP_MEMORY__DATABASES__1ST__URL", URL, "databases.1st"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_variable(
    tmp_path: Path, variable: str, value: str, key: str
) -> None:
    refusal = _refusal(tmp_path, **{variable: value})
    assert (refusal.key, refusal.origin) == (key, variable)


def test_two_variables_for_one_setting_are_refused(tmp_path: Path) -> None:
    refusal = _refusal(tmp_path, MCP_MEMORY_AGENT="a", MCP_MEMORY__AGENT="b")
    assert refusal.key == "agent"
    assert "MCP_MEMORY_AGENT" in str(refusal)


def test_a_variable_below_a_group_that_the_file_misspells_as_text_is_refused_for_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"database": "postgresql://h"}', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, _environ(tmp_path, MCP_MEMORY_DATABASE_URL=URL))
    assert (caught.value.key, caught.value.origin) == ("database", str(file))


def test_variables_of_the_tests_and_of_others_are_nobodys_business(tmp_path: Path) -> None:
    environ = _environ(tmp_path, MCP_MEMORY_TEST_DSN="x", MCP_MEMORYX="y", MEMORY_AGENT="z")
    assert load(None, environ).agent == "default"
