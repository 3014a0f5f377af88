"""Leaving xlt while labels wait for the corpus."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from xlt.tui.actions import bindings
from xlt.tui.box import Box
from xlt.tui.label.writing import Writer

_LOOK = 0.05


class Leaving(Box[bool | None]):
    """True when the labels are written, or when the user leaves them to the next start."""

    BINDINGS = bindings("choice")

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def compose(self) -> ComposeResult:
        with Vertical(classes="box narrow"):
            yield Static(classes="title")
            yield OptionList(
                Option(Content("stay here"), id="stay"),
                Option(Content("leave; they are kept, and written at the next start"), id="leave"),
            )

    def on_mount(self) -> None:
        self._timer = self.set_interval(_LOOK, self._look)
        self._look()

    def _look(self) -> None:
        if not self._writer.waiting:
            self._timer.stop()
            self.dismiss(True)
            return
        words = f"{self._writer.words()} xlt leaves as soon as that is done."
        self.query_one(".title", Static).update(Content(words))

    def action_down(self) -> None:
        """One option down."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """One option up."""
        self.query_one(OptionList).action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(True if event.option_id == "leave" else None)
