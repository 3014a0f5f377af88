"""Classify: choose, plan, start; watch any run of this workspace, stop it, go on with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from xlt.errors import Exit, UsageError, XltError
from xlt.tui.actions import bindings
from xlt.tui.box import Box
from xlt.tui.choice import Line
from xlt.tui.classify import progress
from xlt.tui.classify.plan import PlanScreen, extent_words
from xlt.tui.classify.progress import RunRows, SoFar
from xlt.tui.jobs import Job
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.picker import Item, Picker
from xlt.tui.widgets.rows import Rows
from xlt.tui.words import harmless

if TYPE_CHECKING:
    from xlt.corpus.extent import Extent
    from xlt.engine.follow import Follower, RunState
    from xlt.engine.process import Started

_LOOK = 0.5
"""Seconds between two looks at the run folders."""
LISTED = 200


@dataclass
class Setup:
    """What would be classified with what."""

    model: str = "xlt-mini"
    task: str = ""
    """Empty: the one that the model was tuned for."""
    langs: list[str] = field(default_factory=list)
    where: str = ""
    limit: int | None = None


class LogScreen(Box[None]):
    """What a run said, and when."""

    def __init__(self, title: str, log: str) -> None:
        super().__init__()
        self._title, self._log = title, log

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(Text(self._title), classes="title")
            yield Static(Text(harmless(self._log) or "It has said nothing."))

    def on_mount(self) -> None:
        box = self.query_one(VerticalScroll)
        box.focus()
        box.scroll_end(animate=False)


class ClassifyScreen(XltScreen):
    """What is chosen on top, the runs below it, then how the run at the cursor goes."""

    MODE = "classify"
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("classify")

    def __init__(self) -> None:
        super().__init__()
        self.setup = Setup()
        self._extent: Extent | None = None
        self._languages: list[tuple[str, int]] = []
        self._runs = RunRows(())
        self._follower: Follower | None = None
        self._state: RunState | None = None
        self._told: set[int] = set()
        self._wanted: int | None = None
        """The process whose run is shown as soon as it has a folder."""

    def body(self) -> ComposeResult:
        with Horizontal(classes="chips"):
            for name in ("model", "task", "langs", "where", "limit"):
                yield Chip(f"choose('{name}')", name, name)
        yield Static(id="extent")
        yield Rows(id="runs")
        yield Static(id="headline")
        yield Static(id="gauge")
        yield Static(id="details")
        yield Rows(id="so-far")

    def on_mount(self) -> None:
        kept = {key: self.state[key] for key in vars(self.setup) if key in self.state}
        try:
            self.setup = Setup(**kept)
        except TypeError:
            self.setup = Setup()
        self._say_setup()
        self.query_one("#runs", Rows).focus()
        self.set_interval(_LOOK, self._tick)
        self.watch(self.app, "theme", lambda: self._draw(), init=False)
        self._tick()

    def load(self) -> None:
        self._measure()

    # What is chosen

    def _say_setup(self) -> None:
        setup = self.setup
        asked = progress.asked_words({"langs": setup.langs})
        said = {
            "model": (setup.model, True),
            "task": (setup.task or "its task", bool(setup.task)),
            "langs": (asked if setup.langs else "all languages", bool(setup.langs)),
            "where": (f"where {setup.where}" if setup.where else "no condition", bool(setup.where)),
            "limit": (
                f"the first {setup.limit:,}" if setup.limit is not None else "all posts",
                setup.limit is not None,
            ),
        }
        for chip in self.query(Chip):
            words, active = said[chip.name or ""]
            chip.say(words if len(words) < 40 else words[:39] + "…", active)

    def _measure(self) -> None:
        self.jobs.start("extent", self._count, self._counted)

    def _count(self, job: Job) -> tuple[Extent, list[tuple[str, int]]]:
        from xlt.corpus.extent import extent, languages
        from xlt.corpus.stage import Selection

        setup = self.setup
        selection = Selection((), langs=tuple(setup.langs), where=setup.where or None, limit=setup.limit)
        with job.corpus(self.xlt.corpus) as con:
            return extent(con, selection), languages(con)

    def _counted(self, found: tuple[Extent, list[tuple[str, int]]]) -> None:
        self._extent, self._languages = found
        self.query_one("#extent", Static).update(Content(extent_words(self._extent) + "     c plans it and starts"))

    def _change(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.setup, name, value)
        self.state.update(vars(self.setup))
        self.clear()
        self._say_setup()
        self._measure()

    def action_choose(self, what: str) -> None:
        """Choose the model, the task, languages, a condition, a limit."""
        setup = self.setup
        if what == "model":
            self.jobs.start("models", self._models, self._choose_model, about="Looking for models")
        elif what == "task":
            from xlt.tasks.load import builtin_names

            own = [str(path) for path in sorted(self.xlt.workspace.glob("*.toml")) if path.name != "xlt.toml"]
            items = [Item("", "the model's own", "", "The task that the model was tuned for; immigration for a base.")]
            items += [Item(name, name) for name in (*builtin_names(), *own)]
            self.app.push_screen(Picker("Task", items, setup.task), self._chose_task)
        elif what == "langs":
            there = ", ".join(f"{code} ({posts:,})" for code, posts in self._languages[:8])
            title = "Only these languages, such as en,de; none for all"
            self.app.push_screen(Line(title, ",".join(setup.langs), there), self._chose_langs)
        elif what == "where":
            hint = "created_at >= '2024-01-01' AND country = 'DE'"
            self.app.push_screen(
                Line("Only posts for which this SQL condition holds", setup.where, hint), self._chose_where
            )
        else:
            now = "" if setup.limit is None else str(setup.limit)
            self.app.push_screen(Line("Only the first so many posts; none for all", now, "1000"), self._chose_limit)

    def _models(self, job: Job) -> list[Item]:
        from xlt.cards.listing import known

        items = []
        for each in known(self.xlt.workspace):
            if each.where == "not downloaded" or each.problem:
                continue
            tuned = f"tuned for {each.task} on {', '.join(each.languages)}" if each.task else "a base model, not tuned"
            items.append(Item(each.name, each.name, each.title, f"{tuned}\n{each.where}, {each.size / 1e9:.2f} GB"))
        return items

    def _choose_model(self, items: list[Item]) -> None:
        self.app.push_screen(
            Picker("Model", items, self.setup.model), lambda name: self._change(model=name) if name else None
        )

    def _chose_task(self, name: str | None) -> None:
        if name is not None:
            self._change(task=name)

    def _chose_langs(self, given: str | None) -> None:
        if given is not None:
            from xlt.languages import canonical

            self._change(langs=[canonical(part.strip()) for part in given.split(",") if part.strip()])

    def _chose_where(self, given: str | None) -> None:
        if given is not None:
            self._change(where=given.strip())

    def _chose_limit(self, given: str | None) -> None:
        if given is None:
            return
        number = given.strip().replace(",", "")
        if number and not number.isdecimal():
            self.fail(UsageError(f"{given} is no number of posts."))
            return
        self._change(limit=int(number) if number else None)

    # Starting, stopping, going on

    def _arguments(self) -> list[str]:
        from xlt.engine.process import classify_corpus

        setup = self.setup
        arguments = classify_corpus(
            self.xlt.workspace,
            model=setup.model,
            task=setup.task,
            langs=setup.langs,
            where=setup.where,
            limit=setup.limit,
        )
        # The corpus may not be the workspace's own.
        arguments[1] = str(self.xlt.corpus.resolve())
        return arguments

    def action_plan(self) -> None:
        """Plan what is chosen, and start it."""
        asked = {"langs": self.setup.langs, "where": self.setup.where, "limit": self.setup.limit}
        about = f"Classify {progress.asked_words(asked)} with {self.setup.model}"
        arguments = self._arguments()
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
        self._tick()

    def action_stop(self) -> None:
        """Stop the run at the cursor."""
        from xlt.engine.process import stop

        state = self._state
        if state is None or not state.at_work:
            self.tell("This run is not at work.")
            return
        for pid in state.pids:
            stop(pid)
        self.tell("Stopping; what is scored is kept.")

    def action_resume(self) -> None:
        """Go on with the run at the cursor."""
        from xlt.engine.process import resume

        if self._state is None:
            return
        if self._state.at_work:
            self.tell("This run is at work.")
            return
        try:
            self._begun(resume(self._state, self.xlt.workspace))
        except XltError as error:
            self.fail(error)

    def action_log(self) -> None:
        """What the run at the cursor said."""
        if self._state is not None:
            self.app.push_screen(LogScreen(f"{self._state.folder}", self._state.log()))

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
        if self.jobs.running("look") is None and self.xlt.screen is self:
            self.jobs.start("look", self._look, self._looked)
        self._hear()

    def _look(self, job: Job) -> tuple[list[RunState], RunState | None]:
        from xlt.corpus.store import runs_folder
        from xlt.engine.follow import runs

        follower = self._follower
        found = runs(runs_folder(self.xlt.corpus))[:LISTED]
        if follower is not None and not follower.folder.exists():
            follower = None
        return found, follower.look() if follower else None

    def _looked(self, found: tuple[list[RunState], RunState | None]) -> None:
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

    def _hear(self) -> None:
        """Say how the processes ended that were begun here."""
        for each in self.xlt.started:
            code = each.code
            if code is None or each.pid in self._told:
                continue
            self._told.add(each.pid)
            self.xlt.connect()
            if code in (Exit.DONE, Exit.REJECTED_ROWS):
                self.tell(each.said() or "Done.")
            elif code == Exit.INTERRUPTED or code < 0:
                self.tell("Stopped. What is scored is kept: r goes on with it.")
            else:
                self.fail(XltError(each.said() or f"xlt {each.arguments[0]} ended with {code}."))
