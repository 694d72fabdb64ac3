"""Printing: tables and colour for a terminal, plain stable lines for a pipe, JSON when asked."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Remembered text is anybody's: it must not move the cursor or set a title.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def print_json(value: object) -> None:
    """Print one JSON document; instants as ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: drawn for a terminal, else a heading and lines with tabs between."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in (columns, *shown):
            click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in shown:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def printable(text: str) -> str:
    """The text without control characters other than tab and newline."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def readable_size(size_bytes: int) -> str:
    """Such as `8.4 MiB`."""
    size, unit = float(size_bytes), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.{min(unit, 1)}f} {_UNITS[unit]}"


def count_noun(number: int, noun: str) -> str:
    """Such as `1 message`, `2 messages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def rows_in_tables(rows: Mapping[str, int]) -> str:
    """Such as `1,204 rows in 36 tables`."""
    return f"{sum(rows.values()):,} rows in {len(rows)} tables"
