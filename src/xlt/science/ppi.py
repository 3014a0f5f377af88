"""Prediction-powered inference of shares and of ratios of shares, of many samples at once.

A sample is a count of each kind of row: its stratum, its weight, and whether gold and prediction have it among the
members and in the base. Samples are the leading dimensions, so that the command (one sample), the bootstrap and the
simulations (thousands) run the same code.

The estimate is that of PPI++ (Angelopoulos, Duchi & Zrnic 2023), with the weight of predictions L cross-fitted: a row's
own L is made from all other rows (one fold a row). A tuned L fits the errors that it was tuned on, which are then too
small; one that never saw a row is as honest about it as a constant, and needs no random folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from xlt.science.metrics import Floats, Ints
from xlt.science.wilson import bounds

LEAST_GOLD = 50
"""Gold labels in the base of a share below which no interval is given."""
LEAST_ERRORS = 2
CERTAIN = 1e12
"""The size that stands for all of the corpus: nothing is left to chance."""
IMAGINED_ERRORS = 0.5
"""Spread over the kinds that move a row into or out of the members."""
BORROWED = 5
"""Cases, such as members or errors, that each stratum takes from all of them to tell its own spread."""
MOST_WIDER = 1.1
"""Times as wide as that of gold alone: an interval of PPI beyond is not worth having."""
_TINY = 1e-15
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Kinds:
    """What a hand-labelled row can be, and the corpus. Arrays (kinds,)."""

    member: Floats
    """1 where gold has a row among the members, else 0."""
    base: Floats
    member_hat: Floats
    """The same of the prediction."""
    base_hat: Floats
    weight: Floats
    """Of one row: its inverse inclusion probability, in any unit."""
    stratum: Floats
    fraction: Floats
    """Inclusion probability where it is known, for the finite population correction; 0 elsewhere."""
    share_hat: float
    """Predicted members over the whole corpus."""
    all_base_hat: float

    @cached_property
    def strata(self) -> Floats:
        """(kinds, strata): 1 where a kind is of a stratum."""
        return np.asarray(self.stratum[:, None] == np.unique(self.stratum), float)

    @cached_property
    def whole(self) -> bool:
        """Whether every row is in the base: a share, not a ratio of shares."""
        return bool((self.base == 1).all() and (self.base_hat == 1).all())

    @cached_property
    def pairs(self) -> tuple[Floats, Floats]:
        """What gold and prediction can be, (4, pairs): member, base and the same of predictions; and (kinds, pairs):
        1 where a kind is such a pair."""
        states = [(1.0, 1.0), (0.0, 1.0)] + ([] if self.whole else [(0.0, 0.0)])
        found = np.array([(*y, *f) for y in states for f in states]).T
        kinds = np.stack([self.member, self.base, self.member_hat, self.base_hat])
        return found, np.asarray((kinds[:, :, None] == found[:, None, :]).all(axis=0), float)

    @cached_property
    def products(self) -> Floats:
        """(kinds, 11): what the moments of gold and prediction are sums of."""
        y, d, f, g = self.member, self.base, self.member_hat, self.base_hat
        return np.stack([np.ones_like(y), y, d, f, g, y * f, y * g + d * f, d * g, f * f, f * g, g * g], axis=1)


@dataclass(frozen=True)
class Estimated:
    """Estimates of every sample; arrays of the leading shape. Without `enough` the rest means nothing."""

    n: Floats
    """Gold labels in the base."""
    enough: Bools
    """Whether intervals may be given."""
    gold: Floats
    """Gold alone."""
    gold_low: Floats
    gold_high: Floats
    by_ppi: Bools
    """Whether `share` is that of PPI; else gold alone."""
    share: Floats
    low: Floats
    high: Floats


def estimate(kinds: Kinds, counts: Floats, times: Floats | float = 1.0) -> Estimated:
    """Estimate from samples, `counts` (..., kinds); `times` (...) takes each as if it were so many times as large."""
    grown = np.asarray(times, float)[..., None]
    counts, fraction = counts * grown, np.minimum(1.0, kinds.fraction * grown)
    n = counts @ kinds.base
    weighted = counts * kinds.weight
    kish = _over((weighted @ kinds.base) ** 2, (weighted * kinds.weight) @ kinds.base)
    nothing = np.zeros_like(counts)
    gold = ratio(kinds, counts, nothing)
    # A variance from few rows may be too small by chance; what strata gain is not worth that risk.
    size = _effective(kinds, counts, fraction, gold, nothing, kish)
    size = np.where(size >= CERTAIN, size, np.minimum(size, n))
    gold_low, gold_high = bounds(gold, size)
    all_rows = tuned_on_all(kinds, counts)
    # What one row of a corpus that is nearly all coded does to L is no matter of chance any more.
    tuned = all_rows + (1 - fraction) * (cross_fitted(kinds, counts) - all_rows)
    share = np.clip(ratio(kinds, counts, tuned), 0.0, 1.0)
    low, high = bounds(share, np.maximum(_effective(kinds, counts, fraction, share, tuned, kish), kish / 2))
    by_ppi = counts @ (kinds.member != kinds.member_hat) >= LEAST_ERRORS - 1e-9
    by_ppi &= high - low <= MOST_WIDER * (gold_high - gold_low)
    return Estimated(
        n,
        (n >= LEAST_GOLD) & (np.round(kish, 6) >= LEAST_GOLD),
        gold,
        gold_low,
        gold_high,
        by_ppi,
        np.where(by_ppi, share, gold),
        np.where(by_ppi, low, gold_low),
        np.where(by_ppi, high, gold_high),
    )


def ratio(kinds: Kinds, counts: Floats, tuned: Floats) -> Floats:
    """Members over base, each corrected; `tuned` (..., kinds) is the weight of each kind's prediction."""
    weighted = counts * kinds.weight
    total = weighted.sum(-1)
    above = _corrected(weighted, total, kinds.member, kinds.member_hat, kinds.share_hat, tuned)
    below = _corrected(weighted, total, kinds.base, kinds.base_hat, kinds.all_base_hat, tuned)
    return _over(above, below)


