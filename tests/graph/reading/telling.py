"""How the tests of reading tell memories and ask for them, in a line each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from mcp_memory.app import App
from mcp_memory.memory.facts.model import EntityReference, FactChange, NewFact, RelationReference
from mcp_memory.memory.facts.query import FactAnswer, FactFilter, FactQuery, Instants
from mcp_memory.search.kinds import SearchAnswer, SearchRequest


def day(number: int, month: int = 1, year: int = 2026) -> datetime:
    """Noon of that day."""
    return datetime(year, month, number, 12, tzinfo=UTC)


async def tell(app: App, content: str, agent: str = "alice", /, **fields: object) -> str:
    """Store a memory; `entities` are names, `relations` triples. Its id comes back."""
    named = cast("Sequence[str | EntityReference]", fields.pop("entities", ()))
    stated = cast("Sequence[tuple[str, str, str] | RelationReference]", fields.pop("relations", ()))
    memory = NewFact(
        content,
        entities=tuple(
            each if isinstance(each, EntityReference) else EntityReference(each, "person")
            for each in named
        ),
        relations=tuple(
            each if isinstance(each, RelationReference) else RelationReference(*each)
            for each in stated
        ),
        **fields,  # pyright: ignore[reportArgumentType]  # its fields are given by name
    )
    return (await app.graph.store(app.session(agent), memory)).id


async def change(app: App, id: str, agent: str = "alice", /, **fields: object) -> None:
    """Update a memory."""
    await app.graph.update(app.session(agent), FactChange(id, **fields))  # pyright: ignore[reportArgumentType]  # its fields are given by name


async def ask(app: App, agent: str = "alice", /, **fields: object) -> FactAnswer:
    """A question to the graph; what narrows it and its instants are given among its fields."""
    wanted = {name: fields.pop(name) for name in FactFilter.__slots__ if name in fields}
    instants = {name: fields.pop(name) for name in Instants.__slots__ if name in fields}
    asked = FactQuery(
        filter=FactFilter(**wanted),  # pyright: ignore[reportArgumentType]  # its fields are given by name
        instants=Instants(**instants),  # pyright: ignore[reportArgumentType]  # its fields are given by name
        **fields,  # pyright: ignore[reportArgumentType]  # its fields are given by name
    )
    return await app.search.facts(app.session(agent), asked)


def contents(answer: FactAnswer) -> list[str]:
    """What the memories say, in order."""
    return [each.version.content for each in answer.matches]


def steps(answer: FactAnswer) -> list[tuple[str, str, str]]:
    """The path of an answer."""
    return [(each.source, each.relation, each.target) for each in answer.path or ()]


async def search(app: App, query: str, agent: str = "alice", /, **fields: object) -> SearchAnswer:
    """memory_search."""
    request = SearchRequest(query, **fields)  # pyright: ignore[reportArgumentType]  # its fields are given by name
    return await app.search.passages(app.session(agent), request)


def texts(answer: SearchAnswer) -> list[str]:
    """What was found, best first."""
    return [each.text for each in answer.results]
