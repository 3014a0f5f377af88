"""The tables of docs/prevalence.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from simulated.samples import (
    CLASSIFIERS,
    ON_TOPIC,
    SHARES,
    SIZES,
    STANCE,
    kinds_of,
    of_a_share,
    of_stance,
    resampled,
    textbook,
)
from xlt.science.metrics import Floats, Ints
from xlt.science.ppi import Bools, Estimated, Kinds, estimate
from xlt.science.prevalence import random_sample, share
from xlt.science.wilson import bounds

# 12 languages of a corpus, largest first, of each of which as much is drawn; and the share there over that of all.
LANGUAGES = (20000, 8000, 4000, 2500, 1500, 1000, 800, 700, 500, 400, 350, 250)
GIANT = (90000, 1500, 1400, 1300, 1200, 1000, 900, 800, 700, 600, 400, 200)
UNLIKE = (1.0, 0.5, 1.5, 0.8, 1.2, 2.0, 0.6, 1.4, 0.9, 1.1, 1.7, 0.7)
LEAST_SAMPLES = 200
"""With an interval, of all samples of a setting; with fewer nothing is said of it."""


@dataclass
class Printed:
    """Coverage of every interval that xlt prints, over all tables."""

    found: list[tuple[float, str]] = field(default_factory=list)

    def add(self, low: Floats, high: Floats, truth: float, where: str) -> str:
        """Coverage in per cent; a dash where too few samples have an interval."""
        if len(low) < LEAST_SAMPLES:
            return "–"
        held = 100 * float(((low <= truth) & (truth <= high)).mean())
        self.found.append((held, where))
        return f"{held:.1f}"

    def say(self) -> None:
        """The least and the most."""
        (low, there), (high, here) = min(self.found), max(self.found)
        print(f"\nPrinted intervals so far hold the truth in {low:.1f} ({there}) to {high:.1f} % ({here}).\n")


def table(heads: Sequence[str]) -> None:
    """The head of a Markdown table."""
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))


def row(*cells: object) -> None:
    """A line of it."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def picked(found: Estimated, which: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    """Printed and gold-only bounds of some samples."""
    return found.low[which], found.high[which], found.gold_low[which], found.gold_high[which]


def shares(draws: int, rng: np.random.Generator, printed: Printed) -> None:
    """A label's share in an endless corpus, plain samples; then what the correction buys."""
    table(["share", "n", "gold alone", *CLASSIFIERS])
    bought = []
    for truth, n in product(SHARES, SIZES):
        cells, gold, worth = [], [], []
        for name, quality in CLASSIFIERS.items():
            kinds, (joint,) = kinds_of([of_a_share(truth, *quality)], [1.0], [n])
            counts = rng.multinomial(n, joint, draws).astype(float)
            found = estimate(kinds, counts)
            where = f"{name}, share {truth:g}, n = {n}"
            low, high = textbook(kinds, counts)
            plain = 100 * float(((low <= truth) & (truth <= high)).mean())
            cells.append(f"{plain:.1f} / **{printed.add(found.low, found.high, truth, where)}**")
            gold.append(float(printed.add(found.gold_low, found.gold_high, truth, f"gold alone, {where}")))
            width = ((found.high - found.low) / (found.gold_high - found.gold_low)).mean()
            worth.append(f"{width:.2f} ({100 * found.by_ppi.mean():.0f} %)")
        row(f"{truth:g}", n, f"{np.mean(gold):.1f}", *cells)
        if truth in (0.02, 0.1, 0.3, 0.5) and n in (50, 200):
            bought.append((f"{truth:g}", n, *worth))
    printed.say()
    table(["share", "n", *CLASSIFIERS])
    for each in bought:
        row(*each)
    print()


