"""Labelled rows from our own tweets and from further files, as training sees them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xlt.tasks.spec import Task
from xlt_mini.split import families, tweet_families
from xlt_mini.tweets import LABELS, Tweet

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """A normalised text, its label's position in the task, and the family that it may not be parted from."""

    text: str
    lang: str
    label: int
    family: str

    @property
    def source(self) -> str:
        """`own`, or the name of the file that it came from."""
        return self.family.rpartition(" ")[0]

    def fold(self, folds: int) -> int:
        """One of `folds` parts, the same for a whole family, drawn from a hash."""
        return int(hashlib.sha256(f"fold {self.family}".encode()).hexdigest(), 16) % folds


def own_rows(tweets: Sequence[Tweet], task: Task) -> list[Row]:
    """Our tweets as rows; their short labels become the task's."""
    shorts = [label.short for label in task.labels]
    assert sorted(shorts) == sorted(LABELS), "our tweets carry the short labels of the task `immigration`"
    return [
        Row(task.normalise(tweet.text), tweet.lang, shorts.index(tweet.label), f"own {family}")
        for tweet, family in zip(tweets, tweet_families(tweets), strict=True)
    ]


def source_weights(rows: Sequence[Row], also: float) -> Floats:
    """A weight per row, 1 on average, so that further files together weigh `also` against our own tweets.

    They are what a local build is for, and would be outnumbered. Our tweets alone weigh 1 each.
    """
    own = np.array([row.source == "own" for row in rows])
    if own.all() or not own.any():
        return np.ones(len(rows))
    weights: Floats = np.where(own, (1 - also) / own.mean(), also / (1 - own.mean()))
    return weights


def read_labelled(path: Path, task: Task) -> list[Row]:
    """A CSV with the columns text, lang and label (the task's names). Raises ValueError naming the line."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"text", "lang", "label"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")
        read = []
        for cells in reader:
            if cells["label"] not in task.names:
                raise ValueError(f"{path}, line {reader.line_num}: label {cells['label']!r} is none of {task.names}")
            read.append((task.normalise(cells["text"]), cells["lang"], task.names.index(cells["label"])))
    numbers = families([text for text, _, _ in read])
    return [Row(*row, f"{path.name} {number}") for row, number in zip(read, numbers, strict=True)]
