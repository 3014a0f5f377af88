"""Does a confidence of .8 mean right in 8 of 10? Reliability, expected calibration error, temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlt.science.metrics import Floats, Ints

BINS = 10
LEAST_TO_FIT = 50
"""Fewer rows than this decide no temperature."""
LOWEST, HIGHEST = 0.05, 20.0
"""Between these a temperature is looked for."""
# A probability that float32 rounds to 0 stands for one near its smallest.
_LEAST = 1e-38


@dataclass(frozen=True)
class Bin:
    """Rows of one band of confidence: above `low`, up to `high`."""

    low: float
    high: float
    n: int
    confidence: float
    """Their (weighted) mean confidence."""
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """How confidence and accuracy go together."""

    bins: tuple[Bin, ...]
    """Bands that have rows."""
    ece: float
    """Expected calibration error: the mean gap between confidence and accuracy, weighted by rows."""
    brier: float
    """Mean squared distance between the probabilities and the gold label, summed over labels: 0 to 2."""
    nll: float
    """Mean negative log probability of the gold label, in nats."""


def reliability(probabilities: Floats, gold: Ints, weights: Floats | None = None, bins: int = BINS) -> Reliability:
    """`probabilities` (n, labels), `gold` (n,); bins of equal width (Guo et al. 2017). `weights` (n,) reweigh rows.

    Without a row every figure is NaN.
    """
    n, labels = probabilities.shape
    if not n:
        return Reliability((), *[float("nan")] * 3)
    weight = np.ones(n) if weights is None else weights
    weight = weight / weight.sum()
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == gold).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    ece = 0.0
    for each in range(bins):
        inside = place == each
        mass = float(weight[inside].sum())
        if mass <= 0:
            continue
        mean = float((weight * confidence)[inside].sum() / mass)
        accuracy = float((weight * right)[inside].sum() / mass)
        found.append(Bin(each / bins, (each + 1) / bins, int(inside.sum()), mean, accuracy))
        ece += mass * abs(mean - accuracy)
    of_gold = np.clip(probabilities[np.arange(n), gold], 1e-12, 1.0)
    squares = ((probabilities - np.eye(labels)[gold]) ** 2).sum(axis=1)
    return Reliability(tuple(found), ece, float((weight * squares).sum()), float(-(weight * np.log(of_gold)).sum()))


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities (n, labels) at another temperature: softmax(log p / T). The label with the most stays the same."""
    logits = np.log(np.clip(probabilities, _LEAST, 1.0)) / temperature
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: Floats, gold: Ints, weights: Floats | None = None) -> float | None:
    """The temperature that makes gold (n,) most likely (Guo et al. 2017); `weights` (n,) reweigh rows.

    None where the rows decide none: with no error among them it would be next to 0, and where the model knows nothing
    of them, without bound. Fit it on rows that score nothing afterwards.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.clip(probabilities.astype(np.float64), _LEAST, 1.0))
    rows = np.arange(len(gold))
    if (logits.argmax(axis=1) == gold).all():
        return None

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        highest = scaled.max(axis=1)
        total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float(np.average(total - scaled[rows, gold], weights=weights))

    best = float(np.exp(minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded").x))
    return best if 1.01 * LOWEST < best < 0.99 * HIGHEST else None
