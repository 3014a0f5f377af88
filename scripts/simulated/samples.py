"""Populations whose truth is known, and samples of them as counts of kinds of rows."""

from __future__ import annotations

import numpy as np

from xlt.science.metrics import Floats
from xlt.science.ppi import Kinds, cross_fitted, ratio, tuned_on_all

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
SIZES = (50, 100, 200, 400)
# Sensitivity and specificity.
CLASSIFIERS = {"near perfect": (0.95, 0.99), "good": (0.8, 0.95), "weak": (0.6, 0.85), "over-eager": (0.9, 0.7)}
# Stance: how often a label on the topic is right, and how often an unrelated tweet is put on the topic.
STANCE = {"near perfect": (0.95, 0.01), "good": (0.85, 0.05), "weak": (0.6, 0.15)}
ON_TOPIC = 0.4


def of_a_share(truth: float, sensitivity: float, specificity: float) -> Floats:
    """(gold, prediction): the joint distribution of one label and the rest."""
    wrong = (1 - truth) * (1 - specificity)
    return np.array([[truth * sensitivity, truth * (1 - sensitivity)], [wrong, 1 - truth - wrong]])


def of_stance(truth: float, right: float, eager: float) -> Floats:
    """(gold, prediction), each `anti`, other stances, unrelated: `anti` has the share `truth` of what is on topic."""
    wrong = (1 - right) / 2
    errors = np.array(
        [[right, wrong, wrong], [wrong / 2, right + wrong / 2, wrong], [eager / 3, 2 * eager / 3, 1 - eager]]
    )
    return np.asarray(np.array([ON_TOPIC * truth, ON_TOPIC * (1 - truth), 1 - ON_TOPIC])[:, None] * errors)


def kinds_of(joints: list[Floats], sizes: list[float], drawn: list[float]) -> tuple[Kinds, list[Floats]]:
    """Strata of a corpus as kinds, and each one's distribution over its own; 2 x 2 joints are shares, 3 x 3 ratios.

    `sizes` are those of the strata; `drawn` rows are drawn of each. Endless where sizes sum to 1.
    """
    states = len(joints[0])
    gold, said = (each.ravel() for each in np.indices((states, states)))
    total = sum(sizes)
    endless = abs(total - 1) < 1e-9
    whole = np.sum([size * joint for size, joint in zip(sizes, joints, strict=True)], axis=0) / total
    column: dict[str, list[Floats]] = {name: [] for name in ("weight", "stratum", "fraction")}
    for at, (size, n) in enumerate(zip(sizes, drawn, strict=True)):
        column["weight"].append(np.full(states**2, size / n))
        column["stratum"].append(np.full(states**2, float(at)))
        column["fraction"].append(np.full(states**2, 0.0 if endless else n / size))
    each = [(gold == 0), (gold < 2), (said == 0), (said < 2)]
    member, base, member_hat, base_hat = (np.tile(one.astype(float), len(joints)) for one in each)
    weight, stratum, fraction = (np.concatenate(one) for one in column.values())
    shares = float(whole[:, 0].sum()), float(whole[:, :2].sum())
    kinds = Kinds(member, base, member_hat, base_hat, weight, stratum, fraction, *shares)
    return kinds, [joint.ravel() for joint in joints]


def resampled(
    kinds: Kinds, counts: Floats, by_ppi: Floats, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Percentile intervals of the joint stratified bootstrap, (samples,) and (samples,): rows are drawn anew within
    each stratum with their weights, both shares of the ratio and L are made from the same rows."""
    again = np.empty((draws, *counts.shape))
    for stratum in range(kinds.strata.shape[1]):
        own = kinds.strata[:, stratum] > 0
        n = counts[:, own].sum(axis=1)
        again[:, :, own] = rng.multinomial(n.astype(int), counts[:, own] / n[:, None], size=(draws, len(counts)))
    whole = tuned_on_all(kinds, again)
    tuned = whole + (1 - kinds.fraction) * (cross_fitted(kinds, again) - whole)
    values = ratio(kinds, again, tuned * by_ppi[:, None])
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return low, high


def textbook(kinds: Kinds, counts: Floats) -> tuple[Floats, Floats]:
    """PPI++ of a plain sample, L tuned on its own rows, plus and minus 1.96 standard errors."""
    tuned = tuned_on_all(kinds, counts)
    middle = ratio(kinds, counts, tuned + np.zeros_like(counts))
    n = counts.sum(axis=1)
    residual = kinds.member - tuned * kinds.member_hat
    mean = (counts * residual).sum(axis=1) / n
    error = 1.96 * np.sqrt((counts * (residual - mean[:, None]) ** 2).sum(axis=1) / (n - 1) / n)
    return middle - error, middle + error
