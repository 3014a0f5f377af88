"""Prints what a fine-tuning would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from xlt.cli.narrate import duration
from xlt.languages import name
from xlt.training.examples import Choice, counts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xlt.training.plan import Plan

OPEN, CLOSE = "⟦", "⟧"


def print_plan(plan: Plan, notes: Sequence[str], to_stdout: bool) -> None:
    """The plan: on stdout when it is what was asked for, else on stderr."""
    from rich.console import Console

    console = Console(stderr=not to_stdout, highlight=False, markup=False, soft_wrap=True)
    for note in notes:
        console.print(note)
    console.print()
    console.print(_table(plan))
    console.print()
    choice = plan.tuning.choice
    for left in choice.left:
        langs = ", ".join(f"{lang} {count:,}" for lang, count in left.langs.items())
        console.print(f"left aside  {left.count:,}: {left.reason}{f' ({langs})' if langs else ''}")
    if choice.rejects:
        first = choice.rejects[0]
        console.print(
            f"rejected    {len(choice.rejects):,} rows; the first: {first.file}, {first.line}: {first.reason}"
        )
    if plan.cut:
        console.print(f"cut         {plan.cut:,} texts are longer than {plan.tuning.task.max_text_tokens} tokens")
    for warning in plan.warnings:
        console.print(f"note        {warning}")
    _print_prompt(console, plan)
    _print_work(console, plan)


def plan_record(plan: Plan) -> dict[str, Any]:
    """The plan as JSON takes it."""
    tuning = plan.tuning
    return {
        "model": tuning.name,
        "base": tuning.base.name,
        "task": tuning.task.name,
        "data": tuning.choice.record(),
        "recipe": tuning.recipe.record(),
        "seed": tuning.seed,
        "tokens": plan.tokens,
        "prefix_tokens": plan.prefix_tokens,
        "cut": plan.cut,
        "prompt": plan.prompt,
        "answer": plan.answer,
        "steps": plan.steps,
        "steps_per_epoch": plan.steps_per_epoch,
        "seconds": plan.seconds,
        "backend": tuning.backend,
        "device": plan.device.name,
        "precision": plan.precision,
        "memory": asdict(plan.memory) | {"total": plan.memory.total, "free": plan.device.free} if plan.memory else None,
        "warnings": list(plan.warnings),
    }


def _table(plan: Plan) -> Table:
    """Counts by language and label: what is trained on, and what is held out."""
    from rich.table import Table
    from rich.text import Text

    choice, task = plan.tuning.choice, plan.tuning.task
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("language")
    for heading in (*(label.short for label in task.labels), "train", "dev", "tokens"):
        table.add_column(heading, justify="right")
    train, dev = counts(choice.train), counts(choice.dev)
    for lang in _by_size(choice):
        labels = train.get(lang, {})
        cells = [f"{labels.get(label, 0):,}" for label in task.names] if labels else [""] * len(task.names)
        trained = f"{sum(labels.values()):,}" if labels else "unseen"
        tokens = f"{plan.tokens[lang]:,}" if labels else ""
        table.add_row(Text(name(lang)), *cells, trained, f"{sum(dev.get(lang, {}).values()):,}", tokens)
    totals = [sum(labels.get(label, 0) for labels in train.values()) for label in task.names]
    sums = (*totals, len(choice.train), len(choice.dev), sum(plan.tokens.values()))
    table.add_row("all", *(f"{number:,}" for number in sums))
    return table


def _by_size(choice: Choice) -> list[str]:
    """Seen languages, the largest first, then unseen ones."""
    train, dev = counts(choice.train), counts(choice.dev)

    def place(lang: str) -> tuple[int, int, str]:
        return -sum(train.get(lang, {}).values()), -sum(dev.get(lang, {}).values()), lang

    return sorted({*train, *dev}, key=place)


def _print_prompt(console: Console, plan: Plan) -> None:
    console.print()
    console.print(f"{plan.prompt}{OPEN}{plan.answer}{CLOSE}")
    console.print()
    console.print(f"Only what stands in {OPEN} {CLOSE} is learnt; the first {plan.prefix_tokens} tokens are shared.")
    console.print()


def _print_work(console: Console, plan: Plan) -> None:
    from xlt.backends.common import amount

    tuning, recipe = plan.tuning, plan.tuning.recipe
    console.print(f"base        {tuning.base.name}, {tuning.backend} on {plan.device.name}, {plan.precision}")
    console.print(
        f"recipe      {recipe.name}: rank {recipe.rank}, alpha {recipe.alpha:g}, dropout {recipe.dropout:g}, "
        f"lr {recipe.lr:g} {recipe.schedule}, batch {recipe.batch}, seed {tuning.seed}"
    )
    console.print(f"steps       {plan.steps:,}: {recipe.epochs} epochs of {plan.steps_per_epoch:,}")
    if plan.memory is None:
        console.print("memory      can't be told from this base's configuration")
    else:
        console.print(
            f"memory      about {amount(plan.memory.total)}: weights {amount(plan.memory.weights)}, what is trained "
            f"{amount(plan.memory.adapter)}, a pass {amount(plan.memory.activations)}; {amount(plan.device.free)} free"
        )
    if plan.seconds is not None:
        console.print(f"time        about {duration(plan.seconds)} for the steps, from timed ones")
    console.print(f"model       {tuning.name}")
