"""The course of a training, fixed before it begins: first adapter, order of the examples, learning rate, evaluations.

All of it hangs on seed, recipe and step alone, so that a training that was killed goes on as if nothing had been, and
both backends begin alike.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlt.backends.training import Adapter, Pair, Sample
from xlt.tasks.spec import Task
from xlt.training.examples import Example
from xlt.training.recipe import Recipe


def first_adapter(like: Adapter, seed: int) -> dict[str, Pair]:
    """PEFT's beginning: down uniform within 1 / sqrt(inputs) (Kaiming with a = sqrt 5), up zero, so nothing changes.

    Each matrix is drawn from its own name, so that which others there are does not matter.
    """
    first = {}
    for path, pair in like.items():
        bound = 1 / math.sqrt(pair.down.shape[1])
        drawn = np.random.default_rng([seed, zlib.crc32(path.encode())]).uniform(-bound, bound, pair.down.shape)
        first[path] = Pair(drawn.astype(np.float32), np.zeros_like(pair.up))
    return first


def label_weights(examples: Sequence[Example], task: Task, recipe: Recipe) -> list[float]:
    """What each example counts; 1 on average over all of them."""
    if recipe.label_weights == "none":
        return [1.0] * len(examples)
    found = {label: sum(example.label == label for example in examples) for label in task.names}
    present = sum(count > 0 for count in found.values())
    return [len(examples) / (present * found[example.label]) for example in examples]


@dataclass(frozen=True)
class Schedule:
    """Steps of a training, counted from 0."""

    recipe: Recipe
    examples: int
    seed: int

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return self.recipe.steps_per_epoch(self.examples)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.per_epoch * self.recipe.epochs

    def batch(self, step: int, samples: Sequence[Sample]) -> list[int]:
        """Which samples a step learns from: every epoch has all of them once, in an order of its own."""
        epoch, within = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(samples))
        return [int(at) for at in order[within * self.recipe.batch : (within + 1) * self.recipe.batch]]

    def rate(self, step: int) -> float:
        """The learning rate of a step: up in a line, then as the recipe says. Never 0: no step is idle."""
        warm = math.ceil(self.recipe.warmup * self.steps)
        if step < warm:
            return self.recipe.lr * (step + 1) / warm
        done = (step - warm) / (self.steps - warm)
        falls = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}
        return self.recipe.lr * falls[self.recipe.schedule]

    def evaluates(self, done: int) -> bool:
        """Whether there is an evaluation after so many steps: `evals` in every epoch, the last at its end."""
        within = (done - 1) % self.per_epoch + 1
        evals = min(self.recipe.evals, self.per_epoch)
        return within in {round(self.per_epoch * number / evals) for number in range(1, evals + 1)}
