"""Tells how a fine-tuning goes: a live bar on a terminal, plain lines elsewhere, and the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xlt.cli.narrate import Voice, count, duration, stderr_console
from xlt.languages import name
from xlt.science.calibration import LEAST_TO_FIT
from xlt.training.evaluation import SEEN, UNSEEN, Evaluation, Marks, commonest
from xlt.training.listener import Progress

if TYPE_CHECKING:
    from rich.table import Table

    from xlt.cards.card import Card
    from xlt.training.job import Tuning
    from xlt.training.loop import Tuned


class TuningNarrator(Voice):
    """`xlt.training.listener.Listener` on stderr."""

    def progress(self, progress: Progress) -> None:
        """How far it is."""
        self.show(progress.step, progress.steps, "steps", describe(progress, self.live))

    def evaluated(self, evaluation: Evaluation, epochs: int, best: bool) -> None:
        """Print a line for an evaluation."""
        parts = [f"epoch {evaluation.epoch:>4.3g} of {epochs}", f"loss {evaluation.train_loss:.3f}"]
        groups = {f"{group} languages": evaluation.groups.get(group) for group in (SEEN, UNSEEN)}
        for group, marks in groups.items():
            if marks is not None:
                parts.append(f"{group} macro-F1 {marks.macro_f1:.3f} accuracy {marks.accuracy:.3f}")
        self.say(" · ".join(parts) + ("  best so far" if best and evaluation.groups else ""))


def describe(progress: Progress, step: bool = False) -> str:
    """Epoch, loss, rate and ETA in one line; the step too where nothing else says it."""
    parts = [
        *([f"step {progress.step:,}/{progress.steps:,}"] if step else []),
        f"epoch {progress.epoch} of {progress.epochs}",
        f"loss {progress.loss:.3f}",
        f"{count(progress.tokens_per_second)} tokens/s",
    ]
    left = progress.seconds_left
    if left is not None and progress.step < progress.steps:
        parts.append(f"ETA {duration(left)}")
    return " · ".join(parts)


def marks_table(evaluation: Evaluation, seen: Sequence[str]) -> Table:
    """How well each language's held-out examples are told; the languages trained on come first."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("language")
    for heading in ("held out", "macro-F1", "accuracy", "loss"):
        table.add_column(heading, justify="right")

    def add(label: str, marks: Marks) -> None:
        figures = (f"{value:.3f}" for value in (marks.macro_f1, marks.accuracy, marks.loss))
        table.add_row(Text(label), f"{marks.n:,}", *figures)

    ordered = sorted(evaluation.languages, key=lambda lang: (lang not in seen, -evaluation.languages[lang].n, lang))
    for lang in ordered:
        add(name(lang) + ("" if lang in seen else " (unseen)"), evaluation.languages[lang])
    for group in (SEEN, UNSEEN):
        if group in evaluation.groups and len(evaluation.languages) > 1:
            add(f"all {group}", evaluation.groups[group])
    return table


def _calibrated(card: Card) -> str:
    made = card.made
    if "temperature" not in made:
        return (
            f"No temperature was fitted: that takes {LEAST_TO_FIT} held-out texts in the languages trained on, and "
            "errors among them."
        )
    texts, value = made["temperature_texts"], made["temperature"]
    return f"Temperature {value:.3g}, fitted on {texts} held-out texts: classify divides scores by it."


def report(tuned: Tuned, tuning: Tuning) -> None:
    """Say what came out, on stderr, and what it must beat."""
    console = stderr_console()
    if tuned.kept.languages:
        console.print()
        console.print(marks_table(tuned.kept, tuned.card.languages))
        console.print()
        label, always = commonest(tuning.choice, tuning.task.names)
        parts = [f"{f1:.3f} and {right:.3f} on {group} languages" for group, (f1, right) in always.items()]
        console.print(f"Always {label} has macro-F1 and accuracy {', '.join(parts)}.", markup=False)
        console.print(_calibrated(tuned.card), markup=False)
    console.print(f"Written: {tuned.path}", markup=False)
    console.print(f"Next: xlt classify tweets.csv -m {tuned.card.name}", markup=False)
