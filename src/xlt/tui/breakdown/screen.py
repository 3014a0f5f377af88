"""The screen Breakdown."""

from __future__ import annotations

from textual.app import ComposeResult

from xlt.tui.screen import XltScreen
from xlt.tui.widgets.rows import Rows


class BreakdownScreen(XltScreen):
    """Being built."""

    MODE = "breakdown"

    def body(self) -> ComposeResult:
        yield Rows()
