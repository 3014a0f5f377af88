"""`?`: what every key does, the focused widget's first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from xlt.tui.box import Box
from xlt.tui.here import Here

_SCOPES = {"app": "Everywhere", "rows": "In a list"}


class HelpScreen(Box[None]):
    """The keys of what has the focus, then of the screen, then of the app."""

    def __init__(self, here: Sequence[Here]) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(self._lines())

    def _lines(self) -> Table:
        lines = Table.grid(padding=(0, 2))
        lines.add_column(style="bold", no_wrap=True)
        lines.add_column()
        scope = None
        for each in self._here:
            known = each.action
            if known.scope != scope:
                if scope is not None:
                    lines.add_row()
                scope = known.scope
                lines.add_row(Text(_SCOPES.get(scope, scope.capitalize())))
            lines.add_row(Text(each.keys), Text(known.about))
        lines.add_row()
        lines.add_row(Text("other keys"), Text("xlt.toml remaps them; xlt tui --keys lists their names.", "dim"))
        return lines
