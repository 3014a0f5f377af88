"""The rows of a breakdown with their bars: asked for, counted, drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from xlt.corpus.filters import Filter
from xlt.errors import XltError
from xlt.tui import filtering
from xlt.tui.breakdown import board as core
from xlt.tui.breakdown.board import BY, Board, View
from xlt.tui.breakdown.columns import BoardRows, in_words, key_line
from xlt.tui.jobs import LITTLE, MEMORY, Job
from xlt.tui.scheme import scheme_of
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from xlt.corpus.trend import Trend


class BarList(XltScreen):
    """What is asked for, counted and drawn; `BreakdownScreen` adds what the user does."""

    MODE = "breakdown"

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._board: Board | None = None
        self._trend: Trend | None = None
        self._source: BoardRows | None = None

    def body(self) -> ComposeResult:
        with Horizontal(classes="chips"):
            yield Chip("group", "group", "by")
            yield Chip("unit", "unit", "unit")
            yield Chip("filter('langs')", "langs", "languages")
            yield Chip("filter('since')", "dates", "dates")
            yield Chip("filter('contains')", "text", "text")
            yield Chip("filter('most')", "confidence", "confidence")
        yield Rows()
        yield Static(id="about-row")
        yield Static(id="notes")

    def on_mount(self) -> None:
        self._view = core.remembered(self.state)
        self.query_one(Rows).focus()
        self._say_view()
        self.watch(self.app, "theme", self._draw, init=False)

    @property
    def view(self) -> View:
        """What is asked for."""
        return self._view or View()

    def load(self) -> None:
        self._ask(self.view)

    def _ask(self, view: View) -> None:
        self._view = view
        self.state.clear()
        self.state.update(view.kept())
        self._say_view()
        self.clear()
        if self.xlt.overview is not None:
            refused = partial(self._refused, view)
            # Authors and texts are many; languages are few.
            memory = LITTLE if view.unit == "posts" and not view.corrected else MEMORY
            self.jobs.start(
                "board", lambda job: self._read(job, view), self._show_trend, refused, about="Counting", memory=memory
            )

    def _read(self, job: Job, view: View) -> Trend | None:
        about = self.xlt.overview
        assert about is not None
        with job.corpus(self.xlt.corpus) as con:
            board = core.ask(con, view, about, self.xlt.run_id, scheme_of)
            # The shares are read while the curves are counted.
            job.hand(self._show, board)
            return core.curves(con, board)

    def _refused(self, view: View, error: XltError) -> None:
        if view.corrected:
            self._ask(replace(view, corrected=False))
        self.fail(error)

    def _show(self, board: Board) -> None:
        if self._board is None or replace(self._board.view, sort="", descending=True) != replace(
            board.view, sort="", descending=True
        ):
            self._trend = None
        self._board, self._view = board, board.view
        self._say_view()
        self._draw()

    def _show_trend(self, found: Trend | None) -> None:
        self._trend = found
        self._draw()

    def _draw(self) -> None:
        if self._board is None:
            return
        rows = self.query_one(Rows)
        board = replace(self._board, view=self.view)
        part = self._source.part if self._source else None
        self._source = BoardRows(board, core.ordered(board), self._trend, rows, self.app.current_theme.dark)
        self._source.part = part
        rows.show(self._source, self._source.columns)
        self.set_class(board.view.corrected, "-corrected")
        notes = list(board.notes)
        if board.run and board.second:
            runs = [f"{each.model} ({each.id})" for each in (board.run, board.second)]
            notes.insert(0, f"A: {runs[0]}. B: {runs[1]}; ▲▼ differ by 5 points or more.")
        legend = key_line(board.scheme, self.app.current_theme.dark)
        self.query_one("#notes", Static).update(
            legend.append("   " + " ".join(notes) if legend else " ".join(notes), "dim")
        )
        self._say_row(rows.cursor)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _say_view(self) -> None:
        view = self.view
        said = {
            "group": f"by {BY[view.by]}",
            "unit": self._board.unit if self._board and self._board.view is view else view.unit,
            "langs": filtering.languages_words(view.filter),
            "dates": filtering.dates_words(view.filter),
            "text": filtering.text_words(view.filter),
            "confidence": filtering.confidence_words(view.filter),
        }
        for chip in self.query(Chip):
            chip.say(said[chip.name or ""], active=said[chip.name or ""] != _NOTHING.get(chip.name or ""))

    def _say_row(self, index: int) -> None:
        if self._source is None or not len(self._source) or self._board is None:
            return
        pair, is_second = self._source.at(index)
        row = pair.second if is_second else pair.first
        line = in_words(pair, row, self._board.scheme, self._board.unit) if row else f"{pair.title}: no posts"
        if self._source.part is not None and self._board.scheme:
            opens = "enter opens what the model calls" if self._board.view.corrected else "enter opens"
            line += f"     {opens} {self._board.scheme.classes[self._source.part].short}"
        self.query_one("#about-row", Static).update(Content(line))


_NOTHING = {
    "langs": filtering.languages_words(Filter()),
    "dates": filtering.dates_words(Filter()),
    "text": filtering.text_words(Filter()),
    "confidence": filtering.confidence_words(Filter()),
    "unit": "posts",
}
