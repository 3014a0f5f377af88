"""`?`: what every key does, the focused widget's first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from xlt.tui.actions import BY_ID
from xlt.tui.box import Box

Here = Sequence[tuple[str, str, str, object]]
_SCOPES = {"app": "Everywhere", "rows": "In a list"}


class HelpScreen(Box[None]):
    """The keys of what has the focus, then of the screen, then of the app."""

    def __init__(self, here: Here) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(self._lines())

    def _lines(self) -> Text:
        lines = Text()
        scope = None
        for name, keys, _, _ in self._here:
            known = BY_ID[name]
            if known.scope != scope:
                scope = known.scope
                lines.append(("\n" if lines else "") + _SCOPES.get(scope, scope.capitalize()) + "\n", "bold")
            lines.append(f"  {keys:<18}", "bold")
            lines.append(f"{known.about}")
            lines.append(f"  {name}\n", "dim")
        lines.append("\nThe names at the right remap keys: ", "dim")
        lines.append('[tui.keys] "posts.search" = "ctrl+f" in the workspace\'s xlt.toml.', "dim")
        return lines
