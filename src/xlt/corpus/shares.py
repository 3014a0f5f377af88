"""Counts of labels and the shares that follow from them: the one place where a share gets its denominator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xlt.corpus.dimensions import Key

Groups = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Group → class → labels, as in a task; labels that a group leaves out are not in its denominator."""
SHADES = "█▒░▓#"
"""What the classes of a bar are drawn with, in their order: colour alone tells some eyes nothing."""
LABELS = "labels"
"""The one group of a task that has none: every label is a class of its own."""


@dataclass(frozen=True)
class Row:
    """One cell of a breakdown, or all cells together."""

    keys: tuple[Key, ...]
    """A value for each dimension; empty for all together."""
    n: int
    """Posts, texts or authors with a label."""
    labels: Mapping[str, int]
    """Label → posts (texts, for texts) that have it."""
    counts: Mapping[str, Mapping[str, float]]
    """Group → class → units. Authors count with the share of their posts."""
    bases: Mapping[str, int]
    """Group → units in its denominator."""
    top: float | None = None
    """Share of the posts that come from the most active 1 % of authors; None without authors."""
    intervals: Mapping[str, Mapping[str, tuple[float, float] | None]] = field(default_factory=dict)
    """Group → class → interval, None where it can't be estimated; empty when none was asked for."""
    corrected: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """Group → class → share corrected by hand labels, None where it can't be; empty when none was asked for."""

    @property
    def lang(self) -> str:
        """The first key: the language, in a breakdown by language; `all` for all together."""
        return self.keys[0] or "und" if self.keys else "all"

    def share(self, group: str, name: str) -> float | None:
        """The share of a class in its group, corrected if it was; None when nothing is in the denominator."""
        if self.corrected:
            return self.corrected[group][name]
        return self.counts[group][name] / self.bases[group] if self.bases[group] else None

    def lengths(self, group: str, width: int) -> list[int]:
        """How many cells of a bar `width` cells long each class of a group gets; together never more, never a gap."""
        ends, filled = [0], 0.0
        for name in self.counts[group]:
            filled += (self.share(group, name) or 0.0) * width
            # Corrected shares are estimated one by one, and may come to more than all.
            ends.append(min(width, round(filled)))
        return [end - start for start, end in itertools.pairwise(ends)]


def groups_of(groups: Groups, labels: Sequence[str]) -> Groups:
    """The groups of a task, or the labels themselves as one group."""
    return groups or {LABELS: {label: (label,) for label in labels}}


def counted(keys: tuple[Key, ...], labels: Mapping[str, int], groups: Groups) -> Row:
    """A row of posts or texts from its counts of labels."""
    counts = {
        group: {name: float(sum(labels.get(label, 0) for label in members)) for name, members in classes.items()}
        for group, classes in groups.items()
    }
    bases = {group: int(sum(classes.values())) for group, classes in counts.items()}
    return Row(keys, sum(labels.values()), dict(labels), counts, bases)


def fold(cells: Iterable[tuple[tuple[Key, ...], str, int]]) -> dict[tuple[Key, ...], dict[str, int]]:
    """(keys, label, count) → keys → label → count, summed."""
    found: dict[tuple[Key, ...], dict[str, int]] = {}
    for keys, label, count in cells:
        labels = found.setdefault(keys, {})
        labels[label] = labels.get(label, 0) + count
    return found


def pooled(cells: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of all cells together."""
    total: dict[str, int] = {}
    for cell in cells:
        for label, count in cell.items():
            total[label] = total.get(label, 0) + count
    return total


def top_share(histogram: Iterable[tuple[int, int]], part: float = 0.01) -> float | None:
    """Share of posts from the most active `part` of authors (at least one), of (posts, authors with so many)."""
    levels = sorted(histogram, reverse=True)
    authors = sum(count for _, count in levels)
    posts = sum(each * count for each, count in levels)
    if not posts:
        return None
    left, found = max(1, math.ceil(authors * part - 1e-9)), 0
    for each, count in levels:
        taken = min(left, count)
        found += each * taken
        left -= taken
    return found / posts
