"""The score interval of a share."""

from __future__ import annotations

import numpy as np

from xlt.science.metrics import Floats

Z = 1.959963984540054
"""Of a 95 % interval."""


def wilson(share: float, n: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share of `n` rows drawn alike (Wilson 1927); `n` may be an effective size."""
    low, high = bounds(np.asarray(share, float), np.asarray(n, float), z)
    return float(low), float(high)


def bounds(share: Floats, n: Floats, z: float = Z) -> tuple[Floats, Floats]:
    """The same of many shares, arrays of one shape; without rows the interval is all there can be."""
    n = np.maximum(n, 1e-9)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(np.maximum(0.0, share * (1 - share)) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return np.maximum(0.0, middle - half), np.minimum(1.0, middle + half)
