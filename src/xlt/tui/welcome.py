"""A workspace with nothing in it: import a file, or load the sample, one key each."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Center, Middle, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from xlt.tui.actions import BY_ID, bindings
from xlt.tui.box import Box
from xlt.tui.screen import XltScreen
from xlt.tui.tabs import TABS
from xlt.tui.waiting import run_xlt

ABOUT = """\
xlt

A pile of posts in many languages, and a question: what share of them is about immigration, and of those, how many \
speak for it and how many against, language by language, month by month?

xlt answers on your own machine, offline. A small language model, tuned on a few hundred labelled posts in one or a \
few languages, gives every post a label and a probability for every label. The posts and the answers lie in one DuckDB \
file, the corpus of this workspace.

{screens}

What the shares are: the classifier's, uncorrected. A language that the model was not tuned on is marked unseen.
Colour means stance and nothing else; the patterns █ ▒ ░ say the same without colour.

Everything that can be done here can be done on the command line: xlt --help.
"""


class AboutScreen(Box[None]):
    """One page about xlt."""

    def compose(self) -> ComposeResult:
        screens = [f" {tab.key}  {tab.title:<10} {BY_ID[f'app.tab-{tab.key}'].about}" for tab in TABS]
        with VerticalScroll(classes="box"):
            yield Static(Content(ABOUT.format(screens="\n".join(screens))))


class WelcomeScreen(XltScreen):
    """Shown while there are no posts."""

    MODE = "welcome"
    CSS_PATH = "welcome.tcss"
    BINDINGS = bindings("welcome")

    def body(self) -> ComposeResult:
        with Middle(), Center():
            yield Static(
                Content(
                    "Nothing here yet.\n\n"
                    "i   import a file   (Parquet, CSV, JSONL, X exports …)\n"
                    "d   load the sample: invented posts in 13 languages, labelled by a tiny model\n"
                    "?   what xlt does, in one page"
                ),
                id="welcome",
            )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What does not run can't be stopped."""
        return action != "stop" or self.jobs.running("sample") is not None

    def action_sample(self) -> None:
        """Load the bundled sample and classify it."""
        if self.jobs.running("sample"):
            return
        self.clear()
        folder = self.xlt.workspace
        self.jobs.start(
            "sample", lambda job: run_xlt(job, ["demo", str(folder)], folder, "Loading the sample"), self._loaded
        )
        self.refresh_bindings()

    def action_import(self) -> None:
        """Bring a file into the corpus."""
        self.xlt.action_import()

    def action_about(self) -> None:
        """One page about xlt."""
        self.app.push_screen(AboutScreen())

    def action_stop(self) -> None:
        """Stop loading the sample."""
        if self.jobs.cancel("sample"):
            self.refresh_bindings()
            self.tell("Stopped.")

    def _loaded(self, narrated: list[str]) -> None:
        self.xlt.connect()
