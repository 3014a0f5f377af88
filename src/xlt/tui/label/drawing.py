"""The dialog that draws: how many, for what, apart by what, for whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from xlt.errors import XltError
from xlt.tui.box import Box
from xlt.tui.filtering import codes_of
from xlt.tui.jobs import Job, Jobs
from xlt.tui.label.board import PURPOSES
from xlt.tui.label.options import Options

if TYPE_CHECKING:
    from xlt.corpus.drawing import Ask, Purpose, Stratum
    from xlt.corpus.draws import Draw
    from xlt.corpus.labelled import Run

_STRATA = (
    ("lang", "language", "the same number of each"),
    ("confidence", "confidence", "more of what the model finds hard"),
    ("lang,confidence", "both", "confidence within each language"),
    ("", "none", "every text with the same chance"),
)


class DrawScreen(Box["Draw | None"]):
    """Draw, and give the draw back; None when the user leaves."""

    CSS_PATH = "drawing.tcss"
    AUTO_FOCUS = "#n"

    def __init__(self, corpus: Path, task: str, run: Run | None, coder: str | None) -> None:
        """`run` is the one whose confidence counts."""
        super().__init__()
        self._corpus, self._named, self._run, self._coder = corpus, task, run, coder
        self.jobs = Jobs(self, self._say, self._fail, lambda error: self._fail(XltError(repr(error))))

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box", id="drawing", can_focus=False):
            yield Static(Content(f"Draw texts to code: {self._named}"), classes="title")
            with Horizontal(classes="field"):
                yield Static("how many", classes="label")
                yield Input("200", id="n", compact=True)
            with Horizontal(classes="choice"):
                yield Static("for", classes="label")
                yield Options([(each, each, about) for each, about in PURPOSES.items()], "estimate", "purpose")
            with Horizontal(classes="choice"):
                yield Static("apart by", classes="label")
                yield Options(_STRATA if self._run else (_STRATA[0], _STRATA[3]), "lang", "by")
            for field, title, value, hint in (
                ("langs", "languages", "", "all; codes or names: en, de, Turkish"),
                ("coders", "coders", self._coder or "", "anybody codes all; or names: ada, ben"),
                ("overlap", "coded twice", "20 %", "the share that two coders get, when there are several"),
            ):
                with Horizontal(classes="field"):
                    yield Static(Content(title), classes="label")
                    yield Input(value, placeholder=hint, id=field, compact=True)
            yield Static("", id="wrong")
            with Horizontal(classes="buttons"):
                yield Button("Draw", id="go", compact=True)
                yield Button("Close", id="leave", compact=True)

    @on(Button.Pressed, "#leave")
    def _leave(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#go")
    @on(Input.Submitted)
    def _go(self) -> None:
        try:
            ask = self._ask()
        except ValueError as error:
            self._show(str(error))
            return
        if self.jobs.running("draw") is None:
            self._show("Drawing …")
            self.jobs.start("draw", lambda job: self._draw(job, ask), self._drawn, about="Drawing")

    def _draw(self, job: Job, ask: Ask) -> Draw:
        from xlt.corpus import gate
        from xlt.corpus.drawing import make_draw

        with gate.opened(self._corpus, write=True) as con:
            return make_draw(con, ask)

    def _drawn(self, draw: Draw) -> None:
        self.dismiss(draw)

    def _ask(self) -> Ask:
        """What was written. Raises ValueError with a sentence."""
        from xlt.corpus.drawing import Ask
        from xlt.corpus.filters import Filter

        given = {each.id: each.value.strip() for each in self.query(Input)}
        number = given["n"].replace(",", "").replace(".", "")
        if not number.isdecimal() or not int(number):
            raise ValueError(f"How many: {given['n'] or 'nothing'} is no number of texts.")
        coders = tuple(" ".join(part.split()) for part in given["coders"].split(",") if part.strip())
        by = self.query_one("#by", Options).value
        return Ask(
            task=self._named,
            purpose=cast("Purpose", self.query_one("#purpose", Options).value),
            n=int(number),
            by=cast("tuple[Stratum, ...]", tuple(each for each in by.split(",") if each)),
            filter=Filter(langs=codes_of(given["langs"])),
            run=self._run if "confidence" in by else None,
            coders=coders,
            overlap=_share(given["overlap"]) if len(coders) > 1 else 0.0,
        )

    def _say(self, sentence: str, part: float | None) -> None:
        if sentence:
            self._show(sentence)

    def _fail(self, error: XltError) -> None:
        self._show(str(error))

    def _show(self, sentence: str) -> None:
        self.query_one("#wrong", Static).update(Content(sentence))

    def on_unmount(self) -> None:
        self.jobs.cancel_all()


def _share(given: str) -> float:
    """`20 %`, `20` and `0.2` are a fifth. Raises ValueError with a sentence."""
    bare = given.removesuffix("%").strip().replace(",", ".") or "0"
    try:
        value = float(bare)
    except ValueError:
        value = -1.0
    value = value / 100 if value > 1 or given.endswith("%") else value
    if not 0 <= value <= 1:
        raise ValueError(f"Coded twice: {given} is no share; write one such as 20 %.")
    return value
