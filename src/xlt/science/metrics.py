"""Scores of predicted against gold labels, both as indices into a task's labels. A prediction of -1 is a failure.

Every score is a function of the confusion matrix, so that a point value and its bootstrap draws come out of the same
formula. Confusions have shape (..., labels, labels + 1): gold in rows, predictions in columns, failures in the last.
The tests hold the formulas to scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def accuracy(gold: Ints, predicted: Ints) -> float:
    """Share of texts, (n,) and (n,), whose label is right; failures are wrong."""
    return float(np.mean(gold == predicted))


def macro_f1(gold: Ints, predicted: Ints, labels: int) -> float:
    """Unweighted mean of the F1 of all `labels` labels; one that nobody gave or meant counts as 0."""
    return float(macro_f1_of(confusion(gold, predicted, labels)))


def confusion(gold: Ints, predicted: Ints, labels: int, weights: Floats | None = None) -> Floats:
    """Counts (or sums of `weights`), shape (labels, labels + 1); a prediction of -1 goes to the last column."""
    cells = gold * (labels + 1) + np.where(predicted < 0, labels, predicted)
    counts = np.bincount(cells, weights=weights, minlength=labels * (labels + 1))
    return counts.reshape(labels, labels + 1).astype(np.float64)


def accuracy_of(counts: Floats) -> Floats:
    """Accuracy of confusions; NaN where nothing was counted."""
    return _ratio(np.trace(counts[..., :-1], axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)), np.nan)


def precision_of(counts: Floats) -> Floats:
    """Per label, shape (..., labels): right among those predicted so; 0 where none was."""
    return _ratio(_right(counts), counts[..., :-1].sum(axis=-2), 0.0)


def recall_of(counts: Floats) -> Floats:
    """Per label: right among those that are so; NaN where gold has none."""
    return _ratio(_right(counts), counts.sum(axis=-1), np.nan)


def f1_of(counts: Floats) -> Floats:
    """Per label: harmonic mean of precision and recall; 0 where nobody gave or meant the label."""
    given, meant = counts[..., :-1].sum(axis=-2), counts.sum(axis=-1)
    return _ratio(2 * _right(counts), given + meant, 0.0)


def macro_f1_of(counts: Floats) -> Floats:
    """Unweighted mean of F1 over the full label set."""
    return np.asarray(f1_of(counts).mean(axis=-1))


def weighted_f1_of(counts: Floats) -> Floats:
    """Mean of F1 weighted by how often gold has the label: the paper's "F1 Weighted Macro"."""
    meant = counts.sum(axis=-1)
    return _ratio((f1_of(counts) * meant).sum(axis=-1), meant.sum(axis=-1), np.nan)


def kappa_of(counts: Floats) -> Floats:
    """Cohen's kappa with failures as a category of their own (Cohen 1960); NaN where chance alone agrees fully."""
    total = counts.sum(axis=(-2, -1))
    given, meant = counts[..., :-1].sum(axis=-2), counts.sum(axis=-1)
    observed = _ratio(_right(counts).sum(axis=-1), total, np.nan)
    expected = _ratio((given * meant).sum(axis=-1), total**2, np.nan)
    return _ratio(observed - expected, 1.0 - expected, np.nan)


def always_commonest(counts: Floats) -> Floats:
    """The confusion of a classifier that always says what gold has most often."""
    meant = counts.sum(axis=-1)
    found = np.zeros_like(counts)
    found[:, int(meant.argmax())] = meant
    return found


def to_mix(counts: Floats, mix: Floats) -> Floats:
    """Confusions as they would be if gold labels came in the shares `mix`, shape (labels,), which sums to 1.

    NaN where gold lacks a label that the mix has: its recall is then unknown.
    """
    meant = counts.sum(axis=-1, keepdims=True)
    rates = np.divide(counts, meant, out=np.full(counts.shape, np.nan), where=meant > 0)
    wanted = mix[:, None]
    return np.where(wanted > 0, rates * wanted, 0.0)


@dataclass(frozen=True)
class Scores:
    """One set of rows, scored. Arrays are per label."""

    n: int
    failed: int
    """Predictions that are no label; they count as errors."""
    counts: Floats
    accuracy: float
    macro_f1: float
    weighted_f1: float
    kappa: float
    precision: Floats
    recall: Floats
    f1: Floats
    commonest_accuracy: float
    commonest_macro_f1: float

    @property
    def gold(self) -> Floats:
        """Rows per gold label."""
        return np.asarray(self.counts.sum(axis=-1))


def scores(counts: Floats) -> Scores:
    """All scores of one confusion of counts; NaN where there is nothing to score."""
    constant = always_commonest(counts)
    return Scores(
        n=round(counts.sum()),
        failed=round(counts[:, -1].sum()),
        counts=counts,
        accuracy=float(accuracy_of(counts)),
        macro_f1=float(macro_f1_of(counts)) if counts.sum() else float("nan"),
        weighted_f1=float(weighted_f1_of(counts)),
        kappa=float(kappa_of(counts)),
        precision=precision_of(counts),
        recall=recall_of(counts),
        f1=f1_of(counts),
        commonest_accuracy=float(accuracy_of(constant)),
        commonest_macro_f1=float(macro_f1_of(constant)) if counts.sum() else float("nan"),
    )


def _right(counts: Floats) -> Floats:
    return np.asarray(np.diagonal(counts[..., :-1], axis1=-2, axis2=-1))


def _ratio(above: Floats, below: Floats, nothing: float) -> Floats:
    """above / below, `nothing` where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    found: Floats = np.divide(above, below, out=np.full(above.shape, nothing), where=np.abs(below) > 1e-15)
    return found
