"""A model in words, tables and curves."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from xlt.cards.card import Card, Score
from xlt.cards.compare import Pair
from xlt.cards.listing import Entry
from xlt.engine.words import count
from xlt.languages import name
from xlt.training.curves import Curves
from xlt.tui.widgets.chart import curve, framed, smoothed
from xlt.tui.words import harmless, one_line

HEIGHT, TALL = 7, 18
"""Lines of a curve: where there is little room, and at most."""
NARROWEST = 24
_STEPS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Shown:
    """A model of the list: one that is here or could be, or one in the making."""

    entry: Entry
    card: Card | None
    curves: Curves | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.entry.name

    @property
    def state(self) -> str:
        """Where it is, or how far."""
        if self.curves is not None and not self.curves.finished:
            return f"learning, process {self.curves.pid}" if self.curves.pid else "training stopped"
        if self.entry.problem:
            return "not whole" if self.entry.where == "hub cache" else "can't be used"
        return self.entry.where


def size(number: float) -> str:
    """Bytes as a person says them."""
    return f"{number / 1e9:,.2f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB" if number else "–"


def parameters(number: int) -> str:
    """How many weights."""
    return f"{number / 1e9:.1f} B" if number >= 1e9 else f"{number / 1e6:.1f} M" if number else "–"


def describe(shown: Shown, fits: Sequence[dict[str, Any]] | None, width: int, height: int = 24) -> Text:
    """Everything that is known of a model, for a box of so many cells.

    `fits` are those of `xlt doctor`; None while it has not looked.
    """
    entry, card, curves = shown.entry, shown.card, shown.curves
    text = Text()
    text.append(one_line(card.title if card else shown.name) + "\n", "bold")
    if card and card.description:
        text.append(harmless(card.description) + "\n")
    if entry.problem:
        text.append(harmless(entry.problem) + "\n", "bold")
    text.append("\n")
    seen = card.languages if card else curves.languages if curves else ()
    making = card is None and curves is not None
    facts = {
        "state": shown.state,
        "task": "" if making else (card.task if card else entry.task) or "none: a base model",
        "tuned on": ", ".join(name(lang) for lang in seen) or "no language",
        "base": (card.base if card else curves.base if curves else "") or "",
        "parameters": "" if making else parameters(card.parameters if card else entry.parameters),
        "on disk": "" if making else size(entry.size),
        "licence": card.licence if card else "",
        "files": str(entry.path) if entry.path else "",
    }
    for what, said in facts.items():
        if said:
            _fact(text, what, said, width)
    if fits:
        _fact(text, "takes here", "   ".join(_fit(each) for each in fits), width)
    if curves is not None:
        text.append("\n").append_text(learning(curves, width, max(HEIGHT, min(TALL, height // 3))))
    if card and card.scores:
        text.append("\n").append_text(scores(card))
    if card and card.made:
        text.append("\nmade with\n", "bold")
        for what, value in card.made.items():
            _fact(text, what, str(value), width, 18)
    return text


def _fact(text: Text, what: str, said: str, width: int, margin: int = 12) -> None:
    lines = textwrap.wrap(one_line(said), max(20, width - margin)) or [""]
    text.append(f"{what:<{margin}}", "dim").append(("\n" + " " * margin).join(lines) + "\n")


def _fit(fit: dict[str, Any]) -> str:
    fits = {True: "fits", False: "does not fit", None: ""}[fit.get("fits")]
    return f"{fit['stored']} {size(fit['total'])} {fits}".rstrip()


def scores(card: Card) -> Text:
    """A table of the card's figures by language for each data set, baselines last."""
    text = Text()
    own = [each for each in card.scores if not each.of]
    measured = list(dict.fromkeys(each.data for each in own))
    for data in measured:
        here = [each for each in own if each.data == data]
        metrics = list(dict.fromkeys(each.metric for each in here))
        text.append(f"measured on {one_line(data)}\n", "bold")
        head = "".join(f"{metric:>{max(9, len(metric)) + 2}}" for metric in metrics)
        text.append(f"{'':<14}{'n':>6}{head}\n", "dim")
        for language in sorted(
            {each.language for each in here}, key=lambda code: (bool(code), name(code) if code else "")
        ):
            found = {each.metric: each for each in here if each.language == language}
            n = max(each.n for each in found.values())
            line = f"{name(language) if language else 'all':<14}{n:>6,}"
            line += "".join(_figure(found.get(metric), metric) for metric in metrics)
            text.append(line + "\n", "" if language else "bold")
        for metric in metrics:
            whole = next(
                (each for each in here if each.metric == metric and not each.language and each.low is not None), None
            )
            if whole is not None and whole.high is not None:
                text.append(f"{metric} {whole.value:.3f}, 95 % interval {whole.low:.3f} to {whole.high:.3f}\n", "dim")
    beside = [each for each in card.scores if each.of and not each.language]
    for of, data in dict.fromkeys((each.of, each.data) for each in beside):
        figures = ", ".join(f"{each.metric} {each.value:.3f}" for each in beside if (each.of, each.data) == (of, data))
        text.append(f"{one_line(of)}: {figures}{'' if [data] == measured else f' on {one_line(data)}'}\n", "dim")
    return text


