"""From the command line to open services: the configuration, logging, and one run of work."""

import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from mcp_memory.app import App, open_app
from mcp_memory.config import Config, load
from mcp_memory.interfaces.cli.options import Invocation
from mcp_memory.interfaces.process import log_to_stderr

Result = TypeVar("Result")


def configure(invocation: Invocation, *, agent: str | None = None) -> Config:
    """The settings for a command that ends by itself; it logs what is wrong and no more.

    The configured level is that of servers. --log-level asks for another one here too.
    """
    config = load_config(invocation, agent=agent)
    log_to_stderr(config.log_level if invocation.log_level else "warning")
    return config


def load_config(invocation: Invocation, *, agent: str | None = None) -> Config:
    """The settings of file, environment and options."""
    options = {"agent": agent, "log_level": invocation.log_level}
    return load(invocation.config_file, os.environ, options)


def run(config: Config, work: Callable[[App], Awaitable[Result]]) -> Result:
    """What `work` returns, given an app that is open while it runs."""

    async def work_with_app() -> Result:
        async with open_app(config) as app:
            result = await work(app)
            await app.word_counts.finish()
            return result

    return anyio.run(work_with_app)
