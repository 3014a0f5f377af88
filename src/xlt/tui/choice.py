"""Two small dialogs: choose one of several, and write one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from xlt.tui.actions import bindings
from xlt.tui.box import Box


class Choice(Box[str | None]):
    """Choose one; None when the user leaves."""

    BINDINGS = bindings("choice")

    def __init__(
        self,
        title: str,
        options: Sequence[tuple[str, str]],
        now: str | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """`options` are (what is given back, what is shown); a key of `keys` gives back at once what it stands for."""
        super().__init__()
        self._title, self._options, self._now, self._keys = title, options, now, keys or {}

    def compose(self) -> ComposeResult:
        with Vertical(classes="box narrow"):
            yield Static(Content(self._title), classes="title")
            yield OptionList(
                *(Option(Content(shown), id=f"option-{at}") for at, (_, shown) in enumerate(self._options))
            )

    def on_mount(self) -> None:
        known = [value for value, _ in self._options]
        self.query_one(OptionList).highlighted = known.index(self._now) if self._now in known else 0

    def on_key(self, event: events.Key) -> None:
        """An option's own key."""
        if (event.character or "") in self._keys:
            event.stop()
            self.dismiss(self._keys[event.character or ""])

    def action_down(self) -> None:
        """One option down."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """One option up."""
        self.query_one(OptionList).action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._options[event.option_index][0])


class Line(Box[str | None]):
    """Write one line; None when the user leaves."""

    def __init__(self, title: str, now: str = "", hint: str = "") -> None:
        super().__init__()
        self._title, self._now, self._hint = title, now, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box narrow"):
            yield Static(Content(self._title), classes="title")
            yield Input(self._now, placeholder=self._hint)

    @on(Input.Submitted)
    def _written(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
