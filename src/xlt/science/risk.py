"""How good are the predictions that a model is most confident of?

A share counted among confident predictions only is biased: confidence differs by label and language.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlt.science.metrics import Floats, Ints, confusion, macro_f1_of

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True)
class Covered:
    """The scores of the most confident part of the rows."""

    coverage: float
    n: int
    least_confidence: float
    accuracy: float
    macro_f1: float


def risk_coverage(confidence: Floats, gold: Ints, predicted: Ints, labels: int) -> list[Covered]:
    """Scores of the most confident 100 %, 90 % … 10 %. All arrays (n,); failures carry a confidence of 0.

    Rows of equal confidence come or go together, so that the order of rows decides nothing.
    """
    order = np.sort(confidence)[::-1]
    found = []
    for coverage in COVERAGES:
        size = max(1, round(coverage * len(order)))
        if not len(order):
            break
        least = float(order[size - 1])
        kept = confidence >= least
        counts = confusion(gold[kept], predicted[kept], labels)
        right = float((gold[kept] == predicted[kept]).mean())
        found.append(Covered(coverage, int(kept.sum()), least, right, float(macro_f1_of(counts))))
    return found