def stance(draws: int, resamples: int, rng: np.random.Generator, printed: Printed) -> None:
    """`anti` among what is on the topic: as printed, and by the joint stratified bootstrap of the same samples."""
    table(["share of anti", "on topic", *STANCE])
    ways: list[tuple[Floats, Floats]] = []
    for truth, base in product(SHARES, SIZES):
        cells = []
        for name, quality in STANCE.items():
            n = round(base / ON_TOPIC)
            kinds, (joint,) = kinds_of([of_stance(truth, *quality)], [1.0], [n])
            counts = rng.multinomial(n, joint, draws).astype(float)
            where = f"stance, {name}, share {truth:g}, {base} on topic"
            cells.append(_two_ways(kinds, counts, truth, resamples, rng, printed, where, ways))
        row(f"{truth:g}", base, *cells)
    _summary(ways)
    table(["share of anti", *(f"n = {n}" for n in (250, 500, 1000))])
    ways = []
    for truth in SHARES:
        cells = []
        for n in (250, 500, 1000):
            joints = [of_stance(truth, 0.6, 0.15), of_stance(truth, 0.9, 0.03)]
            kinds, parts = kinds_of(joints, [0.3, 0.7], [n / 2, n / 2])
            counts = np.hstack([rng.multinomial(n // 2, part, draws) for part in parts]).astype(float)
            cells.append(
                _two_ways(kinds, counts, truth, resamples, rng, printed, f"stance in strata, {truth:g}, {n}", ways)
            )
        row(f"{truth:g}", *cells)
    _summary(ways)
    printed.say()


def _two_ways(
    kinds: Kinds,
    counts: Floats,
    truth: float,
    resamples: int,
    rng: np.random.Generator,
    printed: Printed,
    where: str,
    ways: list[tuple[Floats, Floats]],
) -> str:
    found = estimate(kinds, counts)
    low, high, gold_low, gold_high = picked(found, found.enough)
    ours = printed.add(low, high, truth, where)
    if ours == "–":
        return "–"
    printed.add(gold_low, gold_high, truth, f"gold alone, {where}")
    # The bootstrap takes a thousand times as long, so it gets the first of the samples only.
    some = np.flatnonzero(found.enough)[: LEAST_SAMPLES * 2]
    again = resampled(kinds, counts[some], found.by_ppi[some].astype(float), resamples, rng)
    held = [((each[0] <= truth) & (truth <= each[1])).mean() for each in ((found.low[some], found.high[some]), again)]
    ways.append((np.array(held), np.array([(high - low).mean(), (again[1] - again[0]).mean()])))
    return f"**{ours}** ({((high - low) / (gold_high - gold_low)).mean():.2f}) / {100 * held[1]:.1f}"


def _summary(ways: list[tuple[Floats, Floats]]) -> None:
    held = 100 * np.array([each[0] for each in ways])
    widths = np.array([each[1][1] / each[1][0] for each in ways])
    print(
        f"\nThe same {LEAST_SAMPLES * 2} samples of each setting: printed {held[:, 0].min():.1f} to "
        f"{held[:, 0].max():.1f} (mean {held[:, 0].mean():.1f}), bootstrap {held[:, 1].min():.1f} to "
        f"{held[:, 1].max():.1f} (mean {held[:, 1].mean():.1f}) %; its intervals are {widths.min():.2f} to "
        f"{widths.max():.2f} times as wide.\n"
    )


def strata(draws: int, rng: np.random.Generator, printed: Printed) -> None:
    """Corpora that end, unequal weights: half of the sample from the 30 % that the classifier is unsure of; and as
    many of each of 12 languages of unequal size; and of 12 of which one holds 90 %."""
    columns = [*(("unsure", n) for n in (100, 200, 400)), *(("languages", n) for n in (240, 480, 960))]
    columns += [("giant", n) for n in (600, 1200)]
    table(["share", *(f"{name}, n = {n}" for name, n in columns)])
    for truth in SHARES:
        cells = []
        for name, n in columns:
            sizes = {"unsure": (1200, 2800), "languages": LANGUAGES, "giant": GIANT}[name]
            level = truth / (np.array(LANGUAGES) @ UNLIKE / sum(LANGUAGES))
            joints = [of_a_share(min(0.9, float(level) * each), 0.8, 0.95) for each in UNLIKE]
            if name == "unsure":
                joints = [of_a_share(truth, 0.7, 0.7), of_a_share(truth, 0.97, 0.97)]
            cells.append(_finite(joints, sizes, n, draws, rng, printed, f"{name}, {truth:g}, {n}"))
        row(f"{truth:g}", *cells)
    printed.say()


def _finite(
    joints: list[Floats],
    sizes: Sequence[int],
    n: int,
    draws: int,
    rng: np.random.Generator,
    printed: Printed,
    where: str,
) -> str:
    held = [_whole(joint.ravel() * size, size) for joint, size in zip(joints, sizes, strict=True)]
    parts = [(each / size).reshape(joints[0].shape) for each, size in zip(held, sizes, strict=True)]
    own = n // len(sizes)
    kinds, _ = kinds_of(parts, [float(size) for size in sizes], [own] * len(sizes))
    counts = np.hstack([rng.multivariate_hypergeometric(each, own, draws, method="marginals") for each in held])
    truth = float(sum(each[:2].sum() for each in held) / sum(sizes))
    found = estimate(kinds, counts.astype(float))
    low, high, gold_low, gold_high = picked(found, found.enough)
    ours = printed.add(low, high, truth, where)
    if ours == "–":
        return ours
    printed.add(gold_low, gold_high, truth, f"gold alone, {where}")
    return f"{ours} ({((high - low) / (gold_high - gold_low)).mean():.2f})"


def _whole(exact: Floats, size: int) -> Ints:
    """Counts next to what is exact, that sum to `size`."""
    found = np.floor(exact).astype(np.int64)
    found[np.argsort(found - exact)[: size - found.sum()]] += 1
    return found


def pooled(draws: int, rng: np.random.Generator) -> None:
    """What an interval of a pooled share would cover; a good classifier's error rates from gold of everywhere.

    The cell is as the pool assumes; or its share is half or twice as large with the classifier as good as ever; or the
    classifier is worse there (sensitivity .65, specificity .90).
    """
    table(["share", "gold of all", "as assumed", "share half", "share double", "classifier worse"])
    every: list[list[float]] = []
    for truth, n in product(SHARES, SIZES):
        for name, (sensitivity, specificity) in CLASSIFIERS.items():
            joint = of_a_share(truth, sensitivity, specificity)
            counts = rng.multinomial(n, joint.ravel(), draws).astype(float).reshape(-1, 2, 2)
            rates = joint[0] / joint.sum(axis=0)
            said = min(0.95, 1.5 * joint[:, 0].sum())
            cells = [(np.array([said, 1 - said]), float(np.array([said, 1 - said]) @ rates))]
            others = (truth / 2, min(0.8, 2 * truth))
            cells += [(of_a_share(other, sensitivity, specificity).sum(axis=0), other) for other in others]
            cells.append((of_a_share(truth, sensitivity - 0.15, specificity - 0.05).sum(axis=0), truth))
            held = [_pooled(counts, mix, target) for mix, target in cells]
            every.append(held)
            if name == "good":
                row(f"{truth:g}", n, *(f"{each:.0f}" for each in held))
    found = np.array(every)
    print("\nAll four classifiers, least and mean of each column:", end=" ")
    print("; ".join(f"{low:.0f}, {mean:.0f}" for low, mean in zip(found.min(axis=0), found.mean(axis=0), strict=True)))
    print()


def _pooled(counts: Floats, mix: Floats, truth: float) -> float:
    """Coverage of Wilson's interval around `mix` x rates, with half an error of each kind imagined."""
    said = counts.sum(axis=1)
    usable = (said > 0).all(axis=1)
    members, said = counts[usable, 0], said[usable]
    share_there = (members / said) @ mix
    smooth = (members + 0.5) / (said + 1)
    variance = (smooth * (1 - smooth) / said) @ mix**2
    n = counts[usable].sum(axis=(1, 2))
    size = np.where((share_there > 0) & (share_there < 1), share_there * (1 - share_there) / variance, n)
    low, high = bounds(share_there, np.minimum(size, 4 * n))
    return 100 * float(((low <= truth) & (truth <= high)).mean())


def halved(rng: np.random.Generator) -> None:
    """Width of the interval with the labels that were advised, over half the width before: 1 is right, less is more
    labels than were needed."""
    table(["share", "n", *CLASSIFIERS])
    for truth, n in product(SHARES, (50, 100, 200)):
        cells = []
        for quality in CLASSIFIERS.values():
            kinds, (joint,) = kinds_of([of_a_share(truth, *quality)], [1.0], [n])
            said = np.array([kinds.share_hat, 1 - kinds.share_hat, 0.0])
            found: dict[str, list[float]] = {"ppi": [], "gold": []}
            for counts in rng.multinomial(n, joint, 60):
                first = share(
                    random_sample(np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)), said, [0], [0, 1]
                )
                if first.more is None or first.interval is None:
                    continue
                later = estimate(kinds, rng.multinomial(n + first.more, joint, 50).astype(float))
                half = (first.interval[1] - first.interval[0]) / 2
                found[first.method].append(float((later.high - later.low).mean()) / half)
            cells.append(" / ".join(f"{np.median(each):.2f}" if len(each) >= 10 else "–" for each in found.values()))
        row(f"{truth:g}", n, *cells)
    print()


def chosen(draws: int, rng: np.random.Generator) -> None:
    """Four classifiers, equally good, err apart; the one whose interval is narrowest is taken, as nobody should."""
    table(["share", "n", "one of four", "the narrowest of four", "the highest share of four"])
    for truth, n in product((0.05, 0.1, 0.3), SIZES):
        kinds, _ = kinds_of([of_a_share(truth, 0.8, 0.95)], [1.0], [n])
        members = rng.binomial(n, truth, draws)
        bounds_of = []
        for _ in range(4):
            right, alarms = rng.binomial(members, 0.8), rng.binomial(n - members, 0.05)
            counts = np.stack([right, members - right, alarms, n - members - alarms], axis=1).astype(float)
            found = estimate(kinds, counts)
            bounds_of.append((found.low, found.high, found.share))
        low, high, middle = (np.stack(each) for each in zip(*bounds_of, strict=True))
        cells = []
        for pick in (np.zeros(draws, np.int64), np.argmin(high - low, axis=0), np.argmax(middle, axis=0)):
            at = (pick, np.arange(draws))
            cells.append(f"{100 * float(((low[at] <= truth) & (truth <= high[at])).mean()):.1f}")
        row(f"{truth:g}", n, *cells)
    print()
