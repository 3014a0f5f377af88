"""A fine-tuning small enough for tests: a toy language with two labels, told by which of two words a text holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import write_model
from xlt.backends.base import BackendName
from xlt.cards.registry import find
from xlt.tasks.load import parse_task
from xlt.training.examples import Choice, Example
from xlt.training.job import Tuning
from xlt.training.listener import Deaf, Progress
from xlt.training.recipe import Recipe, load_recipe

TASK = """
name = "toy"
version = "1"

[[labels]]
name = "left"
short = "left"
answer = "1"
colour = "#aa0000"
description = "goes left"

[[labels]]
name = "right"
short = "right"
answer = "2"
colour = "#0000aa"
description = "goes right"

[prompt]
template = "Which way?\\nText: {text}\\nWay:"
max_text_tokens = 200
"""
WORDS = ("bus", "late", "again", "bread", "house", "rain", "lake", "book")
RECIPE = replace(
    load_recipe("tiny"), rank=8, alpha=16, dropout=0.1, lr=1e-2, epochs=6, batch=16, schedule="linear", warmup=0.0
)


def example(number: int, lang: str, rng: random.Random) -> Example:
    """Every second one goes left."""
    words = rng.choices(WORDS, k=rng.randint(3, 9))
    words.insert(rng.randrange(len(words)), "left" if number % 2 else "right")
    text = f"{' '.join(words)} {number}"
    return Example(text, "left" if number % 2 else "right", lang, f"t{number}", "toy.csv", number + 1)


def choice(train: int = 48, dev: int = 24) -> Choice:
    """English and German to train on; held out are those and Polish."""
    rng = random.Random(4)
    learnt = tuple(example(number, ("en", "de")[number // 2 % 2], rng) for number in range(train))
    held = tuple(example(1000 + number, ("en", "de", "pl")[number // 2 % 3], rng) for number in range(dev))
    return Choice(learnt, held)


def toy_tuning(workspace: Path, backend: BackendName = "torch", recipe: Recipe = RECIPE, **changes: Any) -> Tuning:
    """A tuning of the random model in `<workspace>/base`, which is made when it is not there."""
    base = workspace / "base"
    if not base.is_dir():
        write_model(base)
    task = replace(parse_task(TASK), source=TASK)
    found = find(str(base), backend=backend, workspace=workspace)
    made = Tuning("toy", found, task, choice(), recipe, workspace=workspace, backend=backend, device="cpu", threads=1)
    return replace(made, **changes)


class At(Deaf):
    """Does something after a step."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._step, self._act = step, act
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def progress(self, progress: Progress) -> None:
        if progress.step == self._step:
            self._act()
