"""Loading: which file, who wins, and what a mistake is answered with."""

import json
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.config import Config, Secret, load
from mcp_memory.config.variables import Group, shape_at
from mcp_memory.errors import ConfigError

PASSWORD = "hunter2"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / ".config" / "mcp-memory").mkdir(parents=True)
    return folder


def _written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _refusal(document: object, folder: Path, **environ: str) -> ConfigError:
    file = _written(folder / "refused.json", document)
    with pytest.raises(ConfigError) as caught:
        load(file, {"HOME": str(folder), **environ})
    return caught.value


def _origin(config: Config, key: str) -> str:
    return next(setting.origin for setting in config.describe() if setting.key == key)


def test_without_any_file_the_defaults_hold(home: Path) -> None:
    config = load(None, {"HOME": str(home)})
    assert config.agent == "default"
    assert config.embedded.data_dir is None
    assert config.embeddings.model_dir == home / ".cache/mcp-memory/models"


def test_the_users_file_gives_way_to_the_named_one_and_that_to_the_option(home: Path) -> None:
    usual = _written(home / ".config/mcp-memory/config.json", {"agent": "usual"})
    named = _written(home / "named.json", {"agent": "named"})
    given_file = _written(home / "given.json", {"agent": "given"})
    environ = {"HOME": str(home)}
    with_variable = {**environ, "MCP_MEMORY_CONFIG": str(named)}
    found = [load(None, environ), load(None, with_variable), load(given_file, with_variable)]
    assert [config.agent for config in found] == ["usual", "named", "given"]
    assert [_origin(config, "agent") for config in found] == [
        str(usual),
        str(named),
        str(given_file),
    ]


def test_a_file_of_the_current_folder_is_never_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config.json", "mcp-memory.json", ".mcp-memory.json"):
        _written(tmp_path / name, {"agent": "stranger"})
    (tmp_path / ".config/mcp-memory").mkdir(parents=True)
    _written(tmp_path / ".config/mcp-memory/config.json", {"agent": "stranger"})
    monkeypatch.chdir(tmp_path)
    assert load(None, {"HOME": str(home)}).agent == "default"


def test_a_file_that_was_asked_for_must_exist(home: Path) -> None:
    missing = home / "missing.json"
    with pytest.raises(ConfigError) as by_option:
        load(missing, {"HOME": str(home)})
    with pytest.raises(ConfigError) as by_variable:
        load(None, {"HOME": str(home), "MCP_MEMORY_CONFIG": str(missing)})
    assert (by_option.value.origin, by_variable.value.origin) == (str(missing), str(missing))


def test_an_empty_file_variable_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"HOME": str(home), "MCP_MEMORY_CONFIG": ""})
    assert caught.value.key == "MCP_MEMORY_CONFIG"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"agent"',
        '{"agent": "a", "agent": "b"}',
        '{"http": {"port": 1, "port": 2}}',
        '{"search": {"min_score": NaN}}',
        '{"agent": "\\ud800"}',
    ],
)
def test_a_file_that_is_no_plain_json_object_is_refused(home: Path, text: str) -> None:
    file = home / "broken.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {"HOME": str(home)})
    assert caught.value.origin == str(file)


def test_a_folder_or_bytes_in_the_files_place_are_refused(home: Path) -> None:
    binary = home / "binary.json"
    binary.write_bytes(b"\xff\xfe{}")
    for place in (home, binary):
        with pytest.raises(ConfigError) as caught:
            load(place, {"HOME": str(home)})
        assert caught.value.origin == str(place)


def test_a_variable_wins_over_the_file_and_an_option_over_both(home: Path) -> None:
    file = _written(home / "c.json", {"http": {"host": "::1", "port": 1}, "agent": "file"})
    environ = {"HOME": str(home), "MCP_MEMORY__HTTP__PORT": "2", "MCP_MEMORY_AGENT": "variable"}
    config = load(file, environ, {"http.port": 3, "agent": None})
    assert (config.http.host, config.http.port, config.agent) == ("::1", 3, "variable")
    assert [_origin(config, key) for key in ("http.host", "http.port", "agent")] == [
        str(file),
        "command line",
        "MCP_MEMORY_AGENT",
    ]


