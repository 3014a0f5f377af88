"""Which examples are trained on, which are held out, and which are left aside.

Everything is drawn by hashes of seed and text, so that the order of rows changes nothing. What is held out is drawn
from all languages of the data, whatever languages are chosen: choices of one seed share their dev examples, and a
choice of fewer examples is part of one of more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xlt.corpus.coded import Side
from xlt.corpus.gold import settle
from xlt.errors import UsageError, XltError
from xlt.training.examples import Choice, Example, Left
from xlt.training.material import Material
from xlt.training.split import draw, kin, sides

Balance = Literal["none", "label", "lang"]
FEW = 8
"""Examples of a label in training below which a warning is due."""


@dataclass(frozen=True)
class Wish:
    """What the user wants a model to be tuned on."""

    langs: tuple[str, ...] = ()
    """Languages with all their examples."""
    every: bool = False
    """All languages of the data that are not in `shots`."""
    shots: dict[str, int] = field(default_factory=dict)
    """Languages with only so many examples."""
    per_lang: int | None = None
    """At most so many of each language, those of `shots` apart."""
    balance: Balance = "none"
    by_author: bool = False
    """Keep all texts of an author on one side."""
    dev_share: float = 0.1
    seed: int = 0


def choose(material: Material, wish: Wish, labels: Sequence[str]) -> Choice:
    """The choice that a wish makes among examples; `labels` are the task's, in order. Raises UsageError, XltError."""
    if wish.by_author and not material.has_authors:
        raise UsageError("--by-author needs a column of authors; name it with --author-column.")
    examples = material.examples
    langs = _languages(examples, wish)
    cluster = kin(examples, wish.by_author)
    found = sides(examples, material.sides, cluster, wish.dev_share, wish.seed, labels)
    once, warnings = _once(examples)
    pools: defaultdict[str, list[Example]] = defaultdict(list)
    dev: list[Example] = []
    for here in once:
        if found[here] == "train":
            pools[examples[here].lang].append(examples[here])
        elif found[here] == "dev":
            dev.append(examples[here])
    limits = _limits(pools, langs, wish)
    train = [each for lang in langs for each in _in_order(pools[lang], wish, labels)[: limits[lang]]]
    left = [*material.left, *_left(examples, once, found, pools, train, langs)]
    choice = Choice(
        tuple(sorted(train, key=lambda each: draw(wish.seed, "order", each))),
        tuple(sorted(dev, key=lambda each: draw(wish.seed, "order", each))),
        tuple(left),
        (*warnings, *_warnings(train, dev, pools, langs, wish, labels)),
        tuple(material.rejects),
    )
    _refuse(choice, wish, labels)
    return choice


def _languages(examples: Sequence[Example], wish: Wish) -> list[str]:
    """The languages to be trained on, sorted."""
    there = Counter(example.lang for example in examples)
    if twice := sorted(set(wish.langs) & set(wish.shots)):
        raise UsageError(f"{', '.join(twice)}: name a language in --langs or in --shots, not in both.")
    wanted = sorted({*wish.langs, *wish.shots, *(there if wish.every else ())})
    if missing := [lang for lang in wanted if lang not in there]:
        has = ", ".join(f"{lang} ({count:,})" for lang, count in sorted(there.items()))
        raise UsageError(f"The data has no labelled text in {', '.join(missing)}; it has {has}.")
    return wanted


def _once(examples: Sequence[Example]) -> tuple[list[int], list[str]]:
    """One example of each distinct text, and what is to be said of texts that have two labels.

    What most rows say counts; where two labels have as many rows, the text is not used.
    """
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for here, example in enumerate(examples):
        rows[example.text].append(here)
    kept: list[int] = []
    disputed: list[list[int]] = []
    for same in rows.values():
        if len({examples[here].label for here in same}) > 1:
            disputed.append(same)
        if label := settle([(examples[here].label, "coder") for here in same]):
            agreed = [here for here in same if examples[here].label == label]
            # Of several languages for one text the first by code, so that the order of rows decides nothing.
            kept.append(min(agreed, key=lambda here: (examples[here].lang, examples[here].id, examples[here].file)))
    if not disputed:
        return kept, []
    first = [examples[here] for here in disputed[0]]
    other = next(each for each in first if each.label != first[0].label)
    said = (
        f"Texts with more than one label: {len(disputed):,} (such as {first[0].where}: {first[0].label}, and "
        f"{other.where}: {other.label}). The label of most of their rows counts; where rows are even, none does."
    )
    return kept, [said]


