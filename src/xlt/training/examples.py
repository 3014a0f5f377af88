"""Labelled texts, and which of them are trained on, which are held out, and which are left aside."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from xlt.corpus.rejects import Reject


@dataclass(frozen=True)
class Example:
    """A labelled text."""

    text: str
    """Normalised as `classify` does it."""
    label: str
    """A name of the task's labels."""
    lang: str
    """ISO 639-1."""
    id: str
    """The data's own, or else `row 12`."""
    file: str
    """Where it comes from: a file's path, or a corpus."""
    row: int
    """Its row there, from 1, rows that can't be read not counted; 0 for a corpus."""
    group: str = ""
    """Texts of one group, such as translations of one another, stay on one side of every split; empty: of none."""
    author: str = ""
    original: str = ""
    """The id of what this is a repost of; empty: it is none."""

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"{self.file}, row {self.row}" if self.row else f"{self.file}, {self.id}"


@dataclass(frozen=True)
class Left:
    """Examples that are neither trained on nor held out, and why."""

    reason: str
    count: int
    langs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """What a model is trained on and what is held out. The order of rows in the data does not matter to it."""

    train: tuple[Example, ...]
    """In an order of its own that decides nothing: the loop shuffles."""
    dev: tuple[Example, ...]
    """Held out. Those of languages that are not in `seen` are for showing: they must decide nothing."""
    left: tuple[Left, ...] = ()
    warnings: tuple[str, ...] = ()
    """Sentences about what is odd in the data."""
    rejects: tuple[Reject, ...] = ()
    """Rows without text or label, and rows that can't be read."""

    @cached_property
    def seen(self) -> tuple[str, ...]:
        """Languages with labels in training, sorted."""
        return tuple(sorted({example.lang for example in self.train}))

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """Languages that are only in dev, sorted."""
        return tuple(sorted({example.lang for example in self.dev} - set(self.seen)))

    @property
    def dev_seen(self) -> tuple[Example, ...]:
        """The dev examples that may choose a checkpoint."""
        return tuple(example for example in self.dev if example.lang in self.seen)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over language, label and text of all of `train` and `dev`, in any order; 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for name, part in (("train", self.train), ("dev", self.dev)):
            for lang, label, text in sorted((each.lang, each.label, each.text) for each in part):
                digest.update(f"{name}\0{lang}\0{label}\0{text}\n".encode())
        return digest.hexdigest()[:16]

    def record(self) -> dict[str, Any]:
        """What a run folder and a model card keep: the hash and counts, no text."""
        return {
            "hash": self.hash,
            "languages": list(self.seen),
            "unseen": list(self.unseen),
            "train": counts(self.train),
            "dev": counts(self.dev),
            "left": {each.reason: each.count for each in self.left},
            "rejected": len(self.rejects),
        }


def counts(examples: Iterable[Example]) -> dict[str, dict[str, int]]:
    """Language → label → number of examples, sorted."""
    found = Counter((example.lang, example.label) for example in examples)
    table: dict[str, dict[str, int]] = {}
    for (lang, label), number in sorted(found.items()):
        table.setdefault(lang, {})[label] = number
    return table
