"""Choose one of many: write a part of its name, read what it is before you take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from xlt.tui.actions import bindings
from xlt.tui.box import Box
from xlt.tui.words import harmless, one_line


@dataclass(frozen=True)
class Item:
    """One thing to choose."""

    value: str
    name: str
    title: str = ""
    about: str = ""
    """Shown below the list while the item is highlighted."""


class Picker(Box[str | None]):
    """A list that what is written narrows down; None when the user leaves."""

    BINDINGS = bindings("picker")
    CSS_PATH = "picker.tcss"

    def __init__(self, title: str, items: Sequence[Item], now: str | None = None) -> None:
        super().__init__()
        self._title, self._items, self._now = title, list(items), now
        self._shown: list[Item] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="box", id="picker"):
            yield Static(Text(self._title), classes="title")
            yield Input(placeholder="a part of its name", compact=True)
            yield OptionList(compact=True)
            with VerticalScroll(id="picked"):
                yield Static(id="about-item")

    def on_mount(self) -> None:
        self._narrow("")
        at = next((at for at, each in enumerate(self._shown) if each.value == self._now), 0)
        self.query_one(OptionList).highlighted = at if self._shown else None
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _written(self, event: Input.Changed) -> None:
        self._narrow(event.value)

    def _narrow(self, words: str) -> None:
        parts = words.casefold().split()
        self._shown = [
            each for each in self._items if all(part in f"{each.name} {each.title}".casefold() for part in parts)
        ]
        width = max((len(each.name) for each in self._shown if each.title), default=0)
        options = self.query_one(OptionList)
        options.clear_options()
        for each in self._shown:
            line = Text(one_line(each.name).ljust(width + 2) if each.title else one_line(each.name), no_wrap=True)
            options.add_option(Option(line.append(one_line(each.title), "dim")))
        options.highlighted = 0 if self._shown else None
        if not self._shown:
            self.query_one("#about-item", Static).update(Text("Nothing is called so.", "dim"))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index < len(self._shown):
            self.query_one("#about-item", Static).update(Text(harmless(self._shown[event.option_index].about)))
            self.query_one("#picked").scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index].value)

    @on(Input.Submitted)
    def _taken(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is not None and at < len(self._shown):
            self.dismiss(self._shown[at].value)

    def action_down(self) -> None:
        """One down."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """One up."""
        self.query_one(OptionList).action_cursor_up()

    def action_page_down(self) -> None:
        """One page down."""
        self.query_one(OptionList).action_page_down()  # type: ignore[no-untyped-call]

    def action_page_up(self) -> None:
        """One page up."""
        self.query_one(OptionList).action_page_up()  # type: ignore[no-untyped-call]
