"""Rows of a result on stdout or in a file: as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from xlt.cli.formats import check_format
from xlt.corpus.written import SUFFIXES, format_of, write_csv
from xlt.corpus.written import objects as objects
from xlt.corpus.written import write_table as write_table
from xlt.errors import UsageError

FORMATS = ("table", "csv", "json", "parquet")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_NARROW = 26


def choose_format(given: str | None, output: Path | None) -> str:
    """The format that was asked for by name or by the output's ending. Raises UsageError."""
    if given is not None:
        check_format(given, FORMATS)
    if output is None:
        if given == "parquet":
            raise UsageError("--format parquet is no text; name a file with -o FILE.parquet.")
        return given or "table"
    by_name = format_of(output)
    if given not in (None, by_name):
        ending = f".{given}" if given in SUFFIXES.values() else ", ".join(SUFFIXES)
        raise UsageError(f"{output}: the output must end in {ending}.")
    return by_name


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """CSV on stdout; what is missing stays empty."""
    write_csv(sys.stdout, columns, rows)


def width() -> int:
    """Cells of the terminal's width."""
    from rich.console import Console

    return Console().width


def print_width(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Cells that a table takes with nothing cut."""
    from rich.cells import cell_len

    longest = [max([cell_len(name), *(cell_len(_shown(row[i])) for row in rows)]) for i, name in enumerate(columns)]
    return sum(longest) + 2 * (len(columns) - 1)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], figures: Collection[str] = ()) -> None:
    """A table on stdout, numbers to the right. Long texts share what the terminal has left; nothing else is cut.

    `figures` are columns of numbers that are spelt out already.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    longest = [max([cell_len(name), *(cell_len(_shown(row[i])) for row in rows)]) for i, name in enumerate(columns)]
    narrow = [width for width in longest if width <= _NARROW]
    gaps = 2 * (len(columns) - 1)
    left = console.width - sum(narrow) - gaps
    share = max(_NARROW, left // max(1, len(columns) - len(narrow)))
    widths = [width if width <= _NARROW else min(width, share) for width in longest]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for position, (name, width) in enumerate(zip(columns, widths, strict=True)):
        numeric = name in figures or any(isinstance(row[position], int | float | Decimal) for row in rows)
        side: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(Text(name), justify=side, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        # Text objects: a tweet may hold what looks like markup.
        table.add_row(*(Text(_shown(value)) for value in row))
    # Wider than the terminal rather than without a column.
    Console(highlight=False, width=max(console.width, sum(widths) + gaps)).print(table)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        # Six digits tell all that a probability of 32 bits knows.
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,.1f}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return one_line(str(value))


def one_line(text: str) -> str:
    """A text on one line, without what a terminal would obey, such as colours and cursor movements in a tweet."""
    return _CONTROLS.sub("", " ".join(text.split()))
