"""What share of a corpus has a label, from predictions on all of it and hand labels on a random part.

The classifier's own share is biased where it errs more one way than the other. Prediction-powered inference (PPI++:
Angelopoulos, Duchi & Zrnic 2023) adds to it what the hand labels say about the errors:

    share = mean(y - L (f - Q))

y and f are 1 where gold and prediction have the label, Q is the mean of f over the whole corpus, the mean is weighted
by inverse inclusion probabilities, and L in [0, 1] is chosen to make the variance least: 0 is the gold-only estimate.
Each row's L comes from the other rows (`science/ppi.py`). The corpus is the population, so this is the difference
estimator of survey statistics (Särndal, Swensson & Wretman 1992, ch. 6) and Q carries no error. A share of a part, such
as anti among those on topic, is a ratio; its variance is that of the linearised y - share x base.

The textbook interval (estimate ± 1.96 standard errors) fails for rare labels and for classifiers that a sample catches
in few errors: it covered 29 % instead of 95 % at a share of .02 and n = 50. Here the interval is Wilson's, with the
sample size that would give a plain sample this variance (Franco et al. 2019), half an error is imagined on top of
those seen, and with fewer than two errors it falls back on gold alone. docs/prevalence.md has the coverage as
simulated.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from xlt.science.bootstrap import LEAST_OF_A_LABEL
from xlt.science.metrics import Floats, Ints, confusion
from xlt.science.ppi import LEAST_GOLD as LEAST_GOLD
from xlt.science.ppi import Kinds, estimate

MOST_TIMES = 64.0
"""As many labels, which is as far as is looked for those that halve an interval."""

Method = Literal["ppi", "gold", "pooled", "none"]


@dataclass(frozen=True)
class Sample:
    """Hand-labelled rows of one cell. All arrays (n,)."""

    gold: Ints
    """Indices of labels, 0 or more."""
    predicted: Ints
    """Indices of labels; -1 where the classifier failed, which is a class of its own."""
    weights: Floats
    """Inverse inclusion probabilities, in any unit."""
    strata: Ints
    """What was drawn apart from the rest."""
    fractions: Floats
    """Inclusion probabilities where they are known, for the finite population correction; 0 elsewhere."""

    def __len__(self) -> int:
        return len(self.gold)

    def part(self, rows: Ints) -> Sample:
        """Some of the rows."""
        return Sample(
            self.gold[rows], self.predicted[rows], self.weights[rows], self.strata[rows], self.fractions[rows]
        )


@dataclass(frozen=True)
class Share:
    """One share, estimated in every way. None is "not estimable"."""

    n: int
    """Gold labels in its base."""
    naive: float | None
    """The classifier's own share. It has no interval: its error is not one of sampling."""
    gold: float | None
    gold_interval: tuple[float, float] | None
    adjusted: float | None
    """Adjusted count: the gold shares that would give these predictions at the error rates seen. No interval: on small
    samples no rule that we tried made one cover."""
    corrected: float | None
    """The estimate to report."""
    interval: tuple[float, float] | None
    """95 %, of `corrected`."""
    method: Method
    """How `corrected` was made: ppi, gold alone, error rates pooled over cells, or not at all."""
    more: int | None
    """How many more hand labels would halve the interval, drawn alike; at most so many where `method` is gold, since
    the errors that more labels will show are not counted on. None where too few cases tell."""


def random_sample(gold: Ints, predicted: Ints, population: int = 0) -> Sample:
    """A sample in which every row was as likely; of a population of so many rows (0: endless)."""
    n = len(gold)
    fraction = n / population if population else 0.0
    return Sample(gold, predicted, np.ones(n), np.zeros(n, np.int64), np.full(n, fraction))


def share(sample: Sample, population: Floats, members: Collection[int], base: Collection[int]) -> Share:
    """The share of labels `members` among labels `base`.

    `population` counts the predictions on the whole cell, (labels + 1,), failures last.
    """
    naive = _naive(population, members, base)
    if not len(sample):
        return Share(0, naive, None, None, None, None, None, "none", None)
    kinds, counts = tabled(sample, population, members, base)
    found = estimate(kinds, counts)
    n = int(found.n)
    if not found.enough:
        return Share(n, naive, None, None, None, None, None, "none", None)
    return Share(
        n,
        naive,
        float(found.gold),
        (float(found.gold_low), float(found.gold_high)),
        _adjusted(sample, population, members, base),
        float(found.share),
        (float(found.low), float(found.high)),
        "ppi" if found.by_ppi else "gold",
        _to_halve(kinds, counts),
    )


