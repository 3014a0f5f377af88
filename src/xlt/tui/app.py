"""The app: which workspace is open, which screens there are, and what holds for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.events import Event, InputEvent
from textual.screen import ModalScreen, Screen

from xlt.errors import Exit, UsageError, XltError
from xlt.tui import settings
from xlt.tui.actions import BY_ID, bindings
from xlt.tui.choice import Choice
from xlt.tui.here import Here, commands, here
from xlt.tui.jobs import Job, Jobs
from xlt.tui.screen import XltScreen
from xlt.tui.tabs import TABS, WELCOME
from xlt.tui.themes import DARK, THEMES, default_theme
from xlt.tui.typing import KeyByKey
from xlt.tui.warmth import Warmth

if TYPE_CHECKING:
    from xlt.corpus.overview import Overview
    from xlt.engine.process import Started
    from xlt.tui.label.writing import Writer

_HEAR = 0.5
"""Seconds between two looks at processes that were begun here."""


_KEPT = {
    "classify": "finished blocks are kept, and r goes on where it was",
    "models": "what was fetched is kept, and p goes on where it was",
    "quantise": "nothing of it is kept",
}
"""What is left of a process of this verb that was stopped."""


class XltApp(KeyByKey):
    """One workspace in the terminal."""

    CSS_PATH = "app.tcss"
    BINDINGS = bindings("app")
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {tab.mode: tab.make for tab in (*TABS, WELCOME)}
    TITLE = "xlt"

    def __init__(self, workspace: Path, corpus: Path | None = None) -> None:
        super().__init__()
        from xlt.corpus.store import corpus_path

        self.workspace = workspace
        self.corpus = corpus or corpus_path(workspace)
        self.overview: Overview | None = None
        """What the corpus holds; None until it was asked."""
        self.version = 0
        """Goes up when the corpus has changed."""
        self.started: list[Started] = []
        """Processes that were begun here; they go on without the app."""
        self.labels: Writer | None = None
        """Labels on their way into the corpus, once there are any."""
        self._recovered = 0
        """Labels of killed sessions among those."""
        self._stamp: tuple[int, int] | None = None
        self._wrong: str | None = None
        self._active: list[Here] = []
        self.warmth = Warmth(self)
        self.jobs = Jobs(self, self._say, self._fail, lambda error: self._fail(XltError(self.defect(error))))
        try:
            self.settings = settings.load(workspace, frozenset(BY_ID))
        except UsageError as error:
            self.settings = settings.Settings(workspace)
            self._wrong = str(error)
        for theme in THEMES:
            self.register_theme(theme)
        wanted = self.settings.theme or self.settings.of("app").get("theme") or default_theme(os.environ)
        self.theme = wanted if wanted in self.available_themes else DARK
        self.set_keymap(self.settings.keys)

    # What is open

    @property
    def about(self) -> str:
        """What is open, for the bar on top."""
        parts = [self.corpus.name if self.corpus.exists() else "no corpus"]
        if self.overview is not None:
            parts.append(f"{self.overview.posts:,} posts")
            run = self.overview.run(self.run_id)
            parts.append(f"run {run.id}, {run.model}" if run else "no run yet")
        return "xlt  " + " · ".join(parts)

    @property
    def run_id(self) -> str | None:
        """The run that the user chose; None for the newest."""
        found = self.settings.of("app").get("run")
        return found if isinstance(found, str) else None

    @property
    def busy(self) -> bool:
        """Whether something is at work on a screen that is seen, or it is not yet known what the corpus holds."""
        asked = self.overview is not None or not self.corpus.exists()
        screens = [each for each in self.screen_stack if isinstance(each, XltScreen)]
        return not asked or self.jobs.busy or any(each.jobs.busy for each in screens)

    def choose_run(self, run: str) -> None:
        """Show this run on every screen."""
        self.settings.of("app")["run"] = run
        self.version += 1
        screen = self._own_screen()
        if screen is not None:
            screen.refresh_corpus()

    def on_mount(self) -> None:
        wanted = self.settings.of("app").get("mode")
        known = {tab.mode: tab for tab in TABS}
        mode = wanted if wanted in known else TABS[0].mode
        self.switch_mode(mode if self.corpus.exists() else WELCOME.mode)
        self.set_interval(_HEAR, self._hear)
        self.set_interval(_HEAR, self.warmth.look)
        # After the first paint: DuckDB's import alone would be seen.
        self.call_after_refresh(self.connect)

    def connect(self) -> None:
        """Ask the corpus what it holds, if there is one and it has changed; screens load themselves anew."""
        if not self.corpus.exists():
            self.overview = None
            self._fit_mode()
            self._complain()
            return
        self._recover()
        status = self.corpus.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if self.overview is None or stamp != self._stamp:
            self._stamp = stamp
            self.jobs.start("overview", self._ask, self._connected)

    @property
    def writer(self) -> Writer:
        """Where labels go."""
        from xlt.tui.label.writing import Writer

        if self.labels is None:
            self.labels = Writer(self, self.corpus, self._say, self._fail, self.defect)
            self.labels.heard = self.hear_labels
        return self.labels

    def hear_labels(self) -> None:
        """Show the corpus as it is when no label waits any more."""
        if not self.writer.waiting:
            self.connect()
            if self.jobs.running("overview") is None:
                # What was asked before the last label was heard of has seen it already.
                self._say_recovered()

    def _recover(self) -> None:
        """Write what sessions that were killed have left, whatever screen is shown."""
        from xlt.corpus.journal import Journal

        if any(Journal(self.corpus).left()):
            self._recovered += self.writer.recover()

    def _ask(self, job: Job) -> Overview:
        from xlt.corpus.overview import overview

        with job.corpus(self.corpus) as con:
            return overview(con)

    def _connected(self, found: Overview) -> None:
        self.overview = found
        self.version += 1
        self._fit_mode()
        screen = self._own_screen()
        if screen is not None:
            screen.refresh_corpus()
            self._say_recovered()
        self._complain()

    def _say_recovered(self) -> None:
        screen = self._own_screen()
        if screen is not None and self._recovered and not self.writer.waiting:
            screen.tell(f"Labels of a session that was cut short are in the corpus now: {self._recovered:,}.")
            self._recovered = 0

    def _fit_mode(self) -> None:
        """Show the welcome where a screen would have nothing to show, and only there."""
        empty = self.overview is None or not self.overview.posts
        tab = next((tab for tab in TABS if tab.mode == self.current_mode), WELCOME)
        if empty and tab.needs_posts:
            self.switch_mode(WELCOME.mode)
        elif not empty and tab is WELCOME:
            self.switch_mode(TABS[0].mode)

    def _complain(self) -> None:
        """Say once what is wrong with xlt.toml, when the screen has nothing else to say."""
        if self._wrong:
            self._fail(XltError(self._wrong))
            self._wrong = None

    async def on_event(self, event: Event) -> None:
        if isinstance(event, InputEvent):
            self.warmth.touched()
        await super().on_event(event)

    def on_app_focus(self) -> None:
        # Others may have written to the corpus meanwhile.
        self.connect()

    # What is said

    def _own_screen(self) -> XltScreen | None:
        return next((each for each in reversed(self.screen_stack) if isinstance(each, XltScreen)), None)

    def _say(self, sentence: str, part: float | None) -> None:
        screen = self._own_screen()
        if screen is not None and screen.is_mounted:
            screen.say(sentence, part)

    def _fail(self, error: XltError) -> None:
        screen = self._own_screen()
        if screen is not None and screen.is_mounted:
            screen.fail(error)

    def defect(self, error: Exception) -> str:
        """Note an error that is xlt's own fault; the sentence for the user."""
        from xlt.tui.defects import note

        return note(self.workspace, error)

    def _hear(self) -> None:
        """Say how a process ended that was begun here, on whichever screen the user is by then."""
        for each in [each for each in self.started if each.code is not None]:
            self.started.remove(each)
            self.connect()
            screen = self._own_screen()
            if screen is None or not screen.is_mounted:
                continue
            verb = each.arguments[0]
            if each.code in (Exit.DONE, Exit.REJECTED_ROWS):
                screen.tell(each.said() or f"xlt {verb} is done.")
            elif each.code == Exit.INTERRUPTED or (each.code or 0) < 0:
                what = " ".join(each.arguments[:2]) if verb == "models" else verb
                screen.tell(f"xlt {what} was stopped; {_KEPT.get(verb, 'what it has done is kept')}.")
            else:
                screen.fail(XltError(each.said() or f"xlt {verb} ended with {each.code}."))

    # Actions

    def action_tab(self, number: int) -> None:
        """Show a screen."""
        tab = next((tab for tab in TABS if tab.key == str(number)), None)
        if tab is None:
            return
        if tab.needs_posts and (self.overview is None or not self.overview.posts) and not self.jobs.running("overview"):
            self._fail(XltError("There are no posts yet: i imports a file, d loads the sample."))
            return
        self.switch_mode(tab.mode)
        self.connect()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A number without a screen is no key."""
        if action == "tab":
            return any(tab.key == str(parameters[0]) for tab in TABS)
        return True

    def action_help(self) -> None:
        """Show what every key does here."""
        from xlt.tui.help import HelpScreen

        self.push_screen(HelpScreen(here(self)))

    def action_command_palette(self) -> None:
        """Show everything that can be done here."""
        # The palette takes the focus, and with it the bindings.
        self._active = here(self)
        super().action_command_palette()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that the palette offers."""
        yield from commands(self, self._active)
        yield SystemCommand("Theme", "Change the colours of the app.", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save the screen as an SVG file.", self.deliver_screenshot)

    def action_import(self) -> None:
        """Bring a file into the corpus."""
        from xlt.tui.imports import ImportScreen

        self.push_screen(ImportScreen())

    def action_reload(self) -> None:
        """Ask the corpus again."""
        self._stamp = None
        self.connect()

    async def action_back(self) -> None:
        """Back to where you came from, or out."""
        if isinstance(self.screen, ModalScreen) or len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            await self.action_quit()

    def action_return(self) -> None:
        """Back to where you came from; on a first screen one escape too many does nothing."""
        if isinstance(self.screen, ModalScreen) or len(self.screen_stack) > 1:
            self.pop_screen()

    async def action_quit(self) -> None:
        """Leave xlt; wait for labels that are not written, and ask what becomes of a run that goes on."""
        if self.labels is not None and self.labels.waiting:
            from xlt.tui.label.leaving import Leaving

            self.push_screen(Leaving(self.labels), self._unburdened)
            return
        going = [each for each in self.started if each.code is None]
        if not going:
            self._leave()
            return
        verbs = {each.arguments[0] for each in going}
        one = "A run goes on" if verbs == {"classify"} else f"xlt {' '.join(going[0].arguments[:2])} goes on"
        what, them = (one, "it") if len(going) == 1 else (f"{len(going)} processes go on", "them")
        kept = "; ".join(dict.fromkeys(_KEPT.get(verb, "what is done is kept") for verb in sorted(verbs)))
        options = [
            ("stay", "stay here"),
            ("leave", "leave; what goes on is found here again"),
            ("stop", f"stop {them} and leave; {kept}"),
        ]
        self.push_screen(Choice(f"{what}: leave xlt?", options), self._left)

    def _unburdened(self, leave: bool | None) -> None:
        if leave and self.labels is not None:
            self.labels.stop()
            self.labels = None
            self.call_later(self.action_quit)

    def _left(self, chosen: str | None) -> None:
        if chosen == "leave":
            self._leave()
        elif chosen == "stop":
            going = list(self.started)
            self.jobs.start("stop", lambda job: _end(going), lambda _: self._leave(), about="Stopping")

    def _leave(self) -> None:
        """Keep what was chosen, and end."""
        self.settings.of("app")["theme"] = self.theme
        if self.current_mode in {tab.mode for tab in TABS}:
            self.settings.of("app")["mode"] = self.current_mode
        self.settings.save()
        self.jobs.cancel_all()
        self.exit()


def _end(processes: Sequence[Started]) -> None:
    for each in processes:
        each.stop()
    for each in processes:
        each.end()
