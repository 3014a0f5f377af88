"""Which texts are nearly the same: exact after stripping, or MinHash >= .8 over character shingles.

MinHash: Broder 1997. A signature of 128 numbers of 16 bits estimates the Jaccard similarity of two texts' shingles
with a standard error of .035 at .8. Two signatures that agree in 103 numbers differ in at most 25 of 128, so they must
agree in one of 32 bands of 4: looking only at texts that share a band loses none of the pairs.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Signatures = npt.NDArray[np.uint16]
"""(texts, 128)."""
Pairs = npt.NDArray[np.int64]
"""(pairs, 2): positions of texts."""

SIZE = 128
"""Numbers in a signature."""
BANDS = 32
SIMILAR = 0.8
AGREE = 103
"""The smallest count of equal numbers that is SIMILAR or more."""
SHINGLE = 5
"""Characters."""
_TEXTS = 20_000
_PAIRS = 1 << 18
# In a bucket with more texts only some are compared with all: what is alike there is alike to one of them or nearly so.
_BUCKET = 1_000
_LEADERS = 100

_MARKS = re.compile(r"^(?:\s*rt\b[:\s]*(?:@\w+[:\s]*)?)+")
_NAMES = re.compile(r"(?<![\w.@/])@\w{1,30}(?:@\w[\w.-]*\w)?|\bhttps?://\S+|\bwww\.\S+|\bt\.co/\S+")


def stripped(text: str) -> str:
    """The text without what repeats of it differ in: RT marks, handles, links, case, spacing, HTML entities."""
    text = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    return " ".join(_NAMES.sub(" ", _MARKS.sub("", text)).split())


def exact_key(bare: str) -> bytes:
    """128 bits that stand for a stripped text; empty for one without a letter or digit, which is like nothing."""
    return hashlib.sha256(bare.encode()).digest()[:16] if any(map(str.isalnum, bare)) else b""


def signatures(bare: Sequence[str]) -> Signatures:
    """MinHash signatures of stripped texts."""
    found = np.empty((len(bare), SIZE), np.uint16)
    for start in range(0, len(bare), _TEXTS):
        found[start : start + _TEXTS] = _signatures(bare[start : start + _TEXTS])
    return found


def _signatures(bare: Sequence[str]) -> Signatures:
    # A text shorter than a shingle is one shingle, filled up with NULs.
    padded = [text.ljust(SHINGLE, "\0") for text in bare]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    windows = codes[: len(codes) - SHINGLE + 1].copy()
    for offset in range(1, SHINGLE):
        windows *= np.uint64(0x100000001B3)
        windows += codes[offset : len(codes) - SHINGLE + 1 + offset]
    # Shingles that reach over the end of a text are none.
    ends = np.cumsum(lengths)
    within = np.ones(len(windows), bool)
    for back in range(1, SHINGLE):
        within[ends[:-1] - back] = False
    shingles = _mixed(windows[within])
    starts = np.concatenate([[0], np.cumsum(lengths - SHINGLE + 1)[:-1]])
    rng = np.random.default_rng(2508_06435)
    factors = rng.integers(0, 2**63, SIZE, np.uint64) * np.uint64(2) + np.uint64(1)
    found = np.empty((len(bare), SIZE), np.uint16)
    hashed = np.empty_like(shingles)
    for number, factor in enumerate(factors):
        # Multiply and shift: the upper half of the product is a hash of its own for every odd factor. The number of
        # the factor is mixed in, since products with different factors keep too much of the order.
        np.multiply(shingles ^ factor, factor, out=hashed)
        least = np.minimum.reduceat(hashed, starts)
        found[:, number] = _mixed(least).astype(np.uint16)
    return found


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """splitmix64's finaliser: every bit of the input moves every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def similar_pairs(first: Signatures, second: Signatures | None = None) -> Pairs:
    """Positions whose signatures are SIMILAR: one in `first` and one in `second`, or both in `first`, i before j."""
    both = first if second is None else np.concatenate([first, second])
    # A pair i < j as the number i * n + j; repeats share many bands and are compared once.
    found: list[npt.NDArray[np.int64]] = []
    compared = np.empty(0, np.int64)
    for band in np.ascontiguousarray(both).view(np.uint64).T:
        pairs = np.concatenate([*_within_buckets(band), np.empty((0, 2), np.int64)])
        if second is not None:
            pairs = pairs[(pairs[:, 0] < len(first)) & (pairs[:, 1] >= len(first))]
        fresh = np.setdiff1d(pairs @ np.array([len(both), 1]), compared, assume_unique=True)
        compared = np.sort(np.concatenate([compared, fresh]))
        for start in range(0, len(fresh), _PAIRS):
            part = fresh[start : start + _PAIRS]
            left, right = np.divmod(part, len(both))
            found.append(part[np.count_nonzero(both[left] == both[right], axis=1) >= AGREE])
    codes = np.sort(np.concatenate([compared[:0], *found]))
    similar = np.stack(np.divmod(codes, max(len(both), 1)), axis=1)
    return similar if second is None else similar - np.array([0, len(first)])


def _within_buckets(band: npt.NDArray[np.uint64]) -> Iterator[Pairs]:
    """Pairs i < j with the same value in a band, bucket size by bucket size."""
    order = np.argsort(band, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(band[order]) != 0])) if len(band) else order
    sizes = np.diff(np.concatenate([starts, [len(band)]]))
    for size in np.unique(sizes[sizes > 1]):
        buckets = order[starts[sizes == size][:, None] + np.arange(size)]
        left, right = np.divmod(np.arange(size * (size if size <= _BUCKET else _LEADERS)), size)
        left, right = left[left < right], right[left < right]
        yield np.stack([buckets[:, left].ravel(), buckets[:, right].ravel()], axis=1)


def clusters(texts: int, pairs: Pairs, groups: Iterable[Sequence[object]] = ()) -> npt.NDArray[np.int64]:
    """The cluster of each of so many texts: what pairs and equal, non-empty marks in `groups` join, chained.

    Each of `groups` has one mark per text.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = [pairs]
    for marks in groups:
        first: dict[object, int] = {}
        joined = [(first.setdefault(mark, here), here) for here, mark in enumerate(marks) if mark]
        edges.append(np.array(joined, np.int64).reshape(-1, 2))
    all_edges = np.concatenate(edges)
    graph = coo_array((np.ones(len(all_edges), bool), (all_edges[:, 0], all_edges[:, 1])), shape=(texts, texts))
    found: npt.NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return found
