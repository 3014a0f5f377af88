"""Do coders agree, and does the model agree with them as well as they with one another? What `xlt agreement` tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table as Grid
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from xlt.errors import XltError
from xlt.languages import name
from xlt.tui.actions import bindings
from xlt.tui.box import Box
from xlt.tui.jobs import Job, Jobs
from xlt.tui.words import one_line

if TYPE_CHECKING:
    from xlt.corpus.draws import Draw
    from xlt.corpus.labelled import Run
    from xlt.study.evaluate import Table
    from xlt.tasks.spec import Task

_TITLES = {
    "slice": "",
    "alpha_low": "from",
    "alpha_high": "to",
    "alpha_with_people": "people",
    "alpha_with_model": "model",
}


@dataclass(frozen=True)
class Found:
    """What was asked of the corpus."""

    people: Table
    pairs: Table
    model: Table | None
    labels: int
    coders: int


class AgreementScreen(Box[None]):
    """Alpha by language, kappa by pairs, the model beside the people; of one draw or of all."""

    BINDINGS = bindings("agreement")

    def __init__(self, corpus: Path, task: Task, draw: Draw, run: Run | None) -> None:
        super().__init__()
        self._corpus, self._spec, self._draw, self._run = corpus, task, draw, run
        self._all = False
        self.jobs = Jobs(self, self._say, self._fail, lambda error: self._fail(XltError(repr(error))))

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box"):
            yield Static(classes="title")
            yield Static(id="tables")

    def on_mount(self) -> None:
        self._ask()

    def action_all(self) -> None:
        """Between this draw and all of the task."""
        self._all = not self._all
        self._ask()

    def _ask(self) -> None:
        what = f"all labels of {self._spec.name}" if self._all else self._draw.id
        other = "a: only this draw" if self._all else "a: all of the task"
        title = Text(f"Agreement: {what}").append(f"   {other}", "dim not bold")
        self.query_one(".title", Static).update(title)
        self.jobs.start("agreement", self._read, self._show, about="Counting")

    def _read(self, job: Job) -> Found:
        from xlt.corpus.coding import ratings
        from xlt.corpus.gold import predictions_of
        from xlt.study.agreement import agreement_table, model_table, pair_table

        with job.corpus(self._corpus) as con:
            rows = ratings(con, self._spec.name, None if self._all else self._draw.id)
            keys = sorted({row[0] for row in rows})
            predicted = predictions_of(con, self._run.id, keys) if self._run else {}
        labels = {key: label for key, (label, _) in predicted.items()}
        return Found(
            agreement_table(rows, self._spec),
            pair_table(rows, self._spec),
            model_table(rows, labels, self._spec) if self._run else None,
            len(rows),
            len({row[1] for row in rows}),
        )

    def _show(self, found: Found) -> None:
        from xlt.study.agreement import footnotes

        shown = self.query_one("#tables", Static)
        if not found.people.rows:
            who = "1 coder" if found.coders == 1 else f"{found.coders:,} coders"
            shown.update(
                Text(
                    f"No text has labels of two people yet: there are {found.labels:,} labels by {who}. A draw for two "
                    "coders or more, a part of it coded twice, is what agreement is counted on."
                )
            )
            return
        parts: list[Text | Grid] = [Text("People with one another: Krippendorff's alpha, its 95 % interval", "bold")]
        parts += [_grid(found.people), Text("\nEvery two coders: Cohen's kappa", "bold"), _grid(found.pairs)]
        if found.model is not None and found.model.rows and self._run:
            title = f"\nThe model beside them: alpha on the very same texts, {self._run.model} ({self._run.id})"
            parts += [Text(title, "bold"), _grid(found.model)]
        shown.update(Group(*parts, Text("\n" + "\n".join(footnotes()), "dim")))

    def _say(self, sentence: str, part: float | None) -> None:
        if sentence:
            self.query_one("#tables", Static).update(Text(sentence, "dim"))

    def _fail(self, error: XltError) -> None:
        self.query_one("#tables", Static).update(Text(str(error), "bold"))

    def on_unmount(self) -> None:
        self.jobs.cancel_all()


def _grid(table: Table) -> Grid:
    grid = Grid.grid(padding=(0, 3, 0, 0))
    words = ("slice", "coder", "other")
    for column in table.columns:
        grid.add_column(justify="left" if column in words else "right", no_wrap=True)
    grid.add_row(*(Text(_TITLES.get(column, column), "dim") for column in table.columns))
    for row in table.rows:
        grid.add_row(*(_cell(column, value) for column, value in zip(table.columns, row, strict=True)))
    return grid


def _cell(column: str, value: object) -> Text:
    if value is None:
        return Text("–", "dim")
    if column == "slice":
        return Text("all" if value == "all" else name(str(value)), "bold" if value == "all" else "")
    # Not -0.00.
    return Text(f"{round(value, 2) + 0.0:.2f}" if isinstance(value, float) else one_line(str(value)))
