"""The rows of an answer as `Rows` draws them, straight from Arrow, and one of them in full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from xlt.tui.actions import bindings
from xlt.tui.box import Box
from xlt.tui.widgets.rows import GAP, Cell, Column
from xlt.tui.words import harmless, one_line

if TYPE_CHECKING:
    import pyarrow as pa

MEASURED = 200
"""Rows that decide how wide a column is."""
WIDEST = 40
_LONGEST = 500
"""Characters of a value that are looked at for a cell."""


class ArrowRows:
    """A table of any width and height; a cell is made when it is drawn. Made in a job: measuring it takes a while."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        self._needs = [
            _need(name, column) for name, column in zip(self.table.column_names, self.table.columns, strict=True)
        ]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def values(self, index: int) -> list[Any]:
        """The values of a row."""
        return [column[index].as_py() for column in self.table.columns]

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a row."""
        return [cell(value) for value in self.values(index)]

    def columns(self, width: int) -> list[Column]:
        """Columns as wide as their rows need; the widest text takes what the others leave of `width` cells."""
        found = [
            # A text may be cut; a number never.
            Column(
                str(at), one_line(name), max(3, need if number else min(need, WIDEST)), "right" if number else "left"
            )
            for at, (name, (need, number)) in enumerate(zip(self.table.column_names, self._needs, strict=True))
        ]
        texts = [0 if number else need for need, number in self._needs]
        if texts and max(texts) > WIDEST:
            at = texts.index(max(texts))
            others = sum(each.width + GAP for each in found) - found[at].width
            room = max(WIDEST, width - others - 2)
            found[at] = Column(found[at].id, found[at].title, min(room, texts[at]))
        return found


def _need(name: str, column: pa.ChunkedArray) -> tuple[int, bool]:
    """Cells that a column needs, and whether it holds numbers. Of texts the first rows are measured."""
    import pyarrow.types as types

    number = types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    measured = _extremes(column) if number else column.slice(0, MEASURED).to_pylist()
    return max([cell_len(one_line(name)), *(_width(cell(value)) for value in measured)]), number


def cell(value: Any) -> Cell:
    """A value on one line: as a person reads it, never as markup."""
    return Text("–", "dim") if value is None else one_line(written(value)[:_LONGEST])


def written(value: Any) -> str:
    """A value as text."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Decimal):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list):
        return "[" + ", ".join(written(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(each)}" for key, each in value.items()) + "}"
    return str(value)


def _extremes(column: pa.ChunkedArray) -> list[Any]:
    """Values among which is the one that takes most cells: of whole numbers two are enough."""
    import pyarrow.compute as pc
    import pyarrow.types as types

    if types.is_integer(column.type):
        both = pc.min_max(column).as_py()
        return [both["min"], both["max"]]
    values: list[Any] = column.to_pylist()
    return values


def _width(given: Cell) -> int:
    return cell_len(given if isinstance(given, str) else given.plain)


class RecordScreen(Box[None]):
    """One row with all that is in it: a line for each column, long texts wrapped."""

    BINDINGS = bindings("record")

    def __init__(self, names: Sequence[str], values: Sequence[Any], title: str) -> None:
        super().__init__()
        self._names, self._values, self._title = names, values, title

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(Text(self._title, "bold"), classes="title")
            yield Static(self._lines())

    def _lines(self) -> Text:
        text = Text()
        for name, value in zip(self._names, self._values, strict=True):
            text.append(one_line(name) + "\n", "dim")
            text.append_text(Text("–", "dim") if value is None else Text(harmless(written(value)))).append("\n\n")
        text.rstrip()
        return text

    def action_copy(self) -> None:
        """Copy the row, a column a line."""
        lines = [
            f"{name}\t{'' if value is None else harmless(written(value))}"
            for name, value in zip(self._names, self._values, strict=True)
        ]
        self.app.copy_to_clipboard("\n".join(lines))
        self.notify("Copied: the row.", timeout=3)
