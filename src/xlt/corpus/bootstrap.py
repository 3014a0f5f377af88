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
# With fewer effective authors, or fewer of them in a class (or out of it), percentile intervals cover too little:
# docs/breakdown.md has the measurement.
LEAST_AUTHORS = 50
LEAST_OF_CLASS = 5
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

    None where such intervals cover too little. The same seed gives the same intervals. Raises UsageError when there are
    more sums to keep than memory is for.
    """
    sums = _draw(patterns, replicates, seed)
    found: list[list[list[Interval]]] = []
    for columns in groups:
        chosen = sums[:, :, list(columns)]
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = chosen / chosen.sum(axis=2, keepdims=True)
        enough = _enough(patterns, list(columns))
        found.append([_percentiles(shares[:, cell], enough[cell]) for cell in range(patterns.cells)])
    return found


def effective(posts: NDArray[np.float64], authors: NDArray[np.float64]) -> float:
    """How many authors with equally many posts tell as much: (sum of posts)² / sum of squares (Kish)."""
    squares = float((posts**2 * authors).sum())
    return float((posts * authors).sum()) ** 2 / squares if squares else 0.0


def _enough(patterns: Patterns, columns: list[int]) -> NDArray[np.bool_]:
    """Whether each class of each cell can have an interval, shape (cells, classes)."""
    many = patterns.authors[patterns.pattern].astype(np.float64)
    parts = patterns.parts[:, columns]
    enough = np.zeros((patterns.cells, len(columns)), np.bool_)
    for cell in range(patterns.cells):
        here = patterns.cell == cell
        base = parts[here].sum(axis=1)
        number = effective(base, many[here])
        if number < LEAST_AUTHORS:
            continue
        share = (parts[here] * many[here, None]).sum(axis=0) / (base * many[here]).sum()
        enough[cell] = number * np.minimum(share, 1 - share) >= LEAST_OF_CLASS
    return enough


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


def _percentiles(shares: NDArray[np.float64], enough: NDArray[np.bool_]) -> list[Interval]:
    if not enough.any():
        return [None] * len(enough)
    # A replicate that drew none of a cell's authors has no share there.
    kept = shares[~np.isnan(shares).any(axis=1)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(kept, [tail, 1 - tail], axis=0)
    return [(float(a), float(b)) if there else None for a, b, there in zip(low, high, enough, strict=True)]
