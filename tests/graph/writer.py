"""A process that stores memories, driven line by line: to race with another, and to be killed."""

import sys

import anyio
import anyio.to_thread

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.facts.model import EntityReference, FactChange, NewFact, RelationReference


async def _answer(app: App, line: str) -> str:
    match line.split(" ", 1):
        case ["store", text]:
            memory = NewFact(
                text,
                entities=(EntityReference("Ada", "person", ("Countess",)),),
                relations=(RelationReference("Ada", "lives_in", "Ghent"),),
            )
            return (await app.graph.store(app.session("alice"), memory)).id
        case ["update", text]:
            return str(
                (
                    await app.graph.update(app.session("alice"), FactChange("m1", content=text))
                ).version
            )
        case _:
            raise ValueError(line)


async def _serve(database_url: str) -> None:
    document = {"database": {"url": database_url}, "embeddings": {"provider": "hashing"}}
    async with open_app(Config.model_validate(document)) as app:
        await app.graph.count(app.session("alice"))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while line := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
            try:
                answer = await _answer(app, line)
            except Exception as problem:  # the test reads it
                answer = f"{type(problem).__name__}: {problem}"
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(_serve, sys.argv[1])
