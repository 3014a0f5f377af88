"""Two classifiers on the same rows: is one better, and by how much?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xlt.science.bootstrap import DRAWS, Interval, allows_interval, interval
from xlt.science.metrics import Floats, Ints, confusion, macro_f1_of


@dataclass(frozen=True)
class Comparison:
    """B against A on the same rows."""

    n: int
    only_a: int
    """Rows that A got right and B wrong."""
    only_b: int
    accuracy_difference: float
    """B - A."""
    accuracy_interval: Interval | None
    macro_f1_difference: float
    macro_f1_interval: Interval | None
    p: float
    """Exact McNemar, two-sided."""


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p value that A and B are wrong equally often (McNemar 1947), from the rows that one got right."""
    from scipy.stats import binomtest

    return float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for how many there are (Holm 1979), in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def compare(gold: Ints, a: Ints, b: Ints, labels: int, strata: Ints, seed: int, draws: int = DRAWS) -> Comparison:
    """Compare predictions of the same rows, all of shape (n,); the bootstrap draws within `strata` and gold labels."""
    right_a, right_b = gold == a, gold == b
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    counts = [confusion(gold, each, labels) for each in (a, b)]
    intervals: tuple[Interval | None, Interval | None] = (None, None)
    if allows_interval(counts[0]):
        resampled = _resampled(gold, a, b, labels, strata, seed, draws)
        intervals = (
            interval(_difference(resampled, lambda c: np.trace(c[..., :-1], axis1=-2, axis2=-1) / len(gold))),
            interval(_difference(resampled, macro_f1_of)),
        )
    return Comparison(
        n=len(gold),
        only_a=only_a,
        only_b=only_b,
        accuracy_difference=(only_b - only_a) / len(gold) if len(gold) else float("nan"),
        accuracy_interval=intervals[0],
        macro_f1_difference=float(macro_f1_of(counts[1]) - macro_f1_of(counts[0])) if len(gold) else float("nan"),
        macro_f1_interval=intervals[1],
        p=mcnemar(only_a, only_b),
    )


def _difference(resampled: tuple[Floats, Floats], score: Callable[[Floats], Floats]) -> Floats:
    return np.asarray(score(resampled[1]) - score(resampled[0]))


def _resampled(gold: Ints, a: Ints, b: Ints, labels: int, strata: Ints, seed: int, draws: int) -> tuple[Floats, Floats]:
    """Bootstrap confusions of A and of B from the same draws of rows."""
    rng = np.random.default_rng(seed)
    size = labels + 1
    joint = np.where(a < 0, labels, a) * size + np.where(b < 0, labels, b)
    total = np.zeros((draws, labels, size, size))
    for stratum in np.unique(strata):
        for label in range(labels):
            cells = joint[(strata == stratum) & (gold == label)]
            if len(cells):
                shares = np.bincount(cells, minlength=size * size) / len(cells)
                total[:, label] += rng.multinomial(len(cells), shares, size=draws).reshape(draws, size, size)
    return total.sum(axis=3), total.sum(axis=2)
