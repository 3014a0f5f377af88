"""Models: what there is, where from, what it was tuned on and what it reaches; how it learnt; what fits here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from xlt.errors import UsageError, XltError
from xlt.training.curves import Curves
from xlt.tui.actions import bindings
from xlt.tui.choice import Choice
from xlt.tui.jobs import Job
from xlt.tui.reading import TextScreen
from xlt.tui.screen import XltScreen
from xlt.tui.shelf.detail import Shown, comparison, describe, parameters, size
from xlt.tui.waiting import wait_for
from xlt.tui.widgets.picker import Item, Picker
from xlt.tui.widgets.rows import Cell, Column, Rows

if TYPE_CHECKING:
    from xlt.engine.process import Started

BESIDE = 160
"""Columns from which the model stands beside the list."""
_MAKE = {"quantise": 2, "models": 3}
"""Verbs that make or fetch a model, with the words that say which."""
_LOOK = 2.0
"""Seconds between two looks at models that are learning."""
_KINDS = (("", "what suits this machine"), ("mlx", "MLX, for Apple Silicon"), ("nf4", "NF4, for PyTorch"))
_GGUF = ("gguf", "GGUF, for llama.cpp and others")


class Shelf:
    """The models as `Rows` draws them."""

    def __init__(self, models: Sequence[Shown]) -> None:
        self.models = list(models)

    def __len__(self) -> int:
        return len(self.models)

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a model."""
        each = self.models[index]
        here = "" if each.entry.path is not None and not each.entry.problem else "dim"
        tuned = f"{each.entry.task}, {len(each.entry.languages)} languages" if each.entry.task else ""
        return [
            Text(each.name, here),
            Text(parameters(each.entry.parameters), here),
            Text(size(each.entry.size), here),
            Text(tuned, here),
            Text(each.state, "dim"),
        ]

    def columns(self) -> list[Column]:
        """As wide as they need to be."""
        names = max((len(each.name) for each in self.models), default=8)
        return [
            Column("name", "model", min(28, max(12, names))),
            Column("parameters", "weights", 7, "right"),
            Column("size", "on disk", 9, "right"),
            Column("tuned", "tuned for", 12, fill=True),
            Column("state", "", 16),
        ]


