"""What every screen has: the bar on top, a line for what goes on, the footer, and its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.screen import Screen

from xlt.errors import XltError
from xlt.tui.jobs import Jobs
from xlt.tui.tabs import TABS
from xlt.tui.widgets.bar import Notice, TopBar
from xlt.tui.widgets.keys import Keys

if TYPE_CHECKING:
    from xlt.tui.app import XltApp


class XltScreen(Screen[None]):
    """A numbered screen. Give it `MODE`, `body`, `load`, and bindings of its own scope."""

    MODE = ""
    # Focus goes where the reader looks, not to the first thing on the screen.
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        # It will be mounted with the styles that hold now; Textual would read all of them anew for every new screen.
        self._css_update_count = self.app._css_update_count
        self.jobs = Jobs(self, self.say, self.fail, self.defect)
        self._shown = -1

    @property
    def xlt(self) -> XltApp:
        """The app, by its own type."""
        return cast("XltApp", self.app)

    @property
    def state(self) -> dict[str, Any]:
        """What this screen remembers of the workspace; kept when the app ends."""
        return self.xlt.settings.of(self.MODE)

    def compose(self) -> ComposeResult:
        yield TopBar(TABS, self.MODE)
        yield from self.body()
        yield Notice()
        yield Keys()

    def body(self) -> ComposeResult:
        """What stands between the bar and the footer."""
        yield from ()

    def load(self) -> None:
        """Ask the corpus, in jobs; called when the screen is shown and the corpus is another than it last showed."""

    def on_screen_resume(self) -> None:
        self.query_one(TopBar).say(self.xlt.about)
        self.refresh_corpus()

    def refresh_corpus(self) -> None:
        """Load what the corpus holds now, unless it is on the screen already."""
        if not self.is_mounted:
            # It has only just been made, and asks when it is shown.
            return
        self.query_one(TopBar).say(self.xlt.about)
        if self.xlt.overview is not None and self._shown != self.xlt.version:
            self._shown = self.xlt.version
            self.load()

    def on_unmount(self) -> None:
        self.jobs.cancel_all()

    def say(self, sentence: str, part: float | None = None) -> None:
        """A line for what goes on; empty when it is over."""
        self.query_one(Notice).say(sentence, part)

    def tell(self, sentence: str) -> None:
        """What was done."""
        self.query_one(Notice).tell(sentence)

    def fail(self, error: XltError) -> None:
        """What went wrong, where it happened."""
        self.query_one(Notice).fail(str(error))

    def defect(self, error: Exception) -> None:
        """What should not happen."""
        self.query_one(Notice).fail(self.xlt.defect(error))

    def clear(self) -> None:
        """Take a sentence about an error away."""
        self.query_one(Notice).clear()
