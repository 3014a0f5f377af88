"""The score interval of a share."""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054
"""Of a 95 % interval."""


def wilson(share: float, n: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share of `n` rows drawn alike (Wilson 1927); `n` may be an effective size."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(max(0.0, share * (1 - share)) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)