class ModelsScreen(XltScreen):
    """The shelf, and the model at the cursor."""

    MODE = "models"
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("models")

    def __init__(self) -> None:
        super().__init__()
        self._shelf = Shelf(())
        self._doctor: dict[str, Any] | None = None
        self._seen: tuple[int, ...] = ()
        """Processes that make or fetch models, as last looked at."""

    def body(self) -> ComposeResult:
        with Horizontal(id="split"):
            yield Rows()
            with VerticalScroll(id="model"):
                yield Static()

    def on_mount(self) -> None:
        self.query_one(Rows).focus()
        self._fold()
        self.set_interval(_LOOK, self._again)
        self._find_again()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._look()

    def load(self) -> None:
        """Look anew when the corpus is asked anew: `reload` is of both."""
        self._look()

    def _again(self) -> None:
        learning = any(each.curves and each.curves.pid for each in self._shelf.models)
        now = tuple(each.pid for each in self._making())
        ended, self._seen = set(self._seen) - set(now), now
        if (learning or ended) and self.xlt.screen is self and self.jobs.running("models") is None:
            self._look()

    def _look(self) -> None:
        self.jobs.start("models", self._read, self._show, about="Looking for models")

    def _read(self, job: Job) -> list[Shown]:
        from xlt.cards.listing import Entry, known
        from xlt.cards.registry import named_cards
        from xlt.training.curves import trainings

        workspace = self.xlt.workspace
        cards = {card.name: card for card in reversed(named_cards(workspace))}
        found = [
            Shown(Entry(path.name, "workspace", 0, languages=curves.languages), None, curves)
            for path in trainings(workspace)
            if (curves := _curves(path)) is not None
        ]
        making = {each.name for each in found}
        for entry in known(workspace):
            job.leash.check()
            if entry.name not in making:
                found.append(Shown(entry, cards.get(entry.name), _curves(entry.path)))
        return found

    def _show(self, found: list[Shown]) -> None:
        rows = self.query_one(Rows)
        now = self._at_cursor()
        self._shelf = Shelf(found)
        names = [each.name for each in found]
        rows.show(
            self._shelf, self._shelf.columns(), names.index(now.name) if now and now.name in names else rows.cursor
        )

    def _at_cursor(self) -> Shown | None:
        at = self.query_one(Rows).cursor
        return self._shelf.models[at] if at < len(self._shelf) else None

    @on(Rows.Moved)
    def _moved(self) -> None:
        self._draw()

    @on(Rows.Opened)
    def _opened(self) -> None:
        self.query_one("#model").focus()

    def _draw(self) -> None:
        shown = self._at_cursor()
        if shown is None:
            return
        box = self.query_one("#model", VerticalScroll)
        fits = None
        if self._doctor is not None:
            fits = next((each["fits"] for each in self._doctor["models"] if each["name"] == shown.name), None)
        room = max(40, (box.size.width or self.size.width) - 3)
        box.query_one(Static).update(describe(shown, fits, room, box.size.height))

    def on_resize(self) -> None:
        self._fold()
        self.call_after_refresh(self._draw)

    def _fold(self) -> None:
        """The model beside the list where there is room, else below it."""
        self.set_class(self.size.width < BESIDE, "-narrow")

    # What can be done with a model

    def action_compare(self) -> None:
        """Choose a model to compare with."""
        first = self._at_cursor()
        others = [each for each in self._shelf.models if each.card and each.card.scores and each is not first]
        if first is None or first.card is None or not others:
            self.fail(
                UsageError("There are no two models with measured figures to compare; xlt evaluate measures one.")
            )
            return
        items = [Item(each.name, each.name, each.card.title if each.card else "") for each in others]
        self.app.push_screen(
            Picker(f"Compare {first.name} with", items), lambda name: self._compare(first, name) if name else None
        )

    def _compare(self, first: Shown, name: str) -> None:
        from xlt.cards.compare import pairs

        second = next(each for each in self._shelf.models if each.name == name)
        assert first.card is not None
        assert second.card is not None
        found = comparison(first.name, second.name, pairs(first.card, second.card))
        self.app.push_screen(TextScreen("Two models side by side", found))

    def action_quantise(self) -> None:
        """Choose a form, and start."""
        shown = self._at_cursor()
        if shown is None or shown.entry.path is None:
            making = shown is not None and shown.curves is not None
            why = "is not made yet: its training has not ended" if making else "is not on this machine; p fetches it"
            self.fail(UsageError(f"This model {why}."))
            return
        self.app.push_screen(
            Choice(f"Quantise {shown.name} to 4 bits", [*_KINDS, _GGUF], ""),
            lambda kind: self._quantise(shown.name, kind) if kind is not None else None,
        )

    def _quantise(self, name: str, kind: str) -> None:
        arguments = ["quantise", name, "--workspace", str(self.xlt.workspace.resolve())]
        self.begin([*arguments, f"--to={kind}"] if kind else arguments, f"Quantising {name}")

    def action_pull(self) -> None:
        """Ask, then fetch."""
        shown = self._at_cursor()
        # A pull that was stopped goes on where it was.
        part = shown is not None and shown.entry.where == "hub cache" and shown.entry.problem
        if shown is None or not (part or shown.entry.where == "not downloaded"):
            self.tell("This model is here already.")
            return
        name = shown.name
        options = [("no", "leave it"), ("yes", "fetch it: this uses the network")]
        self.app.push_screen(
            Choice(f"Fetch {name}", options, "no"), lambda chosen: self._pull(name) if chosen == "yes" else None
        )

    def _pull(self, name: str) -> None:
        arguments = ["models", "pull", name, "--workspace", str(self.xlt.workspace.resolve())]
        self.begin(arguments, f"Fetching {name}")

    def begin(self, arguments: list[str], about: str) -> None:
        """Start a process; the list is read anew when it has ended."""
        from xlt.engine.process import start

        self.clear()
        try:
            self._follow(start(arguments, self.xlt.workspace), about)
        except XltError as error:
            self.fail(error)

    def _follow(self, started: Started, about: str) -> None:
        self.xlt.started.append(started)

        # How it ended the app says.
        self.jobs.start(
            "process",
            lambda job: wait_for(job, started, f"{about} (s stops it)", ends_with_job=False),
            lambda _: self._look(),
        )

    def _making(self) -> list[Started]:
        """What makes or fetches a model now."""
        return [each for each in self.xlt.started if each.arguments[0] in _MAKE and each.code is None]

    def _find_again(self) -> None:
        """Go on watching what an earlier session began."""
        from xlt.engine.process import going

        known = {each.pid for each in self.xlt.started}
        for each in going(self.xlt.workspace):
            if each.arguments[0] in _MAKE and each.pid not in known:
                self._follow(each, " ".join(("xlt", *each.arguments[: _MAKE[each.arguments[0]]])))

    def action_stop(self) -> None:
        """Stop what was begun last."""
        making = self._making()
        if not making:
            self.tell("No model is being made or fetched.")
            return
        # Its own lines would cover this one.
        self.jobs.cancel("process")
        self.jobs.start("stop", lambda job: making[-1].end(), lambda _: self._look(), about="Stopping")

    def action_doctor(self) -> None:
        """Look at the machine."""
        if self._doctor is not None:
            self._show_doctor(self._doctor)
            return
        self.clear()
        self.jobs.start("doctor", self._examine, self._show_doctor)

    def _examine(self, job: Job) -> dict[str, Any]:
        from xlt.engine.process import start

        # In a process of its own: it imports the backends, which are large.
        started = start(["doctor", "--format=json"], self.xlt.workspace, self.xlt.workspace)
        wait_for(job, started, "Looking at this machine")
        try:
            found: dict[str, Any] = json.loads(started.printed())
        except ValueError:
            raise XltError(started.said() or "xlt doctor gave no answer.") from None
        return found

    def _show_doctor(self, found: dict[str, Any]) -> None:
        self._doctor = found
        self._draw()
        self.app.push_screen(TextScreen("What this machine can run", machine(found)))


def _curves(model: Path | None) -> Curves | None:
    """How a model learnt, where that is written down."""
    from xlt.training.curves import has_training, read_curves

    try:
        return read_curves(model) if model is not None and has_training(model) else None
    except XltError:
        return None


def machine(found: dict[str, Any]) -> Text:
    """The findings of `xlt doctor`."""
    text = Text()
    text.append(f"xlt {found['xlt']}, Python {found['python']}\n{found['platform']}, {found['cores']} cores, ")
    text.append(f"memory {size(found['memory'])}, {size(found['free'])} free\n\n")
    for each in found["backends"]:
        state = each["availability"]
        devices = ", ".join(device["name"] for device in state["devices"]) or state["reason"]
        text.append(f"{each['name']:<8}", "bold" if each["chosen"] else "").append(f"{devices}\n")
    text.append("\n")
    for each in found["models"]:
        fits = "   ".join(
            f"{fit['stored']} {size(fit['total']):>9} {'fits' if fit['fits'] else 'does not fit':<12}"
            for fit in each["fits"]
        )
        text.append(f"{each['name']:<24}").append(f"{fits or each['problem'] or 'size unknown'}\n", "dim")
    if found["advice"]:
        text.append("\n" + "\n".join(found["advice"]))
    return text
