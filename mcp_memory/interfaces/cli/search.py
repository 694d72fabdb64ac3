"""`mcp-memory search`: what agents find, for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

import click

from mcp_memory.app import App
from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import agent_option, database_option, json_option
from mcp_memory.interfaces.cli.output import print_json, print_table, printable
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.search.kinds import (
    SOURCES,
    ParsedQuery,
    SearchAnswer,
    SearchRequest,
    SearchResult,
    Source,
)
from mcp_memory.text.dates import parse_instant


def print_query(query: ParsedQuery) -> None:
    """Print how the query was read, a line for each thing it holds."""
    for name, held in _describe_query(query):
        click.echo(f"{name + ':':9} {printable(held)}")
    click.echo()


def _describe_query(query: ParsedQuery) -> Iterator[tuple[str, str]]:
    words = sorted(query.words.items(), key=lambda word: -word[1])
    yield "words", ", ".join(f"{word} ({rarity:.1f})" for word, rarity in words) or "none"
    if query.anchors:
        yield "anchors", ", ".join(query.anchors)
    if query.period:
        yield "time", "; ".join(f"{name} {value}" for name, value in query.period.items())
    if query.asks:
        yield "asks", ", ".join(query.asks)
    yield "vectors", query.vectors or "none"


def print_features(result: SearchResult) -> None:
    """Print the routes and what it is ranked by, then the features, what moved it most first."""
    ranked_by = f", ranked by {sum(result.shares.values()):+.3f}" if result.shares else ""
    click.echo(f"   found by {', '.join(result.routes)}{ranked_by}")
    names = sorted(result.scores, key=lambda name: -abs(result.shares.get(name, 0.0)))
    rows = [
        (name, f"{result.scores[name]:.3f}", f"{result.shares.get(name, 0.0):+.3f}")
        for name in names
        if result.scores[name]
    ]
    print_table(("feature", "value", "share"), rows)


@click.command()
@click.argument("query")
@click.option("--max-results", type=click.IntRange(1, 100), metavar="N", help="At most this many.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="None below this, 0-1; default: nothing when even the best is below search.min_score.",
)
@click.option("--path-prefix", metavar="PREFIX", help="Only paths that start like this.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    type=click.Choice(SOURCES),
    help="What to search; repeatable. Default: documents and graph.",
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only with this tag; repeatable.")
@click.option("--since", metavar="WHEN", help="Not before: 2026-03-01, 7d, '2 weeks'.")
@click.option("--until", metavar="WHEN", help="Not after: 2026-03-31, 24h.")
@click.option("--explain", is_flag=True, help="Show how it was read and ranked.")
@agent_option
@database_option
@json_option
@pass_invocation
def search(
    invocation: Invocation,
    query: str,
    max_results: int | None,
    min_score: float | None,
    path_prefix: str | None,
    sources: Sequence[Source],
    tags: Sequence[str],
    since: str | None,
    until: str | None,
    explain: bool,
    agent: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Search the memory.

    Prints the passages that answer QUERY, best first; nothing when nothing is relevant.

    \b
    Example:
      mcp-memory search "deploy checklist" --since 7d --max-results 3
    """
    config = configure(invocation, agent=agent)
    request = SearchRequest(
        query=query,
        max_results=max_results or config.search.max_results,
        min_score=min_score,
        sources=tuple(sources) or ("documents", "graph"),
        path_prefix=path_prefix,
        tags=tuple(tags) or None,
        since=_instant("--since", since, config),
        until=_instant("--until", until, config, day_end=True),
        explain=explain,
    )
    answer = run(config, partial(_search, request=request, database=database))
    if as_json:
        print_json(_as_json(answer))
    else:
        _print(answer, config.agent)


async def _search(app: App, request: SearchRequest, database: str | None) -> SearchAnswer:
    return await app.search.passages(app.session(app.config.agent, database), request)


def _instant(
    option: str, text: str | None, config: Config, *, day_end: bool = False
) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_instant(
            option, text, now=datetime.now(UTC), zone=config.zone(), day_end=day_end
        )
    except InvalidInput as exc:
        raise click.BadParameter(exc.problem, param_hint=option) from exc


def _as_json(answer: SearchAnswer) -> dict[str, object]:
    """The answer as memory_search gives it: what says nothing is left out."""
    document = _without_empty(asdict(answer), ("degraded", "next_cursor", "query"))
    del document["ends_at"]
    document["results"] = [_passage_as_json(result) for result in answer.results]
    return document


def _passage_as_json(result: SearchResult) -> dict[str, object]:
    document = _without_empty(asdict(result), ("scores", "shares", "used"))
    del document["ends_at"]
    return document


def _without_empty(document: Mapping[str, object], optional: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in document.items() if value or name not in optional}


def _print(answer: SearchAnswer, agent: str) -> None:
    for reason in answer.degraded:
        click.echo(f"mcp-memory: degraded: {reason}", err=True)
    if answer.query:
        print_query(answer.query)
    if not answer.results:
        click.echo("Nothing in the memory answers that.", err=True)
    for number, result in enumerate(answer.results, start=1):
        if number > 1:
            click.echo()
        _print_result(number, result, agent)


def _print_result(number: int, result: SearchResult, agent: str) -> None:
    owner = "" if result.owner == agent else f"  of {result.owner}"
    place = click.style(printable(result.citation), bold=True)
    click.echo(f"{number}. {place}  {result.score:.2f}  {result.occurred_at:%Y-%m-%d}{owner}")
    if result.scores:
        print_features(result)
    for line in printable(result.text).strip("\n").split("\n"):
        click.echo(f"   {line}".rstrip())
