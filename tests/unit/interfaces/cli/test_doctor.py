"""`doctor`: its exit code, and that what it says can be acted on."""

import os
import sys
from pathlib import Path
from typing import cast

import psycopg
import pytest

from mcp_memory.interfaces.cli.checks import check_disk, check_packages, check_python
from tests.fixtures.program import Program

CHECKS = [
    "python",
    "packages",
    "settings",
    "timezone",
    "tokens",
    "embeddings",
    "server",
    "clock",
    "database",
    "pgvector",
    "isolation",
    "migrations",
    "writing",
    "index",
    "listening",
]


def _findings(program: Program, *options: str, **variables: str) -> dict[str, dict[str, str]]:
    ended = program.run("doctor", "--json", *options, **variables)
    found = cast("list[dict[str, str]]", ended.document)
    assert ended.code == (1 if any(each["state"] == "problem" for each in found) else 0)
    return {each["check"]: each for each in found}


def _problems(findings: dict[str, dict[str, str]]) -> list[str]:
    return [name for name, finding in findings.items() if finding["state"] == "problem"]


def test_all_is_well_on_a_good_database(program: Program) -> None:
    findings = _findings(program)
    assert list(findings) == CHECKS
    assert _problems(findings) == []


def test_an_unreachable_server_is_a_problem_with_a_mend_and_no_password(bare: Program) -> None:
    url = "postgresql://u:s3cret@127.0.0.1:1/x"
    ended = bare.spawn("doctor", MCP_MEMORY_DATABASE_URL=url)
    assert ended.code == 1
    said = [line.split("\t") for line in ended.stdout.splitlines()]
    assert [check for state, check, _ in said if state == "problem"] == ["server"]
    (mend,) = [words for state, check, words in said if (state, check) == ("mend", "server")]
    assert "database.url" in mend
    assert "s3cret" not in ended.stdout + ended.stderr


def test_a_bad_setting_is_a_problem_and_not_a_crash(bare: Program) -> None:
    findings = _findings(bare, MCP_MEMORY_AGNET="ada")
    assert _problems(findings) == ["settings"]
    assert "MCP_MEMORY_AGENT" in findings["settings"]["what"]


def test_a_model_that_is_not_there_is_a_warning_with_a_mend(program: Program) -> None:
    findings = _findings(
        program,
        MCP_MEMORY__EMBEDDINGS__PROVIDER="minilm",
        MCP_MEMORY_MODEL_DIR="/nowhere/to/be/found",
    )
    assert findings["embeddings"]["state"] == "warning"
    assert "embeddings.provider" in findings["embeddings"]["mend"]
    assert _problems(findings) == []


def test_notifications_that_go_elsewhere_are_a_problem_with_a_mend(
    program: Program, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.postgres.diagnosis._HEARD_SECONDS", 0.3)
    findings = _findings(program, MCP_MEMORY__DATABASE__LISTEN_URL=server_url)
    assert _problems(findings) == ["listening"]
    assert "database.listen_url" in findings["listening"]["mend"]


def test_a_replica_that_nothing_is_read_from_is_a_warning(
    program: Program, database_url: str
) -> None:
    with_replica = {"MCP_MEMORY__DATABASE__READ_URL": database_url}
    findings = _findings(program, **with_replica)
    assert findings["replica"]["state"] == "warning"
    searched = program.spawn("search", "anything", **with_replica)
    assert (searched.code, "read_url is not used" in searched.stderr) == (0, True)


def test_looking_creates_and_migrates_nothing(bare: Program, empty_database_url: str) -> None:
    findings = _findings(bare, MCP_MEMORY_DATABASE_URL=empty_database_url)
    assert _problems(findings) == []
    assert "not created yet" in findings["database"]["what"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(empty_database_url)


def test_a_newer_database_is_a_problem(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "INSERT INTO mcp_memory.migrations (number, name, sha256) VALUES"
            " ((SELECT max(number) + 1 FROM mcp_memory.migrations), 'later', 'x')"
        )
    assert _problems(_findings(program)) == ["migrations"]


@pytest.mark.slow
def test_the_embedded_server_is_started_and_looked_at(bare: Program, place: Path) -> None:
    findings = _findings(bare, MCP_MEMORY_DATA_DIR=str(place / "data"))
    assert _problems(findings) == []
    assert str(place / "data") in findings["embedded"]["what"]


@pytest.mark.slow
def test_a_data_folder_that_cannot_be_used_is_a_problem(bare: Program, place: Path) -> None:
    file = place / "file"
    file.write_text("in the way")
    findings = _findings(bare, MCP_MEMORY_DATA_DIR=str(file))
    assert "embedded" in _problems(findings)
    assert "MCP_MEMORY_DATA_DIR" in findings["embedded"]["mend"]


def test_this_machine_can_run_it() -> None:
    assert (check_python().state, check_packages().state) == ("ok", "ok")


def test_the_disk_is_that_of_the_folder_to_be_made(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "not" / "yet").what.endswith(os.fspath(tmp_path / "not" / "yet"))


def test_a_stranger_of_the_same_package_name_is_a_warning_with_a_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = tmp_path / "mcp_memory-0.1.0.dev2.dist-info"
    stranger.mkdir()
    (stranger / "METADATA").write_text("Name: mcp-memory\nVersion: 0.1.0.dev2\n", "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    finding = check_packages()

    assert finding.state == "warning"
    assert "pip uninstall mcp-memory," in finding.mend
