"""Examples made up for tests: texts that share nothing, and material around them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from xlt.corpus.coded import Side
from xlt.training.examples import Example
from xlt.training.material import Material

LABELS = ("pro", "anti", "none")


def text(number: int) -> str:
    """A text that has no shingle in common with that of another number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def example(number: int, label: str = "pro", lang: str = "en", **more: str) -> Example:
    """An example with a text of its own."""
    return Example(text(number), label, lang, f"id{number}", "made.csv", number + 1, **more)


def material(examples: Sequence[Example], sides: Sequence[Side] = ()) -> Material:
    """Material of these examples."""
    return Material(list(examples), list(sides) or [""] * len(examples), has_authors=True)


def spread(counts: dict[str, dict[str, int]]) -> list[Example]:
    """So many examples of each language and label, texts all different."""
    wanted = [(lang, label) for lang, labels in counts.items() for label, n in labels.items() for _ in range(n)]
    return [example(number, label, lang) for number, (lang, label) in enumerate(wanted)]