def _figure(score: Score | None, metric: str) -> str:
    return f"{'–' if score is None else f'{score.value:.3f}':>{max(9, len(metric)) + 2}}"


def learning(curves: Curves, width: int, height: int = HEIGHT) -> Text:
    """How a training went: loss by step, macro-F1 of held-out examples by step, and the last marks by language.

    Curves have `height` lines; where there is room, each language's macro-F1 by evaluation stands beside its last.
    """
    text = Text()
    what = "learning" if curves.pid else "how it learnt" if curves.finished else "stopped while it learnt"
    rate = f", {count(curves.tokens_per_second)} tokens/s" if curves.tokens_per_second else ""
    text.append(what, "bold").append(f"   recipe {curves.recipe}, {len(curves.steps):,} steps{rate}\n", "dim")
    if not curves.steps:
        return text.append("No step was taken yet.\n", "dim")
    side_by_side = width >= 2 * NARROWEST + 24
    room = max(NARROWEST, (width - 4) // 2 if side_by_side else width) - 8
    panels = [loss_panel(curves, room, height), marks_panel(curves, room, height)]
    panels = [panel for panel in panels if panel]
    if side_by_side and len(panels) == 2:
        for left, right in zip(*panels, strict=True):
            text.append(f"{left:<{width // 2}}{right}\n")
    else:
        text.append("\n\n".join("\n".join(panel) for panel in panels) + "\n")
    last = [curves.of(lang)[-1] for lang in curves.marked]
    if last:
        past = min(width - 55, max(len(curves.of(mark.of)) for mark in last))
        history = "   macro-F1 so far, 0 to 1" if past > 1 else ""
        text.append(f"\n{'held out':<14}{'n':>6}{'accuracy':>11}{'macro-F1':>11}{'loss':>9}{history}\n", "dim")
        for mark in (*(each[-1] for each in (curves.of("seen"), curves.of("unseen")) if each), *last):
            title = {"seen": "seen", "unseen": "unseen"}.get(mark.of) or name(mark.of)
            line = f"{title:<14}{mark.n:>6,}{mark.accuracy:>11.3f}{mark.macro_f1:>11.3f}{mark.loss:>9.3f}"
            values = [each.macro_f1 for each in curves.of(mark.of)[-past:]] if history else []
            text.append(line, "bold" if mark.of in ("seen", "unseen") else "")
            text.append(f"   {''.join(_STEPS[min(7, int(8 * value))] for value in values)}\n", "dim")
    return text


def loss_panel(curves: Curves, room: int, height: int = HEIGHT) -> list[str]:
    """The training loss, a mean over some steps."""
    losses = smoothed(curves.losses, max(1, len(curves.losses) // 40))
    low, high = min(losses), max(losses)
    points = list(zip(map(float, curves.steps), losses, strict=True))
    lines = curve(points, room, height, low, high, points[0][0], points[-1][0])
    below = f"step {curves.steps[0]} to {curves.steps[-1]:,}"
    return framed(lines, "loss in training", f"{low:.2f}", f"{high:.2f}", below)


def marks_panel(curves: Curves, room: int, height: int = HEIGHT) -> list[str]:
    """Macro-F1 of the held-out examples in the languages trained on."""
    marks = curves.of("seen") or curves.of("unseen")
    if not marks:
        return []
    values = [mark.macro_f1 for mark in marks]
    low, high = min(values), max(values)
    points = [(float(mark.step), mark.macro_f1) for mark in marks]
    lines = curve(points, room, height, low, high, points[0][0], points[-1][0])
    below = f"epoch {marks[0].epoch:g} to {marks[-1].epoch:g}, {marks[-1].n:,} held out"
    return framed(lines, f"macro-F1, {marks[0].of} languages", f"{low:.2f}", f"{high:.2f}", below)


def comparison(first: str, second: str, found: Sequence[Pair]) -> Text:
    """Two models on the texts that both were measured on."""
    text = Text(f"A {one_line(first)}\nB {one_line(second)}\n\n")
    if not found:
        return text.append(
            "They were not measured on the same texts. xlt evaluate measures a model on data of your own."
        )
    for data, metric in dict.fromkeys((each.data, each.metric) for each in found):
        text.append(f"{metric} on {one_line(data)}\n", "bold")
        text.append(f"{'':<14}{'n':>6}{'A':>9}{'B':>9}{'B − A':>9}\n", "dim")
        for each in found:
            if (each.data, each.metric) == (data, metric):
                title = name(each.language) if each.language else "all"
                line = (
                    f"{title:<14}{each.n:>6,}{each.first:>9.3f}{each.second:>9.3f}{each.second - each.first:>+9.3f}\n"
                )
                text.append(line, "" if each.language else "bold")
        text.append("\n")
    return text
