"""Printing what a search explains: how the query was read, and each feature's value and share."""

from collections.abc import Iterator

import click

from mcp_memory.cli.output import print_table, printable
from mcp_memory.search.kinds import ParsedQuery, SearchResult


def print_query(query: ParsedQuery) -> None:
    """Print how the query was read, a line for each thing it holds."""
    for name, held in _held(query):
        click.echo(f"{name + ':':9} {printable(held)}")
    click.echo()


def _held(query: ParsedQuery) -> Iterator[tuple[str, str]]:
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
