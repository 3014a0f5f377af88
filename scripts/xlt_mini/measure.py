"""Accuracy, macro-F1 and topic macro-F1, with bootstrap intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xlt.tasks.spec import Task

Ints = npt.NDArray[np.integer]


def scores(gold: Ints, guessed: Ints, task: Task) -> dict[str, float]:
    """Accuracy, macro-F1 over the labels, and macro-F1 of related against unrelated."""
    unrelated = task.names.index("unrelated")
    return {
        "accuracy": float((gold == guessed).mean()),
        "macro_f1": macro_f1(gold, guessed, len(task.labels)),
        "topic_f1": macro_f1((gold == unrelated) * 1, (guessed == unrelated) * 1, 2),
    }


def macro_f1(gold: Ints, guessed: Ints, classes: int) -> float:
    """The mean F1 of the classes that occur in `gold` or `guessed`."""
    table = np.bincount(gold * classes + guessed, minlength=classes * classes).reshape(classes, classes)
    sizes = table.sum(0) + table.sum(1)
    there = sizes > 0
    return float((2 * np.diag(table)[there] / sizes[there]).mean())


def intervals(
    gold: Ints, guessed: Ints, task: Task, draws: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap over tweets, for each of `scores`."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        at = rng.integers(len(gold), size=len(gold))
        found.append(scores(gold[at], guessed[at], task))
    return {
        name: (float(low), float(high))
        for name in found[0]
        for low, high in [np.quantile([one[name] for one in found], (0.025, 0.975))]
    }
