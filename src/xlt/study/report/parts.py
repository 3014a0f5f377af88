"""What a report is made of, before it is written in any form."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlt.study.evaluate import Table

_SPELT = {"f1": "F1", "ece": "ECE", "nll": "NLL", "brier": "Brier"}
LONG = 40
"""Rows from which a table runs over pages in LaTeX; twice as many are folded in HTML."""


@dataclass(frozen=True)
class Shown:
    """A table with a name for its files, and a title."""

    name: str
    """Such as `stance-by-language`: `tables/NAME.csv` and `.tex`."""
    title: str
    table: Table
    percent: frozenset[str] = frozenset()
    """Columns of shares that are printed in per cent; the CSV keeps them between 0 and 1."""
    heads: dict[str, str] = field(default_factory=dict)
    """Column → what stands above it, where the column's own name is not plain."""

    compact: Table | None = None
    """What HTML and LaTeX print in its place."""

    def printed(self) -> tuple[list[str], list[list[str]], list[bool]]:
        """Heads, rows of cells, and whether a column holds numbers: an interval stands in brackets behind its value.

        Two columns that end in `low` and `high` are the interval of the column before them.
        """
        table = self.compact or self.table
        columns = table.columns
        bounds = {
            at for at in range(1, len(columns) - 1) if columns[at].endswith("low") and columns[at + 1].endswith("high")
        }
        kept = [at for at in range(len(columns)) if at not in bounds and at - 1 not in bounds]
        heads = [self.head(columns[at]) + (" (95 % interval)" if at + 1 in bounds else "") for at in kept]
        rows = []
        for row in table.rows:
            cells = [self.text(column, value) for column, value in zip(columns, row, strict=True)]
            rows.append(
                [
                    f"{cells[at]} ({cells[at + 1]} to {cells[at + 2]})"
                    if at + 1 in bounds and row[at + 1] is not None
                    else cells[at]
                    for at in kept
                ]
            )
        return heads, rows, [any(is_number(row[at]) for row in table.rows) for at in kept]

    def head(self, column: str) -> str:
        """What stands above a column."""
        plain = " ".join(_SPELT.get(word, word) for word in column.split("_"))
        return self.heads.get(column, plain) + (" %" if column in self.percent else "")

    def text(self, column: str, value: Any) -> str:
        """A value as it is printed."""
        if column in ("p", "p_holm") and isinstance(value, float) and value < 0.001:
            return "< .001"
        return cell_text(value, column in self.percent)


@dataclass(frozen=True)
class Figure:
    """A figure with a name for its files, a title, and what it shows in words."""

    name: str
    title: str
    says: str
    """For those who can't see it."""
    draw: Callable[[Path], None]
    """Draws into a file whose ending tells the format, or into one of every format when it has no ending."""


@dataclass
class Section:
    """A chapter."""

    title: str
    words: list[str] = field(default_factory=list)
    """Paragraphs."""
    tables: list[Shown] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What must be known to read the tables and figures."""
    classes: list[str] = field(default_factory=list)
    """Classes that its figures name, in the order in which figures number those that no font can spell."""

    @property
    def anchor(self) -> str:
        """Its name in links."""
        return slug(self.title)


@dataclass
class Report:
    """All of it."""

    title: str
    sections: list[Section] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    """Versions, hashes and seeds, as JSON takes them."""


def slug(text: str) -> str:
    """A name as part of a file's name or of a link: letters, digits and hyphens."""
    return "-".join(re.findall(r"[^\W_]+", text.lower()))


def cell_text(value: Any, percent: bool = False) -> str:
    """A value as it is printed: shares in per cent, other numbers with three digits, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return (f"{100 * value:.1f}" if percent else f"{value:.3f}").replace("-", "−")
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value stands at the right of its cell."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def without_paths(content: Any) -> Any:
    """A record with the last part alone of every path: the rest says where somebody's files lie."""
    if isinstance(content, dict):
        return {key: without_paths(value) for key, value in content.items()}
    if isinstance(content, list):
        return [without_paths(value) for value in content]
    return Path(content).name if isinstance(content, str) and Path(content).is_absolute() else content
