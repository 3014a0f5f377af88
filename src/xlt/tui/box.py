"""What every dialog has: it closes with escape, and with q where q is not written into a field."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

from xlt.tui.actions import bindings

T = TypeVar("T")


class Box(ModalScreen[T]):
    """A dialog over a screen. The app's own keys do not reach into it."""

    BINDINGS = bindings("box")

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss(None)