def tuned_on_all(kinds: Kinds, counts: Floats) -> Floats:
    """The weight of predictions that makes the variance least, between 0 and 1, from all rows; (..., 1)."""
    return _tuned(kinds, counts, np.zeros(1, np.int64), 0.0)


def cross_fitted(kinds: Kinds, counts: Floats) -> Floats:
    """The same for every kind from all rows but one of that kind, (..., kinds)."""
    return _tuned(kinds, counts, np.arange(len(kinds.weight)), 1.0)


def _corrected(weighted: Floats, total: Floats, y: Floats, f: Floats, f_of_all: float, tuned: Floats) -> Floats:
    return _over((weighted * (y - tuned * (f - f_of_all))).sum(-1), total)


def _tuned(kinds: Kinds, counts: Floats, left_out: Ints, rows: float) -> Floats:
    """L without so many rows of each kind that is left out: weighted covariance of y and f over the variance of f,
    both linearised at the ratio of gold alone."""
    # A kind that no row is of has nothing to leave out; what it gets is never used.
    less = rows * kinds.weight[left_out] * (counts[..., left_out] >= rows)
    sums = ((counts * kinds.weight) @ kinds.products)[..., None, :] - less[..., None] * kinds.products[left_out]
    total, y, d, f, g, yf, yg_df, dg, ff, fg, gg = np.moveaxis(sums, -1, 0)
    at = _over(y, d)
    # y - ratio x base has the mean 0 by what the ratio is, so the covariance needs no second mean.
    together = yf - at * yg_df + at**2 * dg
    spread = ff - 2 * at * fg + at**2 * gg - _over((f - at * g) ** 2, total)
    return np.where(spread > 1e-12 * np.maximum(total, _TINY), np.clip(_over(together, spread), 0.0, 1.0), 0.0)


