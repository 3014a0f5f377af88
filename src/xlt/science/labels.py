"""Label hygiene: spellings become indices, and what was not spelt like the task is counted aloud."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xlt.science.metrics import Ints

FAILED = -1


@dataclass(frozen=True)
class Matched:
    """Labels as indices, shape (n,); -1 where there is none."""

    codes: Ints
    missing: int
    """Cells without anything in them."""
    folded: Mapping[str, int]
    """Spellings that were taken for a label though they differ from its name → rows."""
    unknown: Mapping[str, int]
    """What is no label, `failed` among them → rows."""


def match(
    given: Sequence[str | None], names: Sequence[str], spellings: Mapping[str, str], strict: bool = False
) -> Matched:
    """The index in `names` of every label. `spellings` maps what may stand for a label, case folded, to its name.

    `strict` knows the names alone, case by case, as the paper's authors count; then `Neutral` is an error.
    """
    exact = {name: index for index, name in enumerate(names)}
    loose = {fold(spelt): exact[name] for spelt, name in spellings.items()}
    loose.update({fold(name): index for name, index in exact.items()})
    codes = np.full(len(given), FAILED, np.int64)
    missing = 0
    folded: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for row, text in enumerate(given):
        if text is None or not text.strip():
            missing += 1
        elif text in exact:
            codes[row] = exact[text]
        elif not strict and (found := loose.get(fold(text))) is not None:
            codes[row] = found
            folded[text] += 1
        else:
            unknown[text] += 1
    return Matched(codes, missing, dict(folded), dict(unknown))


def fold(text: str) -> str:
    """A spelling without case, surrounding and repeated spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def regroup(codes: Ints, names: Sequence[str], classes: Mapping[str, Sequence[str]]) -> Ints:
    """Labels as indices of a group's classes; -1 for a failure, -2 for a label that the group leaves out."""
    table = np.full(len(names) + 1, -2, np.int64)
    table[-1] = FAILED
    for index, members in enumerate(classes.values()):
        for member in members:
            table[list(names).index(member)] = index
    return table[codes]
