"""Breakdown: shares of topic and stance, a row for each language or whatever is asked for, a bar for each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on

from xlt.corpus.filters import Filter
from xlt.tui import filtering
from xlt.tui.actions import bindings
from xlt.tui.breakdown.board import BY, UNITS
from xlt.tui.breakdown.listing import BarList
from xlt.tui.choice import Choice, Line
from xlt.tui.filtering import FilterScreen
from xlt.tui.jobs import Job
from xlt.tui.scheme import part_at
from xlt.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Unit


class BreakdownScreen(BarList):
    """The first screen."""

    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("breakdown")

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        self._say_row(event.index)

    @on(Rows.Sideways)
    def _sideways(self, event: Rows.Sideways) -> None:
        if self._source is None or self._board is None or self._board.scheme is None:
            return
        places = len(self._board.scheme.classes) + 1
        now = -1 if self._source.part is None else self._source.part
        step = (now + 1 + event.step) % places - 1
        self._source.part = None if step < 0 else step
        self.query_one(Rows).changed()
        self._say_row(event.index)

    @on(Rows.Opened)
    def _opened(self, event: Rows.Opened) -> None:
        from xlt.corpus.selection import Wanted
        from xlt.tui.posts.screen import PostsScreen

        if self._source is None or self._board is None:
            return
        pair, is_second = self._source.at(event.index)
        row = pair.second if is_second else pair.first
        scheme = self._board.scheme
        if row is None:
            return
        part = self._source.part
        if event.column == "bar" and scheme is not None:
            part = part_at(row, scheme, self.query_one(Rows).width_of("bar"), event.part)
        elif event.column is not None:
            part = None
        whole = pair is self._source.pairs[-1]
        labels = () if scheme is None else scheme.classes[part].labels if part is not None else scheme.labels
        wanted = Wanted(
            filter=self.view.filter,
            cell=() if whole else ((self.view.by, pair.key),),
            labels=labels,
            order="confidence" if part is not None else "corpus",
        )
        short = f" · {scheme.classes[part].short}" if scheme and part is not None else ""
        filtered = filtering.words(self.view.filter)
        title = pair.title + short + (f" · {filtered}" if filtered else "")
        run = self._board.second if is_second else self._board.run
        if self.view.by == "run" and self.xlt.overview and not whole:
            run, wanted = self.xlt.overview.run(pair.key), replace(wanted, cell=())
        posts = PostsScreen(wanted, title, run.id if run else None)
        posts.begin(self.xlt)
        self.app.push_screen(posts)

    @on(Rows.HeaderClicked)
    def _header(self, event: Rows.HeaderClicked) -> None:
        if event.column == "bar":
            return
        self._sort(event.column)

    def _sort(self, column: str) -> None:
        same = self.view.sort == column
        down = not self.view.descending if same else column != "key"
        self._view = replace(self.view, sort=column, descending=down)
        self.state.update(self._view.kept())
        self._draw()

    def action_sort(self) -> None:
        """Choose the column to sort by."""
        if self._board is None:
            return
        scheme = self._board.scheme
        options = [("", "as it comes (largest first, or by time)"), ("key", BY[self.view.by]), ("n", "n")]
        if scheme:
            options += [("topic", "share on topic")] if scheme.lead else []
            options += [(each.name, each.short) for each in scheme.classes]
        self.app.push_screen(Choice("Sort by", options, self.view.sort), lambda found: self._sorted(found))

    def _sorted(self, column: str | None) -> None:
        if column is not None:
            self._sort(column)

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort(self.view.sort or "n")

    def action_group(self) -> None:
        """Choose what the rows are."""
        self.app.push_screen(Choice("A row for each", list(BY.items()), self.view.by), self._grouped)

    def _grouped(self, by: str | None) -> None:
        if by is not None:
            self._ask(replace(self.view, by=by, sort=""))

    def action_unit(self) -> None:
        """Choose what is counted."""
        titles = {"posts": "posts", "texts": "texts: each distinct text once", "authors": "authors: each once"}
        self.app.push_screen(Choice("Count", [(unit, titles[unit]) for unit in UNITS], self.view.unit), self._counted)

    def _counted(self, unit: str | None) -> None:
        if unit is not None:
            self._ask(replace(self.view, unit=cast("Unit", unit)))

    def action_filter(self, field: str = "langs") -> None:
        """Say which posts count."""
        self.app.push_screen(FilterScreen(self.view.filter, field), self._filtered)

    def _filtered(self, wanted: Filter | None) -> None:
        if wanted is not None:
            self._ask(replace(self.view, filter=wanted))

    def action_corrected(self) -> None:
        """Shares corrected by hand labels, or the classifier's own again."""
        self._ask(replace(self.view, corrected=not self.view.corrected))

    def action_export(self) -> None:
        """Ask for a file."""
        if self._board is not None:
            now = str(self.xlt.workspace / "shares.csv")
            self.app.push_screen(Line("Write these shares to", now, ".csv, .json, .parquet"), self._export)

    def _export(self, given: str | None) -> None:
        if not given or self._board is None:
            return
        board, path = replace(self._board, view=self.view), Path(given).expanduser()
        self.clear()

        def write(job: Job) -> int:
            from xlt.tui.breakdown.writing import write

            with job.corpus(self.xlt.corpus) as con:
                return write(con, board, path)

        self.jobs.start("export", write, lambda rows: self.tell(f"Written: {path}, {rows:,} rows."), about="Writing")

    def action_clear(self) -> None:
        """All posts of one run again."""
        self._ask(replace(self.view, filter=Filter(), second=None))

    def action_run(self) -> None:
        """Choose the run."""
        self._choose_run("Shares of the run", self._ran, second=False)

    def action_second(self) -> None:
        """Choose a second run."""
        self._choose_run("Beside it, line by line", self._compared, second=True)

    def _choose_run(self, title: str, then: Callable[[str | None], None], second: bool) -> None:
        about = self.xlt.overview
        run = about.run(self.xlt.run_id) if about else None
        if about is None or run is None or (second and len(about.runs) < 2):
            self.tell("There is no other run yet." if run else "There is no run yet.")
            return
        others = [each for each in about.runs if not second or (each.id != run.id and each.task_hash == run.task_hash)]
        if not others:
            self.tell("The other runs answer another task, so they can't stand beside this one.")
            return
        options = [("", "none")] if second else []
        options += [(each.id, f"{each.id}  {each.model}  {each.task}  {each.texts:,} texts") for each in others]
        self.app.push_screen(Choice(title, options, self.view.second if second else run.id), then)

    def _ran(self, run: str | None) -> None:
        if run is not None:
            self.xlt.choose_run(run)

    def _compared(self, run: str | None) -> None:
        if run is not None:
            self._ask(replace(self.view, second=run or None))
