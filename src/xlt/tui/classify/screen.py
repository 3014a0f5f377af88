"""Classify: choose, plan, start; watch any run of this workspace, stop it, go on with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from xlt.errors import XltError
from xlt.tui.actions import bindings
from xlt.tui.classify import progress
from xlt.tui.classify.plan import PlanScreen, extent_words
from xlt.tui.classify.progress import RunRows, SoFar
from xlt.tui.classify.setup import Setup, SetupBar
from xlt.tui.jobs import Job
from xlt.tui.reading import TextScreen
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.rows import Rows
from xlt.tui.words import harmless

if TYPE_CHECKING:
    from xlt.corpus.extent import Extent
    from xlt.engine.follow import Follower, RunState
    from xlt.engine.process import Started

_LOOK, _TICK = 0.5, 0.25
"""Seconds from the end of a look at the run folders to the next, and between two thoughts of it."""
LISTED = 200


class ClassifyScreen(XltScreen):
    """What is chosen on top, the runs below it, then how the run at the cursor goes."""

    MODE = "classify"
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("classify")

    def __init__(self) -> None:
        super().__init__()
        self._extent: Extent | None = None
        self._runs = RunRows(())
        self._follower: Follower | None = None
        self._state: RunState | None = None
        self._seen = 0.0
        self._wanted: int | None = None
        """The process whose run is shown as soon as it has a folder."""

    def body(self) -> ComposeResult:
        yield SetupBar()
        yield Static(id="extent")
        yield Rows(id="runs")
        yield Static(id="headline")
        yield Static(id="gauge")
        yield Static(id="details")
        yield Rows(id="so-far")

    def on_mount(self) -> None:
        self.query_one(SetupBar).show(Setup.remembered(self.state))
        self.query_one("#runs", Rows).focus()
        self.set_interval(_TICK, self._tick)
        self.watch(self.app, "theme", lambda: self._draw(), init=False)
        self.look()

    def load(self) -> None:
        self._measure()

    # What is chosen

    @on(SetupBar.Changed)
    def _changed(self) -> None:
        self.state.update(vars(self.query_one(SetupBar).setup))
        self.clear()
        self._measure()

    def action_choose(self, what: str) -> None:
        """Choose the model, the task, languages, a condition, a limit."""
        self.query_one(SetupBar).choose(what)

    def _measure(self) -> None:
        setup = self.query_one(SetupBar).setup
        self.jobs.start("extent", lambda job: self._count(job, setup), self._counted)

    def _count(self, job: Job, setup: Setup) -> tuple[Extent, list[tuple[str, int]]]:
        from xlt.corpus.extent import extent, languages
        from xlt.corpus.stage import Selection

        selection = Selection((), langs=tuple(setup.langs), where=setup.where or None, limit=setup.limit)
        with job.corpus(self.xlt.corpus) as con:
            return extent(con, selection), languages(con)

    def _counted(self, found: tuple[Extent, list[tuple[str, int]]]) -> None:
        self._extent, self.query_one(SetupBar).languages = found
        self.query_one("#extent", Static).update(Content(extent_words(self._extent) + "     c plans it and starts"))

    # Starting, stopping, going on

    def action_plan(self) -> None:
        """Plan what is chosen, and start it."""
        setup = self.query_one(SetupBar).setup
        about = f"Classify {progress.asked_words(setup.asked)} with {setup.model}"
        arguments = setup.arguments(self.xlt.workspace, self.xlt.corpus)
        self.clear()
        self.app.push_screen(
            PlanScreen(arguments, self.xlt.workspace, about, self._extent),
            lambda wanted: self._start(arguments) if wanted else None,
        )

    def _start(self, arguments: list[str]) -> None:
        from xlt.engine.process import start

        try:
            self._begun(start(arguments, self.xlt.workspace))
        except XltError as error:
            self.fail(error)

    def _begun(self, started: Started) -> None:
        self.xlt.started.append(started)
        self._wanted = started.pid
        self.tell(f"Begun as process {started.pid}; it goes on when you leave this screen, or xlt.")
        self.look()

    def action_stop(self) -> None:
        """Stop the run at the cursor."""
        from xlt.engine.process import stop

        state = self._state
        if state is None or not state.at_work:
            self.tell("This run is not at work.")
            return
        for pid in state.pids:
            stop(pid)
        self.tell("Stopping; finished blocks are kept.")

    def action_resume(self) -> None:
        """Go on with the run at the cursor."""
        from xlt.engine.process import resume

        if self._state is None:
            return
        if self._state.at_work:
            self.tell("This run is at work.")
            return
        if self._state.phase == "complete":
            self.tell("This run is complete: there is nothing to go on with.")
            return
        try:
            self._begun(resume(self._state, self.xlt.workspace))
        except XltError as error:
            self.fail(error)

    def action_log(self) -> None:
        """What the run at the cursor said."""
        if self._state is not None:
            log = Text(harmless(self._state.log()) or "It has said nothing.")
            self.app.push_screen(TextScreen(str(self._state.folder), log, end=True))

    @on(Rows.Opened, "#runs")
    @on(Rows.Opened, "#so-far")
    async def _opened(self) -> None:
        if self._state is None:
            return
        if self.xlt.overview is None or all(run.id != self._state.id for run in self.xlt.overview.runs):
            self.tell("The corpus has no predictions of this run yet; they come when it is complete.")
            return
        self.xlt.choose_run(self._state.id)
        await self.app.run_action("app.tab(1)")

    # Watching

    def _tick(self) -> None:
        if self.xlt.screen is self and not self.jobs.running("look") and time.monotonic() - self._seen >= _LOOK:
            self.look()

    def look(self) -> None:
        """Look at the run folders."""
        self.jobs.start("look", self._look, self._looked)

    def _look(self, job: Job) -> tuple[list[RunState], RunState | None]:
        from xlt.corpus.store import runs_folder
        from xlt.engine.follow import runs

        follower = self._follower
        found = runs(runs_folder(self.xlt.corpus))[:LISTED]
        if follower is not None and not follower.folder.exists():
            follower = None
        return found, follower.look() if follower else None

    def _looked(self, found: tuple[list[RunState], RunState | None]) -> None:
        self._seen = time.monotonic()
        states, state = found
        rows = self.query_one("#runs", Rows)
        before = [each.id for each in self._runs.states]
        self._runs = RunRows(states)
        names = [each.id for each in states]
        at = rows.cursor
        mine = next((each.id for each in states if self._wanted in each.pids), None)
        if mine:
            at, self._wanted = names.index(mine), None
        elif self._follower is not None and self._follower.folder.name in names:
            at = names.index(self._follower.folder.name)
        elif not before and states:
            # The first look: what goes on comes first, then what stopped.
            order = [each.at_work for each in states], [each.phase == "stopped" for each in states]
            at = next((each.index(True) for each in order if True in each), 0)
        rows.show(self._runs, self._runs.columns(), at)
        rows.styles.height = min(len(states), max(2, self.size.height // 4)) + 1
        self._watch(at)
        if state is not None and self._follower is not None and state.folder == self._follower.folder:
            was, self._state = self._state, state
            if was is not None and was.id == state.id and was.at_work and not state.at_work:
                self.xlt.connect()
        self._draw()

    @on(Rows.Moved, "#runs")
    def _moved(self, event: Rows.Moved) -> None:
        self._watch(event.index)

    def _watch(self, index: int) -> None:
        from xlt.engine.follow import Follower

        if index >= len(self._runs):
            return
        state = self._runs.states[index]
        if self._follower is None or self._follower.folder != state.folder:
            self._follower, self._state = Follower(state.folder), state
            self._draw()

    def _draw(self) -> None:
        state = self._state
        self.set_class(state is None, "-none")
        if self.focused is None:
            # Nothing could have the focus while there was no run.
            self.query_one("#runs", Rows).focus()
        if state is None:
            self.query_one("#headline", Static).update(Text("No runs yet: c plans one and starts it.", "dim"))
            return
        self.query_one("#headline", Static).update(Text(progress.headline(state)))
        width = max(10, self.size.width - 2)
        part = state.done / state.total if state.total else 0.0
        gauge = self.query_one("#gauge", Static)
        gauge.update(Text(progress.gauge(part, width), "" if state.at_work else "dim"))
        gauge.display = state.phase != "complete"
        self.query_one("#details", Static).update(Text(progress.details(state), "dim"))
        rows = self.query_one("#so-far", Rows)
        found = SoFar(state, rows, self.app.current_theme.dark)
        # Its place stays, so that nothing moves when the first labels come.
        rows.visible = bool(len(found))
        rows.show(found, found.columns(rows.size.width or self.size.width))

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)
