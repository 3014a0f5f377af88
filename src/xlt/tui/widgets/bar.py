"""The lines above and below every screen: what is open and which screens there are; what goes on."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from xlt.tui.tabs import Tab

_READ = 6.0
"""Seconds that a sentence of success stays."""


class TabName(Static):
    """One numbered screen; a click shows it."""

    def __init__(self, tab: Tab, active: bool) -> None:
        super().__init__(Content(f"{tab.key} {tab.title}"), classes="tab")
        self._tab = tab
        self.set_class(active, "-active")

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.app.run_action(f"tab({self._tab.key})")


class Chip(Static):
    """Something that is chosen, such as `by language ▾`; a click chooses anew."""

    def __init__(self, action: str, name: str, title: str) -> None:
        super().__init__(Content(title), name=name)
        self._action, self._words = action, ""

    def say(self, words: str, active: bool) -> None:
        """What is chosen; `active` when it leaves something out."""
        # Whoever says the same again would have the whole screen laid out anew.
        if words != self._words:
            self._words = words
            self.update(Content(f"{words} ▾"))
        self.set_class(active, "-active")

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.app.run_action(f"screen.{self._action}")


class TopBar(Horizontal):
    """`xlt  corpus.duckdb · 3,667 posts · run …    1 Breakdown 2 Posts …`"""

    def __init__(self, tabs: tuple[Tab, ...], active: str) -> None:
        super().__init__()
        self._tabs, self._active = tabs, active

    def compose(self) -> ComposeResult:
        yield Static(Content("xlt"), id="about")
        for tab in self._tabs:
            yield TabName(tab, tab.mode == self._active)

    def say(self, about: str) -> None:
        """What is open."""
        self.query_one("#about", Static).update(Content(about), layout=False)


class Notice(Static):
    """One line for what goes on, what was done or what went wrong; not there when there is nothing to say."""

    def __init__(self) -> None:
        super().__init__(Content(""), id="notice")
        self.display = False
        self._kind, self._said = "", ""

    def say(self, sentence: str, part: float | None = None) -> None:
        """What goes on, and how much is done; empty when it is over. It covers no error."""
        if sentence and self._kind != "error":
            self._show("progress", sentence + ("" if part is None else f"  {100 * part:.0f} %"))
        elif not sentence and self._kind == "progress":
            self.clear()

    def tell(self, sentence: str) -> None:
        """What was done; goes away by itself."""
        self._show("told", sentence)
        self.set_timer(_READ, lambda: self.clear() if self._kind == "told" and self._said == sentence else None)

    def fail(self, sentence: str) -> None:
        """What went wrong, until something else is done."""
        self._show("error", sentence)

    def _show(self, kind: str, sentence: str) -> None:
        self._kind, self._said = kind, sentence
        self.update(Content(sentence))
        self.display = True
        self.set_class(kind == "error", "-error")

    def clear(self) -> None:
        """Nothing to say any more."""
        self._kind, self._said = "", ""
        self.display = False

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.clear()
