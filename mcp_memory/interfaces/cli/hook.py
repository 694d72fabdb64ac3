"""`mcp-memory hook`: one event of Claude Code, answered without ever being in its way."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import cast

import click

from mcp_memory.config import Config, load
from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces import hooks
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.hooks import EVENTS, SECONDS, Event, open_session

_USUAL_SECONDS = 3.0
_LOG_BYTES = 1_048_576


class OutOfTime(BaseException):
    """The event took as long as it may; nothing below may catch it."""


@click.command()
@click.argument("event", metavar="EVENT")
@click.option("--agent", metavar="NAME", help="The agent to act as; default: the configured one.")
@pass_invocation
def hook(invocation: Invocation, event: str, agent: str | None) -> None:
    """Answer EVENT of Claude Code, which is told on stdin as JSON.

    SessionStart recalls MEMORY.md, or after a compaction the session's thread; UserPromptSubmit
    recalls what mentions the prompt's words, if anything does; Stop and SessionEnd keep what was
    said; PostCompact keeps the client's summary. Nothing is printed but the answer, nothing fails:
    what went wrong is in hook.log in the state folder, and the exit code is 0.

    \b
    Example:
      echo '{"prompt": "what did we decide about backups?"}' | mcp-memory hook UserPromptSubmit
    """
    try:
        answer = _answer(invocation, event, agent)
    except OutOfTime:
        _log(event, "out of time")
    # Whatever it is, the client must not notice: it is logged by its class.
    except Exception as exc:
        _log(event, f"{type(exc).__name__}: {exc}" if _is_ours(exc) else type(exc).__name__)
    else:
        if answer:
            click.echo(answer)


def _answer(invocation: Invocation, name: str, agent: str | None) -> str:
    """The JSON to print, empty for nothing."""
    if name not in EVENTS:
        return ""
    seconds = SECONDS.get(name, _USUAL_SECONDS)
    _set_alarm(seconds)
    event = Event(name, _facts(sys.stdin.buffer.read()), time.monotonic() + seconds)
    config = load(invocation.config_file, os.environ, {"agent": agent})
    context = asyncio.run(_context(config, event, seconds))
    signal.setitimer(signal.ITIMER_REAL, 0)
    if not context:
        return ""
    added = {"hookEventName": name, "additionalContext": context}
    return json.dumps({"hookSpecificOutput": added}, ensure_ascii=False)


async def _context(config: Config, event: Event, seconds: float) -> str:
    async with open_session(config, seconds) as session:
        return await hooks.answer(config, session, event)


def _facts(stdin: bytes) -> Mapping[str, object]:
    facts = cast("object", json.loads(stdin or b"{}"))
    return cast("Mapping[str, object]", facts) if isinstance(facts, dict) else {}


def _set_alarm(seconds: float) -> None:
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime


def _is_ours(exc: Exception) -> bool:
    """Whether its text is free of secrets: drivers quote addresses."""
    return isinstance(exc, McpMemoryError)


def _log(event: str, problem: str) -> None:
    """One line in the state folder, which stays small; without a folder there is none."""
    try:
        folder = _state_folder(os.environ)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / "hook.log"
        mode = "a" if not file.exists() or file.stat().st_size < _LOG_BYTES else "w"
        line = " ".join(f"{event[:40]} {problem}".split())
        with file.open(mode, encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}\n")
    except OSError:
        return


def _state_folder(environ: Mapping[str, str]) -> Path:
    named = Path(environ.get("XDG_STATE_HOME", ""))
    usual = Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return (named if named.is_absolute() else usual) / "mcp-memory"
