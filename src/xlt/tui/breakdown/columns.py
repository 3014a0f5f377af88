"""The columns of Breakdown, by the room there is, and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from xlt.corpus.shares import Row
from xlt.tui.breakdown import hand
from xlt.tui.breakdown.board import BY, Board, Pair
from xlt.tui.scheme import Scheme, bar, spark
from xlt.tui.widgets.rows import GAP, Cell, Column, Rows

if TYPE_CHECKING:
    from xlt.corpus.trend import Trend

TREND, WIDE_TREND, SHARE = 12, 24, 7
BOUNDS, BAR_BESIDE_BOUNDS = 9, 20
"""Cells of an interval, and of a bar that is not to give way to one."""
_BOUNDS, _UNSEEN = "95% ", " unseen"
LEAST_BAR, LEAST_NAME, MOST_NAME = 12, 8, 24
WIDE = 150
"""Columns from which the curves are longer."""
MARKED = 5.0
"""Percentage points from which a difference between two runs stands out."""


class BoardRows:
    """The rows of a board as `Rows` draws them; with two runs, two lines for each."""

    def __init__(self, board: Board, pairs: Sequence[Pair], trend: Trend | None, rows: Rows, dark: bool) -> None:
        self.board, self.pairs, self.trend = board, pairs, trend
        self.part: int | None = None
        """The part of the bar that left and right have chosen."""
        self._rows, self._dark = rows, dark
        self.columns = _columns(board, pairs, trend, rows.size.width)
        self._with_unseen = self.columns[0].width >= min(MOST_NAME, _names(pairs))

    def __len__(self) -> int:
        return len(self.pairs) * self.lines

    @property
    def lines(self) -> int:
        """Lines for each row."""
        return 2 if self.board.second else 1

    def at(self, index: int) -> tuple[Pair, bool]:
        """What stands on a line, and whether it is the second run's."""
        return self.pairs[index // self.lines], index % self.lines == 1

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a line."""
        pair, is_second = self.at(index)
        row = pair.second if is_second else pair.first
        whole = pair is self.pairs[-1]
        cells: list[Cell] = [
            self._cell(column.id, pair, row, is_second, index) if row else self._absent(column.id)
            for column in self.columns
        ]
        if whole:
            cells = [_styled(cell, Style(bold=True)) for cell in cells]
        return cells

    def _absent(self, column: str) -> Cell:
        return Text("no posts of this run", "dim") if column == "bar" else ""

    def _cell(self, column: str, pair: Pair, row: Row, is_second: bool, index: int) -> Cell:
        scheme = self.board.scheme
        if column == "key":
            if is_second:
                return ""
            text = Text(pair.title)
            if pair.unseen and self._with_unseen:
                text.append(_UNSEEN, "dim italic")
            return text
        if column == "of":
            return Text("B" if is_second else "A", "dim")
        if column == "n":
            return f"{row.n:,}"
        if scheme is None:
            return ""
        if column.startswith(_BOUNDS):
            group, name = scheme.lead if column == _BOUNDS and scheme.lead else (scheme.group, column[len(_BOUNDS) :])
            return Text(hand.bounds(row, group, name) or "–", "dim")
        if column == "topic" and scheme.lead:
            return _share(row, pair.first if is_second else None, *scheme.lead)
        if column == "bar":
            chosen = self.part if index == self._rows.cursor else None
            return bar(row, scheme, self._rows.width_of("bar"), self._dark, chosen)
        if column == "trend":
            values = self.trend.counts.get(pair.key, ()) if self.trend else ()
            return (
                "" if is_second or pair is self.pairs[-1] else Text(spark(values, self._rows.width_of("trend")), "dim")
            )
        return _share(row, pair.first if is_second else None, scheme.group, column)


def _styled(cell: Cell, style: Style) -> Text:
    text = Text(cell) if isinstance(cell, str) else cell.copy()
    text.stylize_before(style)
    return text


def _share(row: Row, beside: Row | None, group: str, name: str) -> Cell:
    """A share in per cent; of the second run with the difference, which stands out when it is large."""
    share = row.share(group, name)
    text = Text("–" if share is None else f"{100 * share:.1f}")
    other = beside.share(group, name) if beside else None
    if share is not None and other is not None:
        points = 100 * (share - other)
        large = abs(points) >= MARKED
        sign = "▲" if points > 0 else "▼"
        mark = f"{sign}{abs(points):.1f}" if large else f"{points:+.1f}"
        text = Text(f"{mark:>6} ", "bold" if large else "dim").append_text(Text(f"{100 * share:5.1f}", "not dim"))
    return text


def _columns(board: Board, pairs: Sequence[Pair], trend: Trend | None, width: int) -> tuple[Column, ...]:
    scheme = board.scheme
    key = _key(board, _names(pairs))
    n = Column("n", "n", max(6, *(len(f"{pair.first.n:,}") for pair in pairs)), "right")
    if scheme is None:
        return (key, n)
    two = board.second is not None
    share = SHARE + 5 if two else SHARE
    found = [key]
    if two:
        found.append(Column("of", "", 1))
    found.append(n)
    if scheme.lead:
        found.append(Column("topic", "on topic\n%", max(share, 8), "right"))
    numbers = [Column(each.name, each.short, share, "right") for each in scheme.classes]
    title = "stance among posts on topic" if scheme.lead else scheme.group
    if board.view.corrected:
        found, numbers = _with_bounds(found, numbers, width)
    space = _space(found, numbers, width)
    room = WIDE_TREND if width >= WIDE else TREND
    curve = Column("trend", f"on topic\nby {trend.period}" if trend else "", room)
    with_trend = trend is not None and space - room - GAP >= LEAST_BAR
    if space < LEAST_BAR and two:
        # On a narrow screen the numbers say more than the bars, and must all be seen.
        found[0] = _key(board, max((cell_len(pair.title) for pair in pairs), default=0))
        if _space(found, numbers, width) < LEAST_BAR:
            return (*found, *numbers)
    elif space < LEAST_BAR:
        numbers = []
    found.append(Column("bar", lambda room: f"{_head(title, board.unit, room)}\n{_axis(room)}", 4, "left", True, True))
    found += numbers
    return (*found, curve) if with_trend else tuple(found)


def _names(pairs: Sequence[Pair]) -> int:
    """Cells of the longest name of a row."""
    return max((cell_len(pair.title) + (len(_UNSEEN) if pair.unseen else 0) for pair in pairs), default=0)


def _key(board: Board, names: int) -> Column:
    return Column("key", BY.get(board.view.by, board.view.by), max(LEAST_NAME, min(MOST_NAME, names)))


def _space(found: Sequence[Column], numbers: Sequence[Column], width: int) -> int:
    """Cells that these columns leave for a bar."""
    return width - sum(column.width + GAP for column in (*found, *numbers)) - 2


def _with_bounds(found: list[Column], numbers: list[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns with as many intervals beside their shares as leave room for a bar."""

    def between(columns: list[Column], lead: bool) -> list[Column]:
        return [
            each
            for column in columns
            for each in (
                (column, Column(_BOUNDS + ("" if lead else column.id), "95 %", BOUNDS, "right"))
                if not lead or column.id == "topic"
                else (column,)
            )
        ]

    lead, every = between(found, True), between(numbers, False)
    for first, rest in ((lead, every), (lead, numbers)):
        if _space(first, rest, width) >= BAR_BESIDE_BOUNDS:
            return first, rest
    return found, numbers


def _head(title: str, unit: str, room: int) -> str:
    title = title.replace("posts", unit) if unit != "posts" else title
    return title if len(title) <= room else "stance"[:room]


def _axis(width: int) -> str:
    """`0    20   40 … 100 %` over a bar of this width."""
    end = "100 %" if width >= 12 else ""
    line = ""
    for step in (0, 20, 40, 60, 80) if width >= 30 else (0, 50):
        mark = " " * (round(step * width / 100) - len(line)) + str(step)
        if len(line) + len(mark) + 1 + len(end) <= width:
            line += mark
    return line.ljust(width - len(end)) + end


def key_line(scheme: Scheme | None, dark: bool) -> Text:
    """What the patterns of the bars mean."""
    from xlt.tui.scheme import ink

    text = Text()
    for each in scheme.classes if scheme else ():
        text.append("  " if text else "").append(each.shade * 2, ink(each.colour, dark)).append(f" {each.short}", "dim")
    return text


def in_words(pair: Pair, row: Row, scheme: Scheme | None, unit: str) -> str:
    """A row's counts in one line."""
    if scheme is None:
        return f"{pair.title}: {row.n:,} posts"
    if row.corrected:
        shares = [hand.in_words(row, *scheme.lead, "on topic")] if scheme.lead else []
        shares += [hand.in_words(row, scheme.group, each.name, each.short) for each in scheme.classes]
        return f"{pair.title}, %: {' · '.join(shares)}"
    parts = [f"{each.short} {row.counts[scheme.group][each.name]:,.0f}" for each in scheme.classes]
    on = f", {row.bases[scheme.group]:,} on topic" if scheme.lead else ""
    return f"{pair.title}: {row.n:,} {unit}{on}: {' · '.join(parts)}"
