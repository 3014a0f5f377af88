"""A dialog with lines to read."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from xlt.tui.box import Box


class TextScreen(Box[None]):
    """Some lines under a title; `end` shows the last of them first."""

    def __init__(self, title: str, text: Text, end: bool = False) -> None:
        super().__init__()
        self._title, self._text, self._end = title, text, end

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(Text(self._title), classes="title")
            yield Static(self._text)

    def on_mount(self) -> None:
        box = self.query_one(VerticalScroll)
        box.focus()
        if self._end:
            box.scroll_end(animate=False)