def _limits(pools: dict[str, list[Example]], langs: Sequence[str], wish: Wish) -> dict[str, int | None]:
    """How many examples of each language are trained on at most; None: all."""
    smallest = min((len(pools[lang]) for lang in langs if lang not in wish.shots), default=0)
    limits: dict[str, int | None] = {}
    for lang in langs:
        limit = wish.shots.get(lang, wish.per_lang)
        if limit is None and wish.balance == "label":
            found = Counter(example.label for example in pools[lang])
            limit = len(found) * min(found.values(), default=0)
        if wish.balance == "lang" and lang not in wish.shots:
            limit = smallest if limit is None else min(limit, smallest)
        limits[lang] = limit
    for lang, shots in wish.shots.items():
        if shots > len(pools[lang]):
            raise UsageError(
                f"--shots {lang}={shots}: {len(pools[lang]):,} examples of {lang} can be trained on, apart from those "
                "held out; ask for fewer."
            )
    return limits


def _in_order(pool: Iterable[Example], wish: Wish, labels: Sequence[str]) -> list[Example]:
    """A language's examples in an order whose every beginning is stratified by label.

    Without balance the n-th example of a label stands where a share of (n - 1/2) / all of the order is done, so that
    every beginning has about the labels' shares; balanced, the labels take turns.
    """
    by_label: defaultdict[str, list[Example]] = defaultdict(list)
    for example in sorted(pool, key=lambda each: draw(wish.seed, "train", each)):
        by_label[example.label].append(example)
    placed = [
        (number if wish.balance == "label" else (number + 0.5) / len(members), labels.index(label), example)
        for label, members in by_label.items()
        for number, example in enumerate(members)
    ]
    return [example for _, _, example in sorted(placed, key=lambda each: each[:2])]


def _left(
    examples: Sequence[Example],
    once: Sequence[int],
    found: Sequence[Side],
    pools: dict[str, list[Example]],
    train: Sequence[Example],
    langs: Sequence[str],
) -> list[Left]:
    """What is not used, by reason."""
    texts = {examples[here].text for here in once}
    reasons: dict[str, Counter[str]] = {
        "repeats of a text": Counter(each.lang for each in examples if each.text in texts)
        - Counter(examples[here].lang for here in once),
        "as many rows for one label as for another": Counter(each.lang for each in examples if each.text not in texts),
        "meant for testing, or nearly the same as such a text": Counter(
            examples[here].lang for here in once if found[here] == "test"
        ),
        "languages that are not chosen": Counter(
            {lang: len(pool) for lang, pool in pools.items() if lang not in langs}
        ),
        "more than asked for": Counter({lang: len(pools[lang]) for lang in langs})
        - Counter(each.lang for each in train),
    }
    return [
        Left(reason, count.total(), dict(sorted(count.items()))) for reason, count in reasons.items() if count.total()
    ]


def _warnings(
    train: Sequence[Example],
    dev: Sequence[Example],
    pools: dict[str, list[Example]],
    langs: Sequence[str],
    wish: Wish,
    labels: Sequence[str],
) -> list[str]:
    """What is thin, by name."""
    said: list[str] = []
    there = Counter(example.label for example in train)
    if few := [f"{label} ({there[label]})" for label in labels if there[label] < FEW]:
        said.append(f"Few examples to train on: {', '.join(few)}; the model will hardly learn these labels.")
    for lang in langs:
        have = {example.label for example in train if example.lang == lang}
        if have and lang not in wish.shots and (lacking := [label for label in labels if label not in have]):
            said.append(f"No example to train on in {lang}: {', '.join(lacking)}.")
    short = [lang for lang in langs if wish.per_lang and lang not in wish.shots and len(pools[lang]) < wish.per_lang]
    if short:
        have_only = ", ".join(f"{lang} ({len(pools[lang])})" for lang in short)
        said.append(f"Fewer examples than --per-lang {wish.per_lang}: {have_only}.")
    held = {example.lang for example in dev}
    if wish.dev_share and (bare := [lang for lang in langs if lang not in held]):
        said.append(f"Nothing is held out in {', '.join(bare)}: too few examples; how well it is learnt is not shown.")
    return said


def _refuse(choice: Choice, wish: Wish, labels: Sequence[str]) -> None:
    """Raise XltError for a choice that nothing can be learnt from."""
    if not choice.train:
        raise XltError(
            "Nothing is left to train on: every example is held out or left aside; give more labelled texts."
        )
    found = {example.label for example in choice.train}
    if len(found) == 1:
        others = ", ".join(label for label in labels if label not in found)
        raise XltError(
            f"All {len(choice.train):,} examples to train on have the label {found.pop()}; a model learns nothing from "
            f"one label alone: give examples of {others} too."
        )
