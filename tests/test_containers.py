"""The container files, as far as they can be checked without an engine."""

import json
import re
from pathlib import Path
from typing import cast

import click
import pytest
import yaml

from mcp_memory.config import Config
from mcp_memory.config.variables import SHORT_VARIABLES
from mcp_memory.interfaces.cli import main

ROOT = Path(__file__).parents[1]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
INSTRUCTIONS = [
    (word, rest)
    for word, _, rest in (line.partition(" ") for line in DOCKERFILE.splitlines())
    if word.isupper()
]


def _last(word: str) -> str:
    return [rest for found, rest in INSTRUCTIONS if found == word][-1]


def _listed(text: str) -> list[str]:
    return cast("list[str]", json.loads(text))


def _services() -> dict[str, dict[str, object]]:
    document = cast("object", yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8")))
    return cast("dict[str, dict[str, dict[str, object]]]", document)["services"]


def test_every_instruction_is_one_that_there_is() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in INSTRUCTIONS} == known


def test_what_is_copied_is_there_and_is_not_ignored() -> None:
    kept = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    copies = [rest.split() for word, rest in INSTRUCTIONS if word == "COPY"]
    sources = {name for words in copies if "--from" not in words[0] for name in words[:-1]}
    assert sources == kept
    assert [name for name in sources if not (ROOT / name).exists()] == []


def test_it_does_not_run_as_root() -> None:
    assert _last("USER") == "memory"
    assert INSTRUCTIONS.index(("USER", "memory")) < len(INSTRUCTIONS) - 1


def test_the_command_is_one_that_the_program_takes() -> None:
    assert _listed(_last("ENTRYPOINT")) == ["mcp-memory"]
    name, *options = _listed(_last("CMD"))
    command = main.get_command(click.Context(main), name)
    assert command is not None
    context = command.make_context(name, options)
    assert context.params["transport"] == "streamable-http"
    assert str(context.params["port"]) == _last("EXPOSE") == str(Config().http.port)


def test_the_health_check_asks_the_port_that_is_served() -> None:
    _, _, program = _last("HEALTHCHECK").partition("CMD ")
    python, option, code = _listed(program)
    assert (python, option) == ("python", "-c")
    compile(code, "Dockerfile", "exec")
    assert f"127.0.0.1:{Config().http.port}/healthz" in code


def test_compose_runs_our_image_on_a_postgresql_with_pgvector() -> None:
    services = _services()
    assert services["database"]["image"] == "pgvector/pgvector:pg18"
    assert services["memory"]["build"] == "."
    assert services["memory"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["memory"]["ports"] == ["127.0.0.1:8720:8720"]


def test_compose_gives_only_variables_that_are_known_and_no_password() -> None:
    environment = cast("dict[str, str]", _services()["memory"]["environment"])
    ours = {name for name in environment if name.startswith("MCP_MEMORY_")}
    assert ours <= set(SHORT_VARIABLES)
    for name in ("MCP_MEMORY_DATABASE_URL", "PGPASSWORD"):
        assert re.search(r":[^/@$]+@", environment[name]) is None
    assert environment["PGPASSWORD"].startswith("${")


@pytest.mark.parametrize("service", ["database", "memory"])
def test_every_service_has_only_keys_that_compose_knows(service: str) -> None:
    known = {"image", "build", "environment", "volumes", "healthcheck", "ports", "depends_on"}
    assert set(_services()[service]) <= known | {"restart"}
