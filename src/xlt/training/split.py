"""Draws what is held out, so that no text is on two sides: a cluster of relatives goes to one side as a whole."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from xlt.corpus.coded import Side
from xlt.training.examples import Example
from xlt.training.near import clusters, exact_key, signatures, similar_pairs, stripped

Stratum = tuple[str, str]
"""Language and label."""


def draw(seed: int, what: str, example: Example) -> int:
    """A number that is as good as random, and the same for the same text wherever it stands."""
    packed = f"{seed}\0{what}\0{example.lang}\0{example.text}".encode()
    return int.from_bytes(hashlib.sha256(packed).digest()[:8], "big")


def kin(examples: Sequence[Example], by_author: bool) -> list[int]:
    """The cluster of each example: repeats, near-repeats, groups, reposts and, on request, authors, all chained."""
    bare = [stripped(example.text) for example in examples]
    first: dict[str, int] = {}
    for here, text in enumerate(bare):
        if exact_key(text):
            first.setdefault(text, here)
    # Only distinct texts are compared; each stands for its repeats.
    pairs = np.array(list(first.values()), np.int64)[similar_pairs(signatures(list(first)))]
    originals = {example.original for example in examples}
    marks: list[Sequence[str]] = [
        [text if text in first else "" for text in bare],
        [example.text for example in examples],
        [example.group for example in examples],
        [example.original or (example.id if example.id in originals else "") for example in examples],
    ]
    if by_author:
        marks.append([example.author for example in examples])
    found: list[int] = clusters(len(examples), pairs, marks).tolist()
    return found


def sides(
    examples: Sequence[Example],
    meant: Sequence[Side],
    cluster: Sequence[int],
    share: float,
    seed: int,
    labels: Sequence[str],
) -> list[Side]:
    """`train`, `dev` or `test` for each example, the same for a whole cluster.

    What the data means for tests drags its cluster along, then what it means for dev. In languages without dev rows of
    their own, `share` of the distinct texts of each label is drawn.
    """
    members: defaultdict[int, list[int]] = defaultdict(list)
    for here, number in enumerate(cluster):
        members[number].append(here)
    found: list[Side] = ["train"] * len(examples)
    free: list[list[int]] = []
    for each in members.values():
        said = {meant[here] for here in each}
        if said & {"test", "dev"}:
            for here in each:
                found[here] = "test" if "test" in said else "dev"
        else:
            free.append(each)
    texts = [_strata(examples[here] for here in each) for each in free]
    own = {example.lang for example, side in zip(examples, meant, strict=True) if side == "dev"}
    need = _targets(texts, share, own, labels)
    ranks = [min(draw(seed, "dev", examples[here]) for here in each) for each in free]
    for number in sorted(range(len(free)), key=ranks.__getitem__):
        # A cluster is held out when it fills more of what is needed than it spills.
        fills = sum(min(count, need[stratum]) for stratum, count in texts[number].items())
        if 2 * fills > texts[number].total():
            for here in free[number]:
                found[here] = "dev"
            for stratum, count in texts[number].items():
                need[stratum] = max(0, need[stratum] - count)
    return found


def _strata(examples: Iterable[Example]) -> Counter[Stratum]:
    """Distinct texts by language and label."""
    return Counter((lang, label) for lang, label, _ in {(each.lang, each.label, each.text) for each in examples})


def _targets(
    texts: Sequence[Counter[Stratum]], share: float, own: Collection[str], labels: Sequence[str]
) -> Counter[Stratum]:
    """How many texts of each stratum are to be held out: per language the share of all, by largest remainder."""
    total: Counter[Stratum] = Counter()
    for each in texts:
        total.update(each)
    need: Counter[Stratum] = Counter()
    for lang in {lang for lang, _ in total} - set(own):
        exact = {label: share * total[lang, label] for label in labels}
        need.update({(lang, label): int(value) for label, value in exact.items()})
        rest = round(sum(exact.values())) - sum(map(int, exact.values()))
        # Of equal remainders the rarer label's first.
        for label in sorted(labels, key=lambda each: (round(int(exact[each]) - exact[each], 9), exact[each]))[:rest]:
            need[lang, label] += 1
    return need
