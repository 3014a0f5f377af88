"""The screen Posts."""

from __future__ import annotations

from textual.app import ComposeResult

from xlt.tui.screen import XltScreen
from xlt.tui.widgets.rows import Rows


class PostsScreen(XltScreen):
    """Being built."""

    MODE = "posts"

    def body(self) -> ComposeResult:
        yield Rows()
