"""Intervals of scores by a stratified bootstrap, and the rule when there is none.

Rows are drawn anew within each gold label (and language, where languages are pooled), so a stratum's counts are
multinomial: confusions are drawn directly, without touching rows. The intervals are percentiles
(Efron & Tibshirani 1993, ch. 13).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xlt.science.metrics import Floats

LEAST_ROWS = 50
"""Below this a bootstrap interval of a score covers too little (84 % instead of 95 % at n = 25)."""
LEAST_OF_A_LABEL = 5
LEAST_ROWS_STANDARDISED, LEAST_OF_A_LABEL_STANDARDISED = 100, 10
"""Scores at another label mix need more: with half as much, intervals covered 89 % where most labels were right."""
DRAWS = 2000

Interval = tuple[float, float]


def allows_interval(counts: Floats) -> bool:
    """Whether an interval of a score over all labels of this confusion is worth printing."""
    meant = counts.sum(axis=-1)
    return bool(meant.sum() >= LEAST_ROWS and (meant >= LEAST_OF_A_LABEL).all())


def allows_standardised(counts: Floats, mix: Floats) -> bool:
    """Whether an interval of a score at another label mix, shape (labels,), is worth printing.

    A score at that mix is as sure as one of 1 / sum(mix^2 / texts of the label) texts (Kish 1965), which take the place
    of the number of rows.
    """
    meant, wanted = counts.sum(axis=-1), mix > 0
    if not allows_interval(counts) or (meant[wanted] < LEAST_OF_A_LABEL_STANDARDISED).any():
        return False
    return bool(1 / (mix[wanted] ** 2 / meant[wanted]).sum() >= LEAST_ROWS_STANDARDISED - 1e-9)


def drawn(strata: Sequence[Floats], seed: int, draws: int = DRAWS) -> Floats:
    """Bootstrap confusions, shape (draws, labels, labels + 1), of confusions that are strata, such as languages.

    Each gold label of each stratum keeps its size.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((draws, *strata[0].shape))
    for counts in strata:
        for label, row in enumerate(counts):
            size = round(row.sum())
            if size:
                total[:, label] += rng.multinomial(size, row / row.sum(), size=draws)
    return total


def interval(values: Floats, level: float = 0.95) -> Interval | None:
    """The percentile interval of bootstrap values, shape (draws,); None when any of them is no number.

    None also when they are all the same: a sample without an error, or an answer that never changes, has no spread to
    draw from, and an interval of no width would be false.
    """
    if not len(values) or not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high)) if high - low > 1e-12 else None


def score_interval(
    strata: Sequence[Floats], score: Callable[[Floats], Floats], seed: int, draws: int = DRAWS
) -> Interval | None:
    """The interval of a score of the strata together; None where `allows_interval` refuses."""
    if not strata or not allows_interval(np.sum(strata, axis=0)):
        return None
    return interval(score(drawn(strata, seed, draws)))
