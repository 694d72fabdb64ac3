"""Whether this process lives, and whether it can work."""

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_memory import __version__
from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError
from mcp_memory.web.answers import refusal

_READY_SECONDS = 5.0


def health_routes(app: App) -> list[Route]:
    """`/healthz` and `/readyz`; neither needs a key or tells what is remembered."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive", "version": __version__})

    async def readyz(_: Request) -> Response:
        try:
            with anyio.fail_after(_READY_SECONDS):
                # It opens the database, which migrates it, and then reads one of its tables.
                await app.keys.are_required()
        except TimeoutError:
            return _not_ready("The default database does not answer in time.")
        except McpMemoryError:
            return _not_ready("The default database cannot be used. Run `mcp-memory doctor`.")
        # Deaf, it still answers everything: wakes come late, by looking now and then.
        listening = not app.databases.is_deaf
        ready = {"status": "ready", "version": __version__, "listening": listening}
        return JSONResponse(ready)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _not_ready(message: str) -> Response:
    return refusal("/readyz", 503, message)
