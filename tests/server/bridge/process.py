"""A bridge as a real process, spoken to line by line."""

import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from tests.server.calls import Facts

SECONDS = 60


class Bridge:
    """The process, and every line it has printed so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin = process.stdin
        self._stdout, self._stderr = map(TextReceiveStream, (process.stdout, process.stderr))
        self.lines: list[Facts] = []
        self.log = ""
        self.rest = ""
        self._taken = 0

    async def write(self, text: str | bytes) -> None:
        """Write it as it is."""
        await self._stdin.send(text.encode() if isinstance(text, str) else text)

    async def request(self, id: str | int, method: str, /, **params: object) -> None:
        """Ask for something."""
        await self.write(json.dumps({"id": id, "method": method, "params": params}) + "\n")

    async def next(self) -> Facts:
        """The line after those that were taken before."""
        while self._taken == len(self.lines):
            self._take(await self._stdout.receive())
        self._taken += 1
        return self.lines[self._taken - 1]

    async def answer(self, id: str | int | None) -> Facts:
        """The next answer of that id; what comes before is passed over."""
        while (line := await self.next()).get("id", self) != id:
            pass
        return line

    async def ask(self, id: str | int, method: str, /, **params: object) -> Facts:
        """The result of a request that must succeed."""
        await self.request(id, method, **params)
        line = await self.answer(id)
        assert "result" in line, line
        return cast("Facts", line["result"])

    async def event(self, name: str) -> Facts:
        """The next event of that name."""
        while (line := await self.next()).get("event") != name:
            pass
        return line

    async def mail(self, count: int) -> list[str]:
        """The ids of the next so many messages that are announced."""
        events = [await self.event("new_message") for _ in range(count)]
        return [str(cast("Facts", event["data"])["id"]) for event in events]

    def announced(self) -> list[str]:
        """The ids of all messages that were announced."""
        events = [line for line in self.lines if line.get("event") == "new_message"]
        return [str(cast("Facts", event["data"])["id"]) for event in events]

    async def close(self) -> None:
        """End its standard input."""
        await self._stdin.aclose()

    async def ended(self) -> int:
        """The exit code, once everything that was written has been read."""
        async for text in self._stdout:
            self._take(text)
        assert self.rest == ""
        return await self.process.wait()

    async def read_log(self) -> None:
        """Keep what comes on stderr, until its end."""
        async for text in self._stderr:
            self.log += text

    def _take(self, text: str) -> None:
        *complete, self.rest = (self.rest + text).split("\n")
        self.lines += [cast("Facts", json.loads(line)) for line in complete]


@asynccontextmanager
async def bridge(
    environ: Mapping[str, str], agent: str, *, is_ready: bool = True
) -> AsyncGenerator[Bridge]:
    """A bridge that has a minute for the block, and has said that it is ready."""
    command = [sys.executable, "-m", "mcp_memory", "bridge", "--agent", agent]
    with anyio.fail_after(SECONDS):
        process = await anyio.open_process(command, env=dict(environ))
        async with process, anyio.create_task_group() as tasks:
            opened = Bridge(process)
            tasks.start_soon(opened.read_log)
            if is_ready:
                assert (await opened.next())["event"] == "ready", opened.log
            yield opened
            if process.returncode is None:
                process.kill()
