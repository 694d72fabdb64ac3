"""What Prometheus reads of this process: calls of tools, how they ended, and what goes on now."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_memory import __version__
from mcp_memory.errors import McpMemoryError

METRICS_PATH = "/metrics"
# From an answer out of the cache to a wait for mail, in seconds.
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Metrics:
    """The numbers of one process; no label of them names an agent, a database or a text."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Histogram(
            "mcp_memory_call_seconds",
            "Time of the calls of each tool: ok, refused (the caller's mistake), or failed.",
            ["tool", "outcome"],
            registry=self._registry,
            buckets=_BUCKETS,
        )
        build = Info("mcp_memory_build", "The version that runs.", registry=self._registry)
        build.info({"version": __version__})

    @contextmanager
    def call(self, tool: str) -> Generator[None]:
        """Count a call of the tool by how it ends; one that is cancelled is not counted."""
        began = time.perf_counter()
        outcome = "ok"
        try:
            yield
        except McpMemoryError:
            outcome = "refused"
            raise
        except Exception:
            outcome = "failed"
            raise
        except BaseException:
            outcome = ""
            raise
        finally:
            if outcome:
                self._calls.labels(tool, outcome).observe(time.perf_counter() - began)

    def show(self, name: str, what: str, look: Callable[[], float]) -> None:
        """Show a number that is looked at whenever somebody asks."""
        Gauge(name, what, registry=self._registry).set_function(look)

    def route(self) -> Route:
        """`GET /metrics`, in the text format of Prometheus."""

        async def metrics(_: Request) -> Response:
            return Response(
                generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
            )

        return Route(METRICS_PATH, metrics)
