"""Tables of durations: what was measured, its median and 95th percentile, and their ratios."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measured:
    """Durations of one kind, in seconds, each of so many units of work."""

    name: str
    seconds: Sequence[float]
    units: int = 1

    def percentile(self, share: float) -> float:
        """Milliseconds a unit."""
        return float(np.percentile(self.seconds, share)) * 1000 / self.units


def print_table(title: str, unit: str, base: Measured, others: Sequence[Measured]) -> None:
    """One row each, with the ratio of its median to that of the base."""
    table = Table(title=title, title_justify="left")
    for heading in ("", f"p50 ms/{unit}", f"p95 ms/{unit}", "ratio p50", "ratio p95", "n"):
        table.add_column(heading, justify="right" if heading else "left")
    for each in (base, *others):
        halves = [each.percentile(share) for share in (50, 95)]
        ratios = [
            value / base.percentile(share) for value, share in zip(halves, (50, 95), strict=True)
        ]
        table.add_row(
            each.name,
            *(f"{value:.3f}" for value in halves),
            *(f"{ratio:.1f}x" for ratio in ratios),
            str(len(each.seconds)),
        )
    Console(width=100).print(table)
