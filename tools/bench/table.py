"""Figures as printed: median (least to most), and a ratio to the anchor of the same run."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass
class Figure:
    """One row: the values of the repeats, the unit, and what it is compared with."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    anchor: "Figure | None" = None
    goal: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else float("nan")

    @property
    def ratio(self) -> float | None:
        return self.median / self.anchor.median if self.anchor and self.anchor.values else None

    def cells(self) -> tuple[str, str, str, str]:
        spread = (
            f" ({_short(min(self.values))} to {_short(max(self.values))})"
            if len(self.values) > 1
            else ""
        )
        ratio = (
            f"{self.ratio:.2f} x {self.anchor.name}"
            if self.ratio is not None and self.anchor
            else ""
        )
        return self.name, f"{_short(self.median)}{spread} {self.unit}", ratio, self.goal


def print_table(title: str, figures: Sequence[Figure]) -> None:
    """Print the rows, columns aligned."""
    rows = [figure.cells() for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    print(f"\n{title}")
    for row in rows:
        print(
            "  "
            + "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip(),
            flush=True,
        )


def in_turn(runs: int, measures: Sequence[Callable[[], None]]) -> None:
    """Run the measures in turn, `runs` times, so that a noisy minute meets all of them."""
    for _ in range(runs):
        for measure in measures:
            measure()


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
