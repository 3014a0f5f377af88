"""Scores of predicted against gold labels, both as indices into a task's labels. A prediction of -1 is a failure.

scikit-learn does the arithmetic; here stands what counts as an error, and that absent labels still count in the mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def accuracy(gold: Ints, predicted: Ints) -> float:
    """Share of texts, (n,) and (n,), whose label is right; failures are wrong."""
    return float(np.mean(gold == predicted))


def macro_f1(gold: Ints, predicted: Ints, labels: int) -> float:
    """Unweighted mean of the F1 of all `labels` labels; one that nobody gave or meant counts as 0."""
    from sklearn.metrics import f1_score

    return float(f1_score(gold, predicted, labels=list(range(labels)), average="macro", zero_division=0))
