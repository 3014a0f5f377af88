"""Label: the draws of the corpus and how far they are coded; from here people draw, code, settle and compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Center, Middle, Vertical
from textual.content import Content
from textual.widgets import Static

from xlt.corpus.coding import Role
from xlt.errors import XltError
from xlt.tui.actions import bindings
from xlt.tui.choice import Choice
from xlt.tui.jobs import Job
from xlt.tui.label.board import DrawRows, Progress, draw_words
from xlt.tui.label.people import People, ask_coder
from xlt.tui.label.writing import Writer
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from xlt.corpus.coding import Item
    from xlt.corpus.draws import Draw
    from xlt.corpus.labelled import Run
    from xlt.tasks.spec import Task

WELCOME = """\
Nothing is drawn to be coded yet.

Labels that people give are what a model learns from, what it is measured by,
and what corrects its shares. A label is worth more when it is known how its
text was chosen, so xlt draws the texts at random and keeps how.

n   draw texts to code
b   the codebook: what the labels mean
"""


class LabelScreen(XltScreen):
    """The draws, the newest first, and below them how far the one at the cursor is."""

    MODE = "label"
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("label")

    def __init__(self) -> None:
        super().__init__()
        self._draws = DrawRows(())
        self._items: list[Item] = []
        self._items_of: str | None = None
        self._known: list[str] = []
        self._wanted: str | None = None
        """The draw that the cursor goes to when it is here."""

    def body(self) -> ComposeResult:
        with Vertical(id="some"):
            yield Chip("coder", "coder", "who codes")
            yield Rows(id="draws")
            yield Static(id="about-draw")
            yield Rows(id="progress")
        with Middle(id="none"), Center():
            yield Static(Content(WELCOME), id="welcome")

    def on_mount(self) -> None:
        self.set_class(True, "-unknown")
        self.query_one("#draws", Rows).focus()

    @property
    def people(self) -> People:
        """Who codes, and what they read."""
        return People(self.state)

    @property
    def writer(self) -> Writer:
        """Where labels go."""
        return self.xlt.writer

    # What there is

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.writer.heard = self.xlt.hear_labels
        self._say_coder()
        # Coded meanwhile.
        self.xlt.hear_labels()

    def load(self) -> None:
        self._items_of = None
        self.jobs.start("draws", self._read, self._show)

    def _read(self, job: Job) -> tuple[list[Draw], list[str]]:
        from xlt.corpus.coding import coders
        from xlt.corpus.draws import draws

        with job.corpus(self.xlt.corpus) as con:
            found = draws(con)
            return found, sorted({each for task in {draw.task for draw in found} for each in coders(con, task)})

    def _show(self, found: tuple[list[Draw], list[str]]) -> None:
        drawn, self._known = found
        rows = self.query_one("#draws", Rows)
        before = self._wanted or (self._draws.draws[rows.cursor].id if rows.cursor < len(self._draws) else None)
        self._draws, self._wanted = DrawRows(drawn), None
        self.set_class(False, "-unknown")
        self.set_class(not drawn, "-none")
        ids = [draw.id for draw in self._draws.draws]
        columns = self._draws.columns(rows.size.width or self.size.width)
        rows.show(self._draws, columns, ids.index(before) if before in ids else 0)
        rows.styles.height = min(len(ids), max(3, self.size.height // 3)) + 1
        if self.focused is None and drawn:
            # Nothing could have the focus while there was no draw.
            rows.focus()

    @property
    def draw_here(self) -> Draw | None:
        """The draw at the cursor."""
        at = self.query_one("#draws", Rows).cursor
        return self._draws.draws[at] if at < len(self._draws) else None

    @on(Rows.Moved, "#draws")
    def _moved(self) -> None:
        draw = self.draw_here
        if draw is not None and draw.id != self._items_of:
            self.jobs.start(
                "items", lambda job: self._read_items(job, draw), lambda found: self._show_items(draw, found)
            )

    def _read_items(self, job: Job, draw: Draw) -> list[Item]:
        from xlt.corpus.coding import items

        with job.corpus(self.xlt.corpus) as con:
            return items(con, draw)

    def _show_items(self, draw: Draw, found: list[Item]) -> None:
        self._items, self._items_of = found, draw.id
        self.query_one("#about-draw", Static).update(Content(draw_words(draw, found)))
        self._draw_progress()

    def _draw_progress(self) -> None:
        progress, rows = Progress(self._items, self.people.coder), self.query_one("#progress", Rows)
        rows.show(progress, progress.columns(rows.size.width or self.size.width), 0)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        rows = self.query_one("#draws", Rows)
        if len(self._draws):
            rows.show(self._draws, self._draws.columns(rows.size.width), rows.cursor)
        self._draw_progress()

    def _say_coder(self) -> None:
        coder = self.people.coder
        self.query_one(Chip).say(f"{coder} codes" if coder else "who codes?", active=bool(coder))

    # What the user does

    @on(Rows.Opened, "#draws")
    @on(Rows.Opened, "#progress")
    def _opened(self) -> None:
        self._begin("coder")

    def action_settle(self) -> None:
        """Decide where coders disagree."""
        self._begin("adjudicator")

    def _begin(self, role: Role) -> None:
        draw = self.draw_here
        if draw is None:
            return
        self.clear()
        if self.people.coder is None:
            self._ask_coder(lambda: self._begin(role))
        elif self.writer.waiting:
            # The labels of a moment ago would be asked for again.
            self.set_timer(0.1, lambda: self._begin(role))
        else:
            # As it is now: others may have coded meanwhile.
            self.jobs.start(
                "items", lambda job: self._read_items(job, draw), lambda found: self._code(draw, found, role)
            )

    def _code(self, draw: Draw, found: list[Item], role: Role) -> None:
        from xlt.tui.label.coding import CodingScreen
        from xlt.tui.label.session import Session

        self._show_items(draw, found)
        spec, coder = self._spec(draw.task), self.people.coder or ""
        if spec is None:
            return
        session = Session(draw, found, spec, coder, role)
        if session.total:
            self.app.push_screen(CodingScreen(session, self.people, self.writer, self._run_of(draw)))
        elif role == "adjudicator":
            self.tell("There is nothing to settle: no text of this draw has different labels.")
        else:
            others = sorted({each for item in found for each in item.coders})
            self.tell(f"This draw is for {', '.join(others)}, and {coder} codes here; w changes that.")

    def _spec(self, named: str) -> Task | None:
        from xlt.tasks.load import find_task

        try:
            return find_task(named, self.xlt.workspace)
        except XltError as error:
            self.fail(error)
            return None

    def _run_of(self, draw: Draw) -> Run | None:
        """The run that is shown, if it is of the draw's task; else the newest that is."""
        about = self.xlt.overview
        runs = [run for run in (about.runs if about else ()) if run.task == draw.task]
        return next((run for run in runs if run.id == self.xlt.run_id), runs[0] if runs else None)

    def action_coder(self) -> None:
        """Say who codes."""
        self._ask_coder(lambda: None)

    def _ask_coder(self, then: Callable[[], None]) -> None:
        def said(coder: str) -> None:
            self.people.coder = coder
            self.xlt.settings.save()
            self._say_coder()
            self._draw_progress()
            then()

        ask_coder(self.xlt, self._known, self.people.coder, said)

    def action_draw(self) -> None:
        """Draw texts to code."""
        from xlt.tui.label.drawing import DrawScreen

        about = self.xlt.overview
        run = about.run(self.xlt.run_id) if about else None
        self.app.push_screen(DrawScreen(self.xlt.corpus, self._named, run, self.people.coder), self._drawn)

    @property
    def _named(self) -> str:
        """The task that is coded: that of the draw at the cursor, else of the run that is shown."""
        about = self.xlt.overview
        run = about.run(self.xlt.run_id) if about else None
        if self.draw_here is not None:
            return self.draw_here.task
        return run.task if run else "immigration"

    def _drawn(self, draw: Draw | None) -> None:
        if draw is not None:
            self._wanted = draw.id
            self.tell(f"Drawn: {draw.drawn:,} of {draw.frame_size:,} {draw.unit}; enter codes them.")
            self.xlt.action_reload()

    def action_remove(self) -> None:
        """Take a draw back."""
        draw = self.draw_here
        if draw is None:
            return
        options = [("no", "keep it"), ("yes", f"take it back: its {draw.drawn:,} {draw.unit} can be drawn again")]
        self.app.push_screen(
            Choice(f"Take the draw {draw.id} back?", options),
            lambda said: self._remove(draw) if said == "yes" else None,
        )

    def _remove(self, draw: Draw) -> None:
        def work(job: Job) -> None:
            from xlt.corpus import gate
            from xlt.corpus.draws import find_draw, remove_draw

            with gate.opened(self.xlt.corpus, write=True) as con:
                # As it is now: somebody may have coded meanwhile.
                remove_draw(con, find_draw(con, draw.id))

        self.clear()
        self.jobs.start("remove", work, lambda _: self.xlt.action_reload())

    def action_agreement(self) -> None:
        """Do coders agree?"""
        from xlt.tui.label.agreement import AgreementScreen

        draw = self.draw_here
        if draw is None:
            self.tell("Nothing is drawn yet: n draws.")
        elif (spec := self._spec(draw.task)) is not None:
            self.app.push_screen(AgreementScreen(self.xlt.corpus, spec, draw, self._run_of(draw)))

    def action_codebook(self) -> None:
        """What the labels mean."""
        from xlt.tui.label.book import book_screen
        from xlt.tui.scheme import scheme_of_task

        if (spec := self._spec(self._named)) is not None:
            self.app.push_screen(book_screen(spec, scheme_of_task(spec), self.app.current_theme.dark))
