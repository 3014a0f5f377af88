"""Do people who coded the same texts agree, and does a model agree with them as well as they do with one another?

Ratings have shape (units, coders): indices of labels, -1 where a coder did not code the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from xlt.science.bootstrap import DRAWS, Interval, interval
from xlt.science.metrics import Floats, Ints, confusion, kappa_of

LEAST_UNITS = 50
"""Units with two codings below which a bootstrap interval of alpha is not given."""


@dataclass(frozen=True)
class Agreement:
    """How far some coders agree."""

    units: int
    """Units that two or more of them coded; the others say nothing."""
    alpha: float
    """Krippendorff's, nominal; NaN where all codings are one label or there are no units."""
    alpha_interval: Interval | None
    agreement: float
    """Share of pairs of codings of one unit that are equal."""


@dataclass(frozen=True)
class Pair:
    """Two coders on the units that both coded."""

    a: int
    b: int
    units: int
    agreement: float
    kappa: float
    """Cohen's."""


@dataclass(frozen=True)
class Beside:
    """One coder against the others and against the model, on the same units."""

    coder: int
    units: int
    """Units that the coder, another coder and the model all have a label for."""
    with_people: float
    """Alpha of the coder with each other coder, the mean weighted by units."""
    with_model: float
    """Alpha of the coder with the model."""


def krippendorff(ratings: Ints, labels: int) -> float:
    """Krippendorff's alpha for nominal labels and any number of coders, missing codings allowed (Krippendorff 2011)."""
    disagreement, totals = _contributions(ratings, labels)
    return float(_alpha(disagreement.sum(), totals.sum(axis=0)))


def agreement(ratings: Ints, labels: int, seed: int = 0, draws: int = DRAWS) -> Agreement:
    """Alpha with a percentile interval from drawing units anew."""
    disagreement, totals = _contributions(ratings, labels)
    units = len(disagreement)
    bounds = None
    if units >= LEAST_UNITS:
        weights = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=draws)
        bounds = interval(_alpha(weights @ disagreement, weights @ totals))
    sizes = totals.sum(axis=1)
    pairs = (sizes * (sizes - 1)).sum()
    unequal = (disagreement * (sizes - 1)).sum()
    share = float(1 - unequal / pairs) if pairs else float("nan")
    return Agreement(units, float(_alpha(disagreement.sum(), totals.sum(axis=0))), bounds, share)


def pairs(ratings: Ints, labels: int) -> list[Pair]:
    """Every two coders that share units."""
    found = []
    for a, b in combinations(range(ratings.shape[1]), 2):
        both = ratings[(ratings[:, [a, b]] >= 0).all(axis=1)][:, [a, b]]
        if len(both):
            same = float((both[:, 0] == both[:, 1]).mean())
            kappa = float(kappa_of(confusion(both[:, 0], both[:, 1], labels)))
            found.append(Pair(a, b, len(both), same, kappa))
    return found


def beside_model(ratings: Ints, model: Ints, labels: int) -> list[Beside]:
    """Each coder with the others, and with the model, on the very same units; `model` (units,) as ratings."""
    found = []
    for coder in range(ratings.shape[1]):
        others = [each for each in range(ratings.shape[1]) if each != coder]
        sums, weight = 0.0, 0
        shared = np.zeros(len(ratings), bool)
        for other in others:
            both = (ratings[:, coder] >= 0) & (ratings[:, other] >= 0) & (model >= 0)
            alpha = krippendorff(ratings[both][:, [coder, other]], labels) if both.any() else float("nan")
            if np.isfinite(alpha):
                sums, weight = sums + alpha * int(both.sum()), weight + int(both.sum())
                shared |= both
        if weight:
            with_model = krippendorff(np.stack([ratings[shared, coder], model[shared]], axis=1), labels)
            found.append(Beside(coder, int(shared.sum()), sums / weight, with_model))
    return found


def as_ratings(rows: Sequence[tuple[str, str, int]]) -> tuple[list[str], list[str], Ints]:
    """(unit, coder, label) rows as units, coders and ratings; the last row of a unit and coder counts."""
    units = sorted({unit for unit, _, _ in rows})
    coders = sorted({coder for _, coder, _ in rows})
    ratings = np.full((len(units), len(coders)), -1, np.int64)
    unit_at = {unit: at for at, unit in enumerate(units)}
    coder_at = {coder: at for at, coder in enumerate(coders)}
    for unit, coder, label in rows:
        ratings[unit_at[unit], coder_at[coder]] = label
    return units, coders, ratings


def _contributions(ratings: Ints, labels: int) -> tuple[Floats, Floats]:
    """Of each unit with two codings or more: its observed disagreement, and its counts of labels (units, labels)."""
    counts = np.stack([(ratings == label).sum(axis=1) for label in range(labels)], axis=1).astype(np.float64)
    sizes = counts.sum(axis=1)
    counts, sizes = counts[sizes >= 2], sizes[sizes >= 2]
    return (sizes**2 - (counts**2).sum(axis=1)) / (sizes - 1), counts


def _alpha(disagreement: Floats, totals: Floats) -> Floats:
    """1 - observed / expected disagreement, of sums over units: (...,) and (..., labels)."""
    n = totals.sum(axis=-1)
    expected = n**2 - (totals**2).sum(axis=-1)
    observed = (n - 1) * np.asarray(disagreement)
    nothing = np.full(np.shape(expected), np.nan)
    return np.asarray(1 - np.divide(observed, expected, out=nothing, where=expected > 0))
