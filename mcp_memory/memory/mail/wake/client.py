"""The client that wakes by a route, each kind in its own way, or tries a route without waking."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import assert_never
from uuid import uuid4

import anyio
from anyio.abc import Process

from mcp_memory.config import WakeRoute
from mcp_memory.memory.mail.wake import cue as wake_cue
from mcp_memory.memory.mail.wake import webhook
from mcp_memory.memory.mail.wake.cue import Cue
from mcp_memory.memory.mail.wake.model import Outcome
from mcp_memory.memory.mail.wake.targets import Targets
from mcp_memory.memory.mail.wake.webhook import Answer, Poster, outcome_of

_OURS = "MCP_MEMORY_"


async def run(command: Sequence[str], cue: bytes, variables: Mapping[str, str]) -> Outcome:
    """Run it to its end; a cancelled caller leaves nothing of it running."""
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**_clean_environment(), **variables},
        )
    except OSError as exc:
        return Outcome(f"the program cannot be started: {exc.strerror}", is_refusal=True)
    try:
        await _tell(process, cue)
        code = await process.wait()
    finally:
        await _end(process)
    return Outcome() if code == 0 else Outcome(f"the program ended with code {code}")


def _clean_environment() -> dict[str, str]:
    """The environment without our settings, which may hold a password."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


async def _tell(process: Process, cue: bytes) -> None:
    assert process.stdin is not None
    # A program need not read what it is sent.
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        await process.stdin.send(cue)
    with suppress(anyio.BrokenResourceError, OSError):
        await process.stdin.aclose()


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await process.aclose()


KEY_HEADER, ATTEMPT_HEADER = "Idempotency-Key", "X-MCP-Memory-Attempt"
_HOOK_PATHS = {"openclaw-wake": "/hooks/wake", "openclaw-agent": "/hooks/agent"}
_BAD_REQUEST = 400


class RouteClient:
    """Wakes; keeps nothing of one attempt for the next."""

    def __init__(self) -> None:
        self._poster = Poster()

    async def aclose(self) -> None:
        """Give up what is open."""
        await self._poster.aclose()

    async def wake(
        self, route: WakeRoute, targets: Targets, cue: Cue, *, key: str, attempt: int
    ) -> Outcome:
        """One attempt, within the route's time limit. The same key is the same attempt again."""
        try:
            with anyio.fail_after(route.timeout_seconds):
                return await self._wake(route, targets, cue, key, attempt)
        except TimeoutError:
            return Outcome(f"no answer within {route.timeout_seconds:g} s")

    async def _wake(
        self, route: WakeRoute, targets: Targets, cue: Cue, key: str, attempt: int
    ) -> Outcome:
        if route.kind == "command":
            variables = {
                "MCP_MEMORY_WAKE_AGENT": cue.agent,
                "MCP_MEMORY_WAKE_CUE": wake_cue.sentence(cue),
                "MCP_MEMORY_WAKE_KEY": key,
                "MCP_MEMORY_WAKE_MESSAGES": str(len(cue.messages)),
            }
            return await run(route.command, _json(_facts(cue, key)), variables)
        body = _json(_body(route, cue, key))
        answer = await self._post(route, targets, body, _headers(key, attempt))
        return outcome_of(answer) if isinstance(answer, Answer) else answer

    async def try_dry(self, route: WakeRoute, targets: Targets, agent: str) -> Outcome:
        """Whether the route works, without waking anybody.

        OpenClaw is sent a call without text, which it refuses after it has taken the token; a
        webhook the event `ping`; a program is looked for, not run.
        """
        try:
            with anyio.fail_after(route.timeout_seconds):
                return await self._try(route, targets, agent)
        except TimeoutError:
            return Outcome(f"no answer within {route.timeout_seconds:g} s")

    async def _try(self, route: WakeRoute, targets: Targets, agent: str) -> Outcome:
        match route.kind:
            case "command":
                if shutil.which(route.command[0]):
                    return Outcome()
                return Outcome("there is no such program that can be run", is_refusal=True)
            case "webhook":
                key = str(uuid4())
                body = _json(_facts(Cue(agent, []), key) | {"event": "ping"})
                answer = await self._post(route, targets, body, _headers(key, 1))
                return outcome_of(answer) if isinstance(answer, Answer) else answer
            case "openclaw-wake" | "openclaw-agent":
                answer = await self._post(route, targets, b"{}", {})
                if isinstance(answer, Answer) and answer.status == _BAD_REQUEST:
                    return Outcome()
                return outcome_of(answer) if isinstance(answer, Answer) else answer
            case _:
                assert_never(route.kind)

    async def _post(
        self, route: WakeRoute, targets: Targets, body: bytes, headers: Mapping[str, str]
    ) -> Answer | Outcome:
        assert route.url is not None
        url = _hook_url(route.kind, route.url.reveal())
        return await self._poster.post(url, body, {**headers, **_proof(route, body)}, targets)


def _headers(key: str, attempt: int) -> dict[str, str]:
    """The headers by which an endpoint tells a repetition."""
    return {KEY_HEADER: key, ATTEMPT_HEADER: str(attempt)}


def _proof(route: WakeRoute, body: bytes) -> dict[str, str]:
    """The headers that show who wakes."""
    if route.token is None:
        return {}
    secret = route.token.reveal()
    if route.kind != "webhook":
        return {"Authorization": f"Bearer {secret}"}
    now = int(time.time())
    return {
        webhook.TIMESTAMP_HEADER: str(now),
        webhook.SIGNATURE_HEADER: webhook.signature(secret, now, body),
    }


def _body(route: WakeRoute, cue: Cue, key: str) -> dict[str, object]:
    if route.kind == "webhook":
        return _facts(cue, key)
    names = {"agentId": route.agent_id, "sessionKey": route.session_key}
    own: dict[str, object] = {name: value for name, value in names.items() if value}
    if route.kind == "openclaw-wake":
        return {"text": wake_cue.sentence(cue), "mode": "now", **own}
    # The agent's answer to its mail is not news for the last chat that a person had with it.
    turn = {"name": "mcp-memory", "deliver": False, "idempotencyKey": key}
    return {"message": wake_cue.sentence(cue), **turn, **own}


def _facts(cue: Cue, key: str) -> dict[str, object]:
    return {"id": key, **wake_cue.facts(cue)}


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _hook_url(kind: str, url: str) -> str:
    """The URL itself; the gateway's bare address becomes that of its hook."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}{_HOOK_PATHS[kind]}" if kind in _HOOK_PATHS and not path else url