@pytest.mark.parametrize(
    ("document", "key", "near"),
    [
        ({"agnet": "a"}, "agnet", "agent"),
        ({"http": {"prot": 1}}, "http.prot", "port"),
        ({"database": {"pool": {"maximum": 1}}}, "database.pool.maximum", "max"),
        ({"databases": {"life": {"ulr": "x"}}}, "databases.life.ulr", "url"),
        (
            {"wake_routes": {"bob": {"kind": "webhook", "tokn": "x"}}},
            "wake_routes.bob.tokn",
            "token",
        ),
        ({"base_url": "https://h"}, "base_url", "database"),
        ({"recovery_days": 3}, "recovery_days", "recovery_days"),
        ({"zzzzzz": 1}, "zzzzzz", "wake_routes"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    tmp_path: Path, document: object, key: str, near: str
) -> None:
    refusal = _refusal(document, tmp_path)
    assert (refusal.key, refusal.origin) == (key, str(tmp_path / "refused.json"))
    assert near in refusal.problem


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"agent": 5}, "agent"),
        ({"agent": "a b"}, "agent"),
        ({"auto_create": "yes"}, "auto_create"),
        ({"auto_create": 1}, "auto_create"),
        ({"http": {"port": "8720"}}, "http.port"),
        ({"http": {"port": True}}, "http.port"),
        ({"http": {"port": 65_536}}, "http.port"),
        ({"http": 8720}, "http"),
        ({"databases": []}, "databases"),
        ({"databases": {"Life": {}}}, "databases.Life"),
        ({"databases": {"life": {"pool": {"min": 3, "max": 2}}}}, "databases.life.pool"),
        ({"wake_routes": {"bob": {"url": "https://h"}}}, "wake_routes.bob.kind"),
        ({"search": {"min_score": 1.5}}, "search.min_score"),
        ({"embedded": {"data_dir": "relative"}}, "embedded.data_dir"),
        ({"embeddings": {"provider": "openia"}}, "embeddings.provider"),
        ({"toolsets": ["graph", "grph"]}, "toolsets.1"),
        ({"timezone": "Europe/Berln"}, "timezone"),
        ({"database": {"url": 5}}, "database.url"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_file(
    tmp_path: Path, document: object, key: str
) -> None:
    refusal = _refusal(document, tmp_path)
    assert (refusal.key, refusal.origin) == (key, str(tmp_path / "refused.json"))


def test_a_bad_choice_names_the_nearest_one(tmp_path: Path) -> None:
    refusal = _refusal({"embeddings": {"provider": "openia"}}, tmp_path)
    assert "Did you mean 'openai'?" in refusal.problem


@pytest.mark.parametrize(
    "document",
    [
        {"database": {"url": f"mysql://me:{PASSWORD}@h/db"}},
        {"database": {"url": [PASSWORD]}},
        {"database": f"postgres://me:{PASSWORD}@h/db"},
        {"embeddings": {"api_key": {"env": "ABSENT", "key": PASSWORD}}},
        {"embeddings": {"api_key": PASSWORD, "dimensions": 0}},
        {"wake_routes": {"bob": {"kind": "webhook", "token": PASSWORD}}},
        {"embeddings": {"api_key": f"{PASSWORD}\0"}},
    ],
)
def test_no_refusal_shows_a_secret_or_pydantics_pages_not_even_in_its_traceback(
    tmp_path: Path, document: object
) -> None:
    refusal = _refusal(document, tmp_path)
    told = "".join(traceback.format_exception(refusal))
    assert PASSWORD not in told
    assert "pydantic.dev" not in str(refusal)


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    by_variable = _refusal({"embeddings": {"api_key": {"env": "ABSENT"}}}, tmp_path)
    by_file = _refusal({"embeddings": {"api_key": {"file": "~/absent"}}}, tmp_path)
    assert (by_variable.key, by_file.key) == ("embeddings.api_key", "embeddings.api_key")
    assert "ABSENT" in by_variable.problem
    assert str(tmp_path / "absent") in by_file.problem


def test_a_secret_may_come_from_any_variable_even_one_that_looks_like_ours(home: Path) -> None:
    file = _written(home / "c.json", {"embeddings": {"api_key": {"env": "MCP_MEMORY_MY_KEY"}}})
    config = load(file, {"HOME": str(home), "MCP_MEMORY_MY_KEY": PASSWORD})
    assert config.embeddings.api_key == Secret(PASSWORD)
    assert _origin(config, "embeddings.api_key") == str(file)


def test_describing_a_configuration_shows_no_secret(home: Path) -> None:
    document = {
        "database": {"url": f"postgresql://me:{PASSWORD}@h/db"},
        "databases": {"life": {"read_url": f"postgresql://h/db?password={PASSWORD}"}},
        "embeddings": {"api_key": PASSWORD, "base_url": f"https://me:{PASSWORD}@h/v1"},
        "wake_routes": {"bob": {"kind": "webhook", "url": "https://h", "token": PASSWORD}},
    }
    config = load(_written(home / "c.json", document), {"HOME": str(home)})
    values = {setting.key: setting.value for setting in config.describe()}
    assert PASSWORD not in json.dumps(values)
    assert PASSWORD not in repr(config)
    assert values["database.url"] == "postgresql://me:***@h/db"
    assert values["wake_routes.bob.token"] == "***"


def test_folders_follow_the_xdg_variables_when_they_are_absolute(home: Path) -> None:
    relative = load(None, {"HOME": str(home), "XDG_CACHE_HOME": "cache"})
    absolute = load(None, {"HOME": str(home), "XDG_CACHE_HOME": "/cache"})
    assert relative.embeddings.model_dir == home / ".cache/mcp-memory/models"
    assert absolute.embeddings.model_dir == Path("/cache/mcp-memory/models")


def test_an_empty_group_in_the_file_changes_nothing(home: Path) -> None:
    file = _written(home / "c.json", {"embedded": {}, "database": {"pool": {}}, "http": {}})
    assert load(file, {"HOME": str(home)}).describe() == load(None, {"HOME": str(home)}).describe()


def test_a_group_in_a_variable_takes_the_place_of_the_files(home: Path) -> None:
    file = _written(home / "c.json", {"search": {"max_results": 9, "min_score": 0.5}})
    environ = {"HOME": str(home), "MCP_MEMORY__SEARCH": '{"max_results": 3}'}
    search = load(file, environ).search
    assert (search.max_results, search.min_score) == (3, Config().search.min_score)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def _top_level_names() -> list[str]:
    shape = shape_at(())
    assert isinstance(shape, Group)
    return list(shape.keys)


@given(document=st.dictionaries(st.sampled_from(_top_level_names()), _JSON, max_size=3))
def test_any_document_is_taken_or_refused_with_its_file(
    tmp_path_factory: pytest.TempPathFactory, document: Mapping[str, object]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = _written(folder / "any.json", document)
    try:
        load(file, {"HOME": str(folder)})
    except ConfigError as refusal:
        assert refusal.origin == str(file)
