"""The lines above and below every screen: what is open and which screens there are; what goes on."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from xlt.tui.tabs import Tab


class TabName(Static):
    """One numbered screen; a click shows it."""

    def __init__(self, tab: Tab, active: bool) -> None:
        super().__init__(Content(f"{tab.key} {tab.title}"), classes="tab")
        self._tab = tab
        self.set_class(active, "-active")

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.app.run_action(f"tab({self._tab.key})")


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
        self.query_one("#about", Static).update(Content(about))


class Notice(Static):
    """One line for what goes on or went wrong; not there when there is nothing to say."""

    def __init__(self) -> None:
        super().__init__(Content(""), id="notice")
        self.display = False

    def say(self, sentence: str, part: float | None = None) -> None:
        """Show a sentence, with how much is done."""
        done = "" if part is None else f"  {100 * part:.0f} %"
        self._show(sentence + done, error=False)

    def fail(self, sentence: str) -> None:
        """Show what went wrong, until something else is done."""
        self._show(sentence, error=True)

    def _show(self, sentence: str, error: bool) -> None:
        if not sentence and self.has_class("-error"):
            # An error stays until it is answered.
            return
        self.update(Content(sentence))
        self.display = bool(sentence)
        self.set_class(error, "-error")

    def clear(self) -> None:
        """Nothing to say any more."""
        self.remove_class("-error")
        self.display = False

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.clear()
