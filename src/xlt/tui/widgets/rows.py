"""A list of rows in columns that draws only what is seen: ten rows or ten million cost the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from xlt.tui.actions import bindings
from xlt.tui.widgets.cells import GAP as GAP
from xlt.tui.widgets.cells import Cell as Cell
from xlt.tui.widgets.cells import Column as Column
from xlt.tui.widgets.cells import Nothing, Source, title_of
from xlt.tui.widgets.cells import fitted as fitted


class Rows(ScrollView, can_focus=True):
    """Rows under a header, with a cursor that keys and mouse move. Text is never read as markup."""

    BINDINGS = bindings("rows")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor", "rows--quiet"}

    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: Rows, index: int) -> None:
            super().__init__()
            self.rows, self.index = rows, index

        @property
        def control(self) -> Rows:
            """The list that it is about."""
            return self.rows

    class Opened(Moved):
        """A row was opened; by the mouse, `column` and `part` (0 to 1, from its left) tell where."""

        def __init__(self, rows: Rows, index: int, column: str | None = None, part: float = 0.0) -> None:
            super().__init__(rows, index)
            self.column, self.part = column, part

    class Sideways(Moved):
        """Left or right was pressed where there is nothing to scroll to."""

        def __init__(self, rows: Rows, index: int, step: int) -> None:
            super().__init__(rows, index)
            self.step = step

    class HeaderClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, rows: Rows, column: str) -> None:
            super().__init__()
            self.rows, self.column = rows, column

        @property
        def control(self) -> Rows:
            """The list that it is about."""
            return self.rows

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._source: Source = Nothing()
        self._columns: tuple[Column, ...] = ()
        self._spans: list[tuple[int, int]] = []

    def show(self, source: Source, columns: Sequence[Column] | None = None, cursor: int | None = None) -> None:
        """Show these rows, with the cursor on row `cursor`, or where it was."""
        self._source = source
        if columns is not None:
            self._columns = tuple(columns)
        self._measure()
        wanted = self.cursor if cursor is None else cursor
        self.set_reactive(Rows.cursor, max(0, min(wanted, len(source) - 1)))
        self._follow()
        self.refresh()
        if len(source):
            self.post_message(self.Moved(self, self.cursor))

    def changed(self) -> None:
        """Draw again: rows have arrived."""
        self.refresh()

    @property
    def header_lines(self) -> int:
        """Lines that stay on top."""
        return 2 if any("\n" in title_of(column, column.width) for column in self._columns) else 1

    @property
    def seen(self) -> range:
        """The rows that are on the screen."""
        first = self.scroll_offset.y
        return range(first, min(len(self._source), first + max(1, self.size.height - self.header_lines)))

    def width_of(self, column: str) -> int:
        """Cells that a column has now; 0 for one that is not shown."""
        at = next((at for at, each in enumerate(self._columns) if each.id == column), None)
        if at is None or at >= len(self._spans):
            return 0
        return self._spans[at][1] - self._spans[at][0]

    def _measure(self) -> None:
        fixed = sum(column.width for column in self._columns) + GAP * max(0, len(self._columns) - 1) + 2
        spare = max(0, self.size.width - fixed)
        self._spans, at = [], 1
        for column in self._columns:
            width = column.width + (spare if column.fill else 0)
            self._spans.append((at, at + width))
            at += width + GAP
        self.virtual_size = Size(max(fixed, 1), len(self._source) + self.header_lines)

    def on_resize(self) -> None:
        self._measure()
        self._follow()
        # It may have been painted between its new size and this, with the columns of the old one.
        self.refresh()

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._source) - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        top = self.scroll_offset.y
        self._follow()
        if before == now:
            return
        if self.scroll_offset.y == top:
            # Two lines and not all of them: the cursor is what moves most.
            for index in (before, now):
                self.refresh(Region(0, index - top + self.header_lines, self.size.width, 1))
        else:
            self.refresh()
        self.post_message(self.Moved(self, now))

    def _follow(self) -> None:
        page = max(1, self.size.height - self.header_lines)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + page:
            self.scroll_to(y=self.cursor - page + 1, animate=False)

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y < self.header_lines:
            strip = self._header(y, base + Style(dim=True))
        else:
            index = self.scroll_offset.y + y - self.header_lines
            if index >= len(self._source):
                return Strip.blank(width, base)
            style = base
            if index == self.cursor:
                style += self.get_component_rich_style(
                    "rows--cursor" if self.has_focus else "rows--quiet", partial=True
                )
            strip = self._row(index, style)
        return strip.crop_extend(self.scroll_offset.x, self.scroll_offset.x + width, base)

    def _header(self, line: int, style: Style) -> Strip:
        cells: list[Cell] = []
        for column, (start, end) in zip(self._columns, self._spans, strict=False):
            lines = title_of(column, end - start).split("\n")
            lines = [""] * (self.header_lines - len(lines)) + lines
            cells.append(lines[line])
        return self._strip(cells, style, header=True)

    def _row(self, index: int, style: Style) -> Strip:
        cells = self._source.row(index)
        if cells is None:
            return self._strip([""] * (len(self._columns) - 1) + [Text("…", "dim")], style)
        return self._strip(cells, style)

    def _strip(self, cells: Sequence[Cell], style: Style, header: bool = False) -> Strip:
        segments = [Segment(" ", style)]
        at = 1
        for column, (start, end), cell in zip(self._columns, self._spans, cells, strict=False):
            if start > at:
                segments.append(Segment(" " * (start - at), style))
            text = fitted(cell, end - start, column.align)
            segments += [
                Segment(each.text, style + each.style if each.style else style)
                for each in text.render(self.app.console)
                if each.text
            ]
            at = end
        width = max(self.size.width, self.virtual_size.width)
        if at < width:
            segments.append(Segment(" " * (width - at), style))
        return Strip(segments)

    # Keys and mouse

    def action_down(self) -> None:
        """One row down."""
        self.cursor += 1

    def action_up(self) -> None:
        """One row up."""
        self.cursor -= 1

    def action_page_down(self) -> None:
        """One page down."""
        self.cursor += max(1, len(self.seen) - 1)

    def action_page_up(self) -> None:
        """One page up."""
        self.cursor -= max(1, len(self.seen) - 1)

    def action_first(self) -> None:
        """To the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """To the last row."""
        self.cursor = len(self._source) - 1

    def action_left(self) -> None:
        """To the left."""
        self._sideways(-1)

    def action_right(self) -> None:
        """To the right."""
        self._sideways(1)

    def _sideways(self, step: int) -> None:
        if self.virtual_size.width > self.size.width:
            self.scroll_relative(x=8 * step, animate=False)
        else:
            self.post_message(self.Sideways(self, self.cursor, step))

    def action_open(self) -> None:
        """Open the row at the cursor."""
        if len(self._source):
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        x = event.x + self.scroll_offset.x
        at = next((at for at, (start, end) in enumerate(self._spans) if start <= x < end + GAP), None)
        if event.y < self.header_lines:
            if at is not None:
                self.post_message(self.HeaderClicked(self, self._columns[at].id))
            return
        index = self.scroll_offset.y + event.y - self.header_lines
        if index >= len(self._source):
            return
        self.cursor = index
        column = self._columns[at] if at is not None else None
        if column is not None and at is not None and (column.opens or event.chain == 2):
            start, end = self._spans[at]
            self.post_message(self.Opened(self, index, column.id, min(1.0, (x - start) / max(1, end - start))))
