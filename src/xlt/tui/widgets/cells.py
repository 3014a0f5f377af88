"""Columns and cells of a list, in terminal cells; text is never read as markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rich.cells import cell_len
from rich.text import Text

GAP = 2
"""Cells between columns."""
Cell = str | Text


@dataclass(frozen=True)
class Column:
    """One column."""

    id: str
    title: str | Callable[[int], str]
    """Two lines when it holds a line break; the last stands above the rows. It may depend on the column's width."""
    width: int
    """In terminal cells; the least width of a column that fills."""
    align: Literal["left", "right"] = "left"
    fill: bool = False
    """Takes what the others leave; one column at most."""
    opens: bool = False
    """Whether one click in it opens the row."""


class Source(Protocol):
    """Where rows come from."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> Sequence[Cell] | None:
        """One cell for each column; None when the row is not here yet (the list is refreshed when it is)."""


class Nothing:
    """No rows."""

    def __len__(self) -> int:
        return 0

    def row(self, index: int) -> Sequence[Cell] | None:
        """There is none."""
        return None


def title_of(column: Column, width: int) -> str:
    """Its title at this width."""
    return column.title if isinstance(column.title, str) else column.title(width)


def fitted(cell: Cell, width: int, align: Literal["left", "right"] = "left") -> Text:
    """A cell in exactly `width` terminal cells, cut with an ellipsis; wide characters count as they are drawn."""
    text = Text(cell) if isinstance(cell, str) else cell.copy()
    text.no_wrap = True
    text.end = ""
    if text.style:
        # Rich leaves the style of a whole text out where there is no part with another.
        text.stylize_before(text.style)
    text.truncate(width, overflow="ellipsis")
    missing = width - cell_len(text.plain)
    if missing > 0:
        if align == "right":
            text.pad_left(missing)
        else:
            text.pad_right(missing)
    return text
