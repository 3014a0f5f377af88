"""The plan before the start: what would be scored, by what, in how long, and the prompt as the model gets it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Static

from xlt.corpus.extent import Extent
from xlt.engine.process import start
from xlt.engine.words import count, duration
from xlt.errors import Exit, XltError
from xlt.tui.actions import bindings
from xlt.tui.box import Box
from xlt.tui.jobs import Job, Jobs
from xlt.tui.waiting import wait_for
from xlt.tui.words import harmless


class PlanScreen(Box[bool | None]):
    """True to start. The plan is made by a process of its own, which loads the model and times some batches."""

    BINDINGS = bindings("plan")
    CSS_PATH = "plan.tcss"

    def __init__(self, arguments: Sequence[str], workspace: Path, about: str, found: Extent | None) -> None:
        super().__init__()
        self._arguments, self._workspace, self._about, self._extent = list(arguments), workspace, about, found
        self.jobs = Jobs(self, self._say, self._fail, lambda error: self._fail(XltError(repr(error))))

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box", id="plan"):
            yield Static(Text(self._about), classes="title")
            yield Static(Text(extent_words(self._extent)), id="extent")
            yield Static(Text("Loading the model to time it …", "dim"), id="figures")
            yield Static(id="prompt")
            with Horizontal(classes="buttons"):
                yield Button("Start", id="start", compact=True)
                yield Button("Close", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#prompt").display = False
        self.query_one("#start", Button).focus()
        self.jobs.start("plan", self._plan, self._show)

    def _plan(self, job: Job) -> dict[str, Any]:
        started = start([*self._arguments, "--plan", "--format=json"], self._workspace)
        wait_for(job, started, "Loading the model to time it")
        if started.code != Exit.DONE:
            raise XltError(started.said())
        found: dict[str, Any] = json.loads(started.printed())
        return found

    def _show(self, plan: dict[str, Any]) -> None:
        self.query_one("#figures", Static).update(figures(plan))
        prompt = self.query_one("#prompt", Static)
        prompt.update(Text(harmless(str(plan["prompt"])), "dim"))
        prompt.display = True

    def _say(self, sentence: str, part: float | None) -> None:
        if sentence:
            self.query_one("#figures", Static).update(Text(sentence, "dim"))

    def _fail(self, error: XltError) -> None:
        self.query_one("#figures", Static).update(Text(str(error), "bold"))

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Start it."""
        self.dismiss(True)

    @on(Button.Pressed, "#leave")
    def _leave(self) -> None:
        self.dismiss(None)

    def on_unmount(self) -> None:
        self.jobs.cancel_all()


def extent_words(found: Extent | None) -> str:
    """Posts and distinct texts."""
    if found is None:
        return ""
    said = f"{found.posts:,} posts, {found.distinct:,} distinct texts"
    said += f" ({100 * found.repeats:.0f} % repeats, scored once)" if found.repeats >= 0.005 else ""
    return said + (f"; {found.without_text:,} have no text" if found.without_text else "")


def figures(plan: dict[str, Any]) -> Text:
    """What the plan of `xlt classify --plan` says, line by line."""
    loaded, staged = plan["loaded"], plan["staged"]
    where = f"{loaded['backend']} on {loaded['device']}, {loaded['precision']}"
    about = "about " if plan["tokens_estimated"] else ""
    memory = f"{loaded['weight_bytes'] / 1e9:.2f} GB of weights, {plan['peak_memory'] / 1e9:.2f} GB at most so far"
    rate = f"{count(plan['texts_per_second'])} texts/s"
    lines = [
        ("time", f"about {duration(plan['seconds'])} at {rate}"),
        ("to score", f"{staged['distinct']:,} texts" + (f", {staged['known']:,} known" if staged["known"] else "")),
        ("tokens", f"{about}{plan['tokens']:,} of texts; the prefix of {plan['prefix_tokens']} is run once"),
        ("model", f"{plan['model']}, {where}"),
        ("memory", memory),
        ("labels", "   ".join(f"{token} {label}" for label, token in plan["labels"].items())),
    ]
    text = Text()
    for name, said in lines:
        text.append(f"{name:<10}", "dim").append(said + "\n", "bold" if name == "time" else "")
    return text
