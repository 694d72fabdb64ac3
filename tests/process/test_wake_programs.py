"""A program that wakes an agent: what it is told, and that none outlives its time."""

import json
import sys
from pathlib import Path

import pytest

from mcp_memory.config import WakeRoute
from mcp_memory.memory.mail.wake.client import RouteClient
from mcp_memory.memory.mail.wake.cue import Cue
from mcp_memory.memory.mail.wake.model import Outcome, QueuedMessage
from mcp_memory.memory.mail.wake.targets import Targets
from tests.fixtures.processes import until_ended

CUE = Cue("bob", [QueuedMessage(4, "alice", 5, "", "text")])
TELL = """
import json, os, sys
told = {"stdin": json.load(sys.stdin), "argv": sys.argv[2:]}
told["environ"] = {n: v for n, v in os.environ.items() if n.startswith("MCP_MEMORY_")}
print("not for the protocol")
open(sys.argv[1], "w").write(json.dumps(told))
"""
# Its child is in the same group, and would outlive it.
STAY = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
time.sleep(600)
"""


def route(*command: str, seconds: float = 20) -> WakeRoute:
    document = {"kind": "command", "command": command, "timeout_seconds": seconds}
    return WakeRoute.model_validate(document)


async def ring(chosen: WakeRoute) -> Outcome:
    return await RouteClient().wake(chosen, Targets.of_own(chosen), CUE, key="k", attempt=1)


async def test_it_is_told_who_has_mail_and_no_shell_reads_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MCP_MEMORY_DATABASE_URL", "postgresql://u:password@h/d")
    file = tmp_path / "told"

    attempt = await ring(route(sys.executable, "-c", TELL, str(file), "$(id)", "; rm -rf x"))

    assert attempt == Outcome()
    told = json.loads(file.read_text())
    assert told["argv"] == ["$(id)", "; rm -rf x"]
    assert told["stdin"]["message_ids"] == ["4"]
    assert told["environ"] == {
        "MCP_MEMORY_WAKE_AGENT": "bob",
        "MCP_MEMORY_WAKE_CUE": told["stdin"]["cue"],
        "MCP_MEMORY_WAKE_KEY": "k",
        "MCP_MEMORY_WAKE_MESSAGES": "1",
    }
    assert capfd.readouterr().out == ""


async def test_one_that_fails_or_does_not_exist_or_does_not_read_is_told_apart() -> None:
    assert await ring(route(sys.executable, "-c", "raise SystemExit(3)")) == Outcome(
        "the program ended with code 3"
    )
    assert await ring(route("/nonexistent/program")) == Outcome(
        "the program cannot be started: No such file or directory", is_refusal=True
    )
    assert await ring(route("true")) == Outcome()


async def test_at_its_time_limit_it_is_killed_with_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pids"

    attempt = await ring(route(sys.executable, "-c", STAY, str(file), seconds=2))

    assert attempt == Outcome("no answer within 2 s")
    await until_ended(*map(int, file.read_text().split()))
