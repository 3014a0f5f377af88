"""What share of a corpus has a label, from predictions on all of it and hand labels on a random part.

The classifier's own share is biased where it errs more one way than the other. Prediction-powered inference (PPI++:
Angelopoulos, Duchi & Zrnic 2023) adds to it what the hand labels say about the errors:

    share = L Q + mean(y - L f)

y and f are 1 where gold and prediction have the label, Q is the mean of f over the whole corpus, the mean is weighted
by inverse inclusion probabilities, and L in [0, 1] is chosen to make the variance least: 0 is the gold-only estimate.
The corpus is the population, so this is the difference estimator of survey statistics (Särndal, Swensson & Wretman
1992, ch. 6) and Q carries no error. A share of a part, such as anti among those on topic, is a ratio; its variance is
that of the linearised y - share x base.

The textbook interval (estimate ± 1.96 standard errors) fails for rare labels and for classifiers that a sample catches
in few errors: it covered 27 % instead of 95 % at a share of .02 and n = 50. Here the interval is Wilson's, with the
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
from xlt.science.metrics import Floats, Ints
from xlt.science.wilson import wilson

LEAST_GOLD = 50
"""Gold labels in the base of a share below which no interval is given."""
LEAST_ERRORS = 2
CERTAIN = 1e12
"""The size that stands for all of the corpus: nothing is left to chance."""
IMAGINED_ERRORS = 0.5
"""Spread over the kinds that move a row into or out of the members."""

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
    """How many more hand labels would halve the interval, drawn alike."""


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
    view = _View.of(sample, population, members, base)
    if view.n == 0:
        return Share(0, naive, None, None, None, None, None, "none", None)
    gold = view.ratio(0.0)
    gold_size = view.effective(gold, 0.0)
    enough = view.n >= LEAST_GOLD and round(view.kish, 6) >= LEAST_GOLD
    if not enough:
        return Share(view.n, naive, None, None, None, None, None, "none", None)
    # A variance from few rows may be too small by chance; what strata gain is not worth that risk.
    gold_size = gold_size if gold_size >= CERTAIN else min(gold_size, float(view.n))
    gold_interval = wilson(gold, gold_size)
    adjusted = _adjusted(sample, population, members, base)
    if view.errors < LEAST_ERRORS:
        more = _to_halve(gold, gold_size, len(sample))
        return Share(view.n, naive, gold, gold_interval, adjusted, gold, gold_interval, "gold", more)
    tuned = view.tuned(gold)
    estimate = min(1.0, max(0.0, view.ratio(tuned)))
    size = max(view.effective(estimate, tuned), view.kish / 2)
    bounds, more = wilson(estimate, size), _to_halve(estimate, size, len(sample))
    return Share(view.n, naive, gold, gold_interval, adjusted, estimate, bounds, "ppi", more)


def pooled_share(
    sample: Sample, pool: Sample, population: Floats, members: Collection[int], base: Collection[int]
) -> Share:
    """The share in a cell with too little gold of its own, by error rates of the `pool`.

    Assumes that a text with a given prediction has each gold label as often here as in the pool. That can't be checked
    here, so the estimate carries no interval.
    """
    own = share(sample, population, members, base)
    rates = _gold_given_predicted(pool, len(population))
    if len(pool) < LEAST_GOLD or rates is None or not population.sum():
        return own
    present = population > 0
    if not np.isfinite(rates[present]).all():
        return own
    expected = population[present] @ rates[present]
    below = expected[list(base)].sum()
    estimate = float(expected[list(members)].sum() / below) if below > 0 else None
    method: Method = "pooled" if estimate is not None else "none"
    return Share(own.n, own.naive, own.gold, own.gold_interval, own.adjusted, estimate, None, method, None)


@dataclass(frozen=True)
class _View:
    """A sample seen as one share: each row is a member, in the base but no member, or outside."""

    numerator: Floats
    """1 for gold members."""
    denominator: Floats
    """1 for gold in the base."""
    numerator_hat: Floats
    denominator_hat: Floats
    """The same of predictions."""
    share_hat: float
    """Predicted members over the whole cell."""
    base_hat: float
    weights: Floats
    """Sum to 1."""
    sample: Sample

    @classmethod
    def of(cls, sample: Sample, population: Floats, members: Collection[int], base: Collection[int]) -> _View:
        inside, within = list(members), list(base)
        total = max(population.sum(), 1.0)
        whole = len(within) == len(population) - 1
        # A share of everything has everything as its base, failures of the classifier included.
        below_hat = np.ones(len(sample)) if whole else np.isin(sample.predicted, within).astype(float)
        return cls(
            np.isin(sample.gold, inside).astype(float),
            np.isin(sample.gold, within).astype(float),
            np.isin(sample.predicted, inside).astype(float),
            below_hat,
            float(population[inside].sum() / total),
            1.0 if whole else float(population[within].sum() / total),
            sample.weights / sample.weights.sum(),
            sample,
        )

    @property
    def n(self) -> int:
        return int(self.denominator.sum())

    @property
    def kish(self) -> float:
        """Rows in the base that would be worth as much with equal weights (Kish 1965)."""
        weights = self.weights[self.denominator > 0]
        return float(weights.sum() ** 2 / (weights**2).sum())

    @property
    def errors(self) -> int:
        """Rows that gold has among the members and the prediction has not, or the other way round."""
        return int((self.numerator != self.numerator_hat).sum())

    def ratio(self, tuned: float) -> float:
        above = tuned * self.share_hat + self.weights @ (self.numerator - tuned * self.numerator_hat)
        below = tuned * self.base_hat + self.weights @ (self.denominator - tuned * self.denominator_hat)
        return float(above / below) if below > 0 else 0.0

    def base_share(self, tuned: float) -> float:
        below = tuned * self.base_hat + self.weights @ (self.denominator - tuned * self.denominator_hat)
        return max(float(below), 1e-9)

    def linearised(self, ratio: float) -> tuple[Floats, Floats]:
        return self.numerator - ratio * self.denominator, self.numerator_hat - ratio * self.denominator_hat

    def tuned(self, ratio: float) -> float:
        """The weight of predictions that makes the variance least, between 0 and 1."""
        y, f = self.linearised(ratio)
        y, f = y - self.weights @ y, f - self.weights @ f
        spread = self.weights @ (f * f)
        return float(np.clip(self.weights @ (y * f) / spread, 0.0, 1.0)) if spread > 1e-12 else 0.0

    def effective(self, ratio: float, tuned: float) -> float:
        """The size of a plain sample of the base whose share would have the variance of this estimate."""
        if (self.sample.fractions >= 1).all():
            return CERTAIN
        if not 0 < ratio < 1:
            return self.kish
        y, f = self.linearised(ratio)
        residual = y - tuned * f
        variance = self._design_variance(residual) * (self._inflation(ratio, tuned) if tuned else 1.0)
        variance /= self.base_share(tuned) ** 2
        return ratio * (1 - ratio) / variance if variance > 1e-15 else self.kish

    def _design_variance(self, values: Floats) -> float:
        """Of a weighted mean, linearised, within strata, with the finite population correction."""
        scores = self.weights * (values - self.weights @ values)
        total = 0.0
        for stratum in np.unique(self.sample.strata):
            rows = self.sample.strata == stratum
            n = int(rows.sum())
            # A stratum of one row can't tell its spread: it is taken around the mean of all.
            middle = float(scores[rows].mean()) if n > 1 else 0.0
            spread = float(((scores[rows] - middle) ** 2).sum()) * n / max(1, n - 1)
            total += (1 - float(self.sample.fractions[rows].mean())) * spread
        return total

    def _inflation(self, ratio: float, tuned: float) -> float:
        """How much larger the variance is with IMAGINED_ERRORS more errors."""
        whole = bool((self.denominator == 1).all() and (self.denominator_hat == 1).all())
        kinds = [(1.0, 1.0), (0.0, 1.0)] + ([] if whole else [(0.0, 0.0)])
        size = 1 / float((self.weights**2).sum())
        values, masses, imagined = [], [], []
        for y in kinds:
            for f in kinds:
                rows = (self.numerator == y[0]) & (self.denominator == y[1])
                rows &= (self.numerator_hat == f[0]) & (self.denominator_hat == f[1])
                values.append((y[0] - ratio * y[1]) - tuned * (f[0] - ratio * f[1]))
                masses.append(size * float(self.weights[rows].sum()))
                imagined.append(IMAGINED_ERRORS / (2 if whole else 4) if y[0] != f[0] else 0.0)
        plain = _variance(np.array(values), np.array(masses))
        more = _variance(np.array(values), np.array(masses) + np.array(imagined))
        return more / plain if plain > 1e-15 else 1.0


def _variance(values: Floats, masses: Floats) -> float:
    shares = masses / masses.sum()
    return float((shares * (values - shares @ values) ** 2).sum())


def _naive(population: Floats, members: Collection[int], base: Collection[int]) -> float | None:
    below = population[list(base)].sum()
    return float(population[list(members)].sum() / below) if below > 0 else None


def _gold_given_predicted(sample: Sample, kinds: int) -> Floats | None:
    """Shape (labels + 1, labels): shares of gold labels for each prediction; NaN for a prediction without gold."""
    if not len(sample):
        return None
    table = np.zeros((kinds, kinds - 1))
    np.add.at(table, (np.where(sample.predicted < 0, kinds - 1, sample.predicted), sample.gold), sample.weights)
    below = table.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(table, below, out=np.full(table.shape, np.nan), where=below > 0))


def _adjusted(sample: Sample, population: Floats, members: Collection[int], base: Collection[int]) -> float | None:
    """Adjusted count (Forman 2008) for several labels: non-negative least squares of the confusion matrix."""
    from scipy.optimize import nnls

    kinds = len(population)
    table = np.zeros((kinds, kinds - 1))
    np.add.at(table, (np.where(sample.predicted < 0, kinds - 1, sample.predicted), sample.gold), sample.weights)
    meant = table.sum(axis=0)
    if not population.sum() or (np.bincount(sample.gold, minlength=kinds - 1) < LEAST_OF_A_LABEL).any():
        return None
    # The last row makes the shares sum to 1.
    rates = np.vstack([table / meant, np.full(kinds - 1, 1e3)])
    if np.linalg.matrix_rank(rates[:-1], tol=1e-3) < kinds - 1:
        return None
    found, _ = nnls(rates, np.append(population / population.sum(), 1e3))
    below = found[list(base)].sum()
    return float(found[list(members)].sum() / below) if below > 0 else None


def _to_halve(estimate: float, size: float, n: int) -> int:
    """More labels like these that would make the interval half as wide."""
    low, high = wilson(estimate, size)
    lower, upper = 1.0, 64.0
    for _ in range(40):
        middle = (lower + upper) / 2
        bounds = wilson(estimate, size * middle)
        lower, upper = (middle, upper) if bounds[1] - bounds[0] > (high - low) / 2 else (lower, middle)
    return ceil((upper - 1) * n)
