"""A field of a form that shows all its options, one of them chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.widgets import Static

from xlt.tui.actions import bindings


class Options(Static, can_focus=True):
    """One of a few, each with a sentence; arrows and clicks choose."""

    BINDINGS = bindings("options")

    def __init__(self, options: Sequence[tuple[str, str, str]], chosen: str, id: str) -> None:
        """`options` are (value, name, sentence)."""
        super().__init__(id=id, classes="options")
        self._options, self.value = list(options), chosen

    def on_mount(self) -> None:
        self._draw()

    def on_focus(self) -> None:
        self._draw()

    def on_blur(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = max(len(name) for _, name, _ in self._options) + 2
        lines = Text()
        for value, name, sentence in self._options:
            here = value == self.value
            style = ("bold reverse" if self.has_focus else "bold") if here else ""
            lines.append("\n" if lines else "")
            lines.append("● " if here else "○ ", "" if here else "dim").append(name, style)
            lines.append(" " * (width - len(name)) + sentence, "dim")
        self.update(lines)

    def _choose(self, at: int) -> None:
        self.value = self._options[at % len(self._options)][0]
        self._draw()

    @property
    def _at(self) -> int:
        return next(at for at, each in enumerate(self._options) if each[0] == self.value)

    def action_next(self) -> None:
        """The next one."""
        self._choose(self._at + 1)

    def action_previous(self) -> None:
        """The one before."""
        self._choose(self._at - 1)

    def on_click(self, event: events.Click) -> None:
        if 0 <= event.y < len(self._options):
            self._choose(event.y)
