"""One session of the bridge: requests side by side, cancelled by their id, drained at the end."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping

import anyio
from anyio.abc import TaskGroup

from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces.bridge import protocol
from mcp_memory.interfaces.bridge.protocol import Output, Params, Request, RequestId, RequestRefused
from mcp_memory.interfaces.http.answers import word_of
from mcp_memory.interfaces.mcp.tools.tool import readable

MAX_RUNNING = 256
# Beyond these no line is read until a request has been answered.
MAX_TAKEN = MAX_RUNNING + 1024
# After the end of input: how long to wait for the next answer, and for those of what is cancelled.
_PATIENCE_SECONDS = 2.0
_LAST_SECONDS = 1.0

Method = Callable[[Params], Awaitable[Mapping[str, object]]]

logger = logging.getLogger(__name__)


class Session:
    """What one client has asked for and not been answered yet."""

    def __init__(self, output: Output, methods: Mapping[str, Method], *, longest: int) -> None:
        self._output, self._methods, self._longest = output, methods, longest
        self._running: dict[tuple[type, RequestId], anyio.CancelScope] = {}
        self._turns = anyio.Semaphore(MAX_RUNNING)
        self._room = anyio.Semaphore(MAX_TAKEN)
        self._answered = anyio.Event()
        self._reading = anyio.CancelScope()
        self._patience_seconds = _PATIENCE_SECONDS
        self._last: RequestId | None = None

    async def serve(self, lines: AsyncIterable[str]) -> None:
        """Answer until the input ends, `_shutdown` or `stop`; then what is still running."""
        async with anyio.create_task_group() as tasks:
            with self._reading:
                async for line in lines:
                    await self._take(line, tasks)
            await self._drain()
            tasks.cancel_scope.cancel()
        if self._last is not None:
            await self._output.send(protocol.answer(self._last, {}))

    def stop(self) -> None:
        """Read no more, and wait for nothing."""
        self._patience_seconds = 0.0
        self._reading.cancel()

    async def _take(self, line: str, tasks: TaskGroup) -> None:
        """Begin what the line asks for; a line that asks for nothing is passed over."""
        if not line.strip():
            return
        try:
            request = self._parse(line)
            match request.method:
                case "_shutdown":
                    self._last = request.id
                    self._reading.cancel()
                case "_cancel":
                    await self._output.send(protocol.answer(request.id, self._cancel(request)))
                case _:
                    await self._begin(request, tasks)
        except RequestRefused as refused:
            await self._output.send(protocol.refusal(refused))

    def _parse(self, line: str) -> Request:
        if len(line) > self._longest:
            problem = f"The line is longer than {self._longest} characters."
            raise RequestRefused("too_large", problem)
        request = protocol.parse(line)
        if _key(request.id) in self._running:
            problem = "A request with that id is being answered. Give each its own."
            raise RequestRefused("conflict", problem, request.id)
        return request

    def _cancel(self, request: Request) -> dict[str, object]:
        """Whether there was such a request; its own answer says that it was cancelled."""
        match request.params:
            case {"id": str() | int() as id, **rest} if not rest:
                scope = self._running.get(_key(id))
            case _:
                problem = "_cancel takes the id of the request to be cancelled."
                raise RequestRefused("bad_request", problem, request.id)
        if scope is not None:
            scope.cancel()
        return {"cancelled": scope is not None}

    async def _begin(self, request: Request, tasks: TaskGroup) -> None:
        method = self._methods.get(request.method)
        if method is None:
            problem = f"There is no method {request.method[:60]!r}. There are: {self._known}."
            raise RequestRefused("unknown_method", problem, request.id)
        await self._room.acquire()
        scope = self._running[_key(request.id)] = anyio.CancelScope()
        tasks.start_soon(self._answer, request, method, scope)

    @property
    def _known(self) -> str:
        return ", ".join([*self._methods, "_cancel", "_shutdown"])

    async def _answer(self, request: Request, method: Method, scope: anyio.CancelScope) -> None:
        try:
            line = await self._line(request, method, scope)
        except RequestRefused as refused:
            line = protocol.refusal(refused)
        try:
            await self._output.send(line)
        finally:
            self._forget(request)

    def _forget(self, request: Request) -> None:
        del self._running[_key(request.id)]
        self._room.release()
        self._answered.set()
        self._answered = anyio.Event()

    async def _line(self, request: Request, method: Method, scope: anyio.CancelScope) -> str:
        """The answer's line; `RequestRefused` for everything that kept it from being one."""
        try:
            with scope:
                async with self._turns:
                    return protocol.answer(request.id, await method(request.params))
        except McpMemoryError as exc:
            raise RequestRefused(word_of(exc.status), readable(exc), request.id) from exc
        # A bug's text may hold SQL, paths or secrets: the log has it, the caller does not.
        except Exception as exc:
            logger.exception("%s failed", request.method)
            problem = f"{request.method} failed inside the bridge, whose log says why."
            raise RequestRefused("failed", problem, request.id) from exc
        problem = "The request was cancelled; what it had begun to write may be there."
        raise RequestRefused("cancelled", problem, request.id)

    async def _drain(self) -> None:
        """Wait while there are answers, then cancel what is left and let it say so."""
        if not await self._all_answered(self._patience_seconds):
            for scope in self._running.values():
                scope.cancel()
            await self._all_answered(_LAST_SECONDS)

    async def _all_answered(self, patience_seconds: float) -> bool:
        """Whether every request was, none of them later than that after the one before."""
        while self._running:
            with anyio.move_on_after(patience_seconds) as scope:
                await self._answered.wait()
            if scope.cancelled_caught:
                return False
        return True


def _key(id: RequestId) -> tuple[type, RequestId]:
    """1 and "1" are two ids."""
    return type(id), id
