"""Intervals for shares from drawing authors, not posts, again and again: posts of one author are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xlt.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
# Percentile intervals over fewer authors cover too little: docs/breakdown.md has the measurement.
LEAST_AUTHORS = 30
_MOST_SUMS = 50_000_000

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Patterns:
    """Authors whose posts fall into the same cells and classes alike are one pattern; drawing needs no more.

    Entry i says that each author of pattern `pattern[i]` has `parts[i]` (one number per class) in cell `cell[i]`.
    """

    authors: NDArray[np.int64]
    """Authors per pattern."""
    pattern: NDArray[np.int64]
    cell: NDArray[np.int64]
    parts: NDArray[np.float64]
    cells: int


def intervals(
    patterns: Patterns, groups: Sequence[Sequence[int]], replicates: int, seed: int
) -> list[list[list[Interval]]]:
    """For each group (columns of `parts` with one denominator), cell and class: the 95 % percentile interval.

    None over fewer than `LEAST_AUTHORS` authors. The same seed gives the same intervals. Raises UsageError when there
    are more sums to keep than memory is for.
    """
    sums = _draw(patterns, replicates, seed)
    found: list[list[list[Interval]]] = []
    for columns in groups:
        chosen = sums[:, :, list(columns)]
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = chosen / chosen.sum(axis=2, keepdims=True)
        present = patterns.parts[:, list(columns)].sum(axis=1) > 0
        authors = np.bincount(
            patterns.cell[present],
            patterns.authors[patterns.pattern[present]].astype(np.float64),
            minlength=patterns.cells,
        )
        enough = authors >= LEAST_AUTHORS
        found.append(
            [_percentiles(shares[:, cell]) if enough[cell] else [None] * len(columns) for cell in range(patterns.cells)]
        )
    return found


def _draw(patterns: Patterns, replicates: int, seed: int) -> NDArray[np.float64]:
    """Sums of each cell and class in each replicate, shape (replicates, cells, classes)."""
    classes = patterns.parts.shape[1]
    if replicates * patterns.cells * classes > _MOST_SUMS:
        most = _MOST_SUMS // (patterns.cells * classes)
        raise UsageError(f"--bootstrap {replicates} over {patterns.cells:,} rows is too much; at most {most:,} here.")
    rng = np.random.default_rng(seed)
    authors = int(patterns.authors.sum())
    likely = patterns.authors / authors
    sums = np.empty((replicates, patterns.cells, classes))
    for replicate in range(replicates):
        # As many authors as there are, each drawn with replacement: how often each pattern comes up.
        weight = rng.multinomial(authors, likely)[patterns.pattern].astype(np.float64)
        for column in range(classes):
            weighted = weight * patterns.parts[:, column]
            sums[replicate, :, column] = np.bincount(patterns.cell, weighted, minlength=patterns.cells)
    return sums


def _percentiles(shares: NDArray[np.float64]) -> list[Interval]:
    # A replicate that drew none of a cell's authors has no share there.
    kept = shares[~np.isnan(shares).any(axis=1)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(kept, [tail, 1 - tail], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