def tabled(sample: Sample, population: Floats, members: Collection[int], base: Collection[int]) -> tuple[Kinds, Floats]:
    """A sample as counts of kinds of rows, (kinds,), in an order that is the same whatever the order of rows."""
    inside, within = list(members), list(base)
    total = max(float(population.sum()), 1.0)
    # A share of everything has everything as its base, failures of the classifier included.
    whole = len(within) == len(population) - 1
    columns = (
        np.isin(sample.gold, inside),
        np.isin(sample.gold, within),
        np.isin(sample.predicted, inside),
        np.ones(len(sample)) if whole else np.isin(sample.predicted, within),
        sample.weights,
        sample.strata,
        sample.fractions,
    )
    rows, counts = np.unique(np.stack(columns, axis=1).astype(float), axis=0, return_counts=True)
    shares = float(population[inside].sum() / total), 1.0 if whole else float(population[within].sum() / total)
    member, inside_base, member_hat, base_hat, weight, stratum, fraction = rows.T
    kinds = Kinds(member, inside_base, member_hat, base_hat, weight, stratum, fraction, *shares)
    return kinds, counts.astype(float)


def pooled_share(
    sample: Sample, pool: Sample, population: Floats, members: Collection[int], base: Collection[int]
) -> Share:
    """The share in a cell with too little gold of its own, by error rates of the `pool`.

    Assumes that a text with a given prediction has each gold label as often here as in the pool. That can't be checked
    here, so the estimate carries no interval.
    """
    own = share(sample, population, members, base)
    if len(pool) < LEAST_GOLD or not population.sum():
        return own
    rates = gold_given_predicted(confusion(pool.gold, pool.predicted, len(population) - 1, pool.weights))
    present = population > 0
    if not np.isfinite(rates[present]).all():
        return own
    expected = population[present] @ rates[present]
    below = expected[list(base)].sum()
    estimate = float(expected[list(members)].sum() / below) if below > 0 else None
    method: Method = "pooled" if estimate is not None else "none"
    return Share(own.n, own.naive, own.gold, own.gold_interval, own.adjusted, estimate, None, method, None)


def _naive(population: Floats, members: Collection[int], base: Collection[int]) -> float | None:
    below = population[list(base)].sum()
    return float(population[list(members)].sum() / below) if below > 0 else None


def gold_given_predicted(counts: Floats) -> Floats:
    """(labels + 1, labels): shares of gold labels for each prediction, of a confusion; NaN for one without gold."""
    below = counts.sum(axis=0)[:, None]
    return np.asarray(np.divide(counts.T, below, out=np.full(counts.T.shape, np.nan), where=below > 0))


def adjusted_count(counts: Floats, population: Floats) -> Floats | None:
    """Adjusted count (Forman 2008) for several labels: shares, (labels,), by non-negative least squares.

    `counts` (labels, labels + 1) has gold in rows; `population` counts predictions. None where a label has too little
    gold, or error rates that are those of others.
    """
    from scipy.optimize import nnls

    labels = len(counts)
    if not population.sum() or (counts.sum(axis=1) <= 0).any():
        return None
    rates = (counts / counts.sum(axis=1, keepdims=True)).T
    if np.linalg.matrix_rank(rates, tol=1e-3) < labels:
        return None
    # The last row makes the shares sum to 1.
    found, _ = nnls(np.vstack([rates, np.full(labels, 1e3)]), np.append(population / population.sum(), 1e3))
    return np.asarray(found)


def _adjusted(sample: Sample, population: Floats, members: Collection[int], base: Collection[int]) -> float | None:
    labels = len(population) - 1
    if (np.bincount(sample.gold, minlength=labels) < LEAST_OF_A_LABEL).any():
        return None
    found = adjusted_count(confusion(sample.gold, sample.predicted, labels, sample.weights), population)
    below = 0.0 if found is None else found[list(base)].sum()
    return float(found[list(members)].sum() / below) if found is not None and below > 0 else None


def _to_halve(kinds: Kinds, counts: Floats) -> int | None:
    """More labels like these that would make the interval half as wide; None where too few members, or too few others,
    were seen to tell how wide any interval will be, and where there is nothing to halve.

    The interval is made anew as if there were so many times the rows, errors among them, drawn from the same corpus.
    """
    members, base = float(counts @ kinds.member), float(counts @ kinds.base)
    if min(members, base - members) < LEAST_OF_A_LABEL:
        return None
    now = estimate(kinds, counts)
    goal = (float(now.high) - float(now.low)) / 2
    if goal < 1e-9:
        return None
    least, most = 1.0, MOST_TIMES
    for _ in range(3):
        times = np.geomspace(least, most, 17)
        found = estimate(kinds, counts, times)
        reached = np.flatnonzero(found.high[1:] - found.low[1:] <= goal)
        if not len(reached):
            return None
        least, most = float(times[reached[0]]), float(times[reached[0] + 1])
    return ceil(round((most - 1) * float(counts.sum()), 6))