def _effective(kinds: Kinds, counts: Floats, fraction: Floats, share: Floats, tuned: Floats, kish: Floats) -> Floats:
    """The size of a plain sample of the base whose share would have the variance of this estimate."""
    weighted = counts * kinds.weight
    at = share[..., None]
    below = _corrected(weighted, weighted.sum(-1), kinds.base, kinds.base_hat, kinds.all_base_hat, tuned)
    y = kinds.member - at * kinds.base
    f = kinds.member_hat - at * kinds.base_hat - (kinds.share_hat - at * kinds.all_base_hat)
    residual = y - tuned * f
    variance = _design_variance(kinds, counts, fraction, residual) * _inflation(kinds, counts, share, tuned)
    variance = variance / np.maximum(below, 1e-9) ** 2
    known = (variance > _TINY) & (share > 0) & (share < 1)
    size = np.where(known, _over(share * (1 - share), np.where(known, variance, 1.0)), kish)
    all_drawn = ((fraction >= 1) | (counts == 0)).all(-1)
    return np.where(all_drawn, CERTAIN, size)


def _design_variance(kinds: Kinds, counts: Floats, fraction: Floats, values: Floats) -> Floats:
    """Of a weighted mean, linearised, within strata, with the finite population correction.

    A stratum's spread is taken together with that of BORROWED cases of all: of a rare label it may show none, and
    where it weighs much, the variance would be far too small. Many cases of its own outweigh those.
    """
    parts = _over(kinds.weight, (counts * kinds.weight).sum(-1)[..., None])
    apart = values - (counts * parts * values).sum(-1)[..., None]
    n, rows = counts @ kinds.strata, counts.sum(-1)[..., None]
    centre = _over((counts * parts * apart) @ kinds.strata, n)
    own = ((counts * (parts * apart - centre @ kinds.strata.T) ** 2) @ kinds.strata) * _over(n, n - 1)
    of_all = (counts * parts * apart**2).sum(-1)[..., None] * _over(rows, rows - 1)
    borrowed = ((counts * parts**2) @ kinds.strata) * of_all
    # 4 times the variance: of a half every row is a case, of a rare label about 4 for every row that has it.
    cases = n * 4 * of_all
    spread = np.where(n > 1, _over(cases * own + BORROWED * borrowed, cases + BORROWED), borrowed)
    drawn = _over((counts * fraction) @ kinds.strata, n)
    return np.asarray(((1 - drawn) * spread).sum(-1))


def _inflation(kinds: Kinds, counts: Floats, at: Floats, tuned: Floats) -> Floats:
    """How much larger the variance is with IMAGINED_ERRORS more errors; 1 where predictions have no weight."""
    weighted = counts * kinds.weight
    total = weighted.sum(-1)
    weight = _over((weighted * tuned).sum(-1), total)
    size = _over(total**2, (weighted * kinds.weight).sum(-1))
    (y, d, f, g), is_it = kinds.pairs
    at, weight = at[..., None], weight[..., None]
    value = y - at * d - weight * (f - at * g)
    mass = size[..., None] * _over(weighted @ is_it, total[..., None])
    imagined = np.where(y == f, 0.0, IMAGINED_ERRORS / (2 if kinds.whole else 4))
    plain, more = _variance(value, mass), _variance(value, mass + imagined)
    known = (weight[..., 0] > 0) & (plain > _TINY)
    return np.where(known, _over(more, np.where(known, plain, 1.0)), 1.0)


def _variance(values: Floats, masses: Floats) -> Floats:
    shares = _over(masses, masses.sum(-1)[..., None])
    middle = (shares * values).sum(-1)[..., None]
    return np.asarray((shares * (values - middle) ** 2).sum(-1))


def _over(above: Floats, below: Floats) -> Floats:
    """A quotient that is 0 where nothing is below."""
    below = np.asarray(below, float)
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)
