"""How often do xlt's intervals hold the truth? Prints the tables of docs/prevalence.md and docs/evaluate.md.

Every draw is a sample from a known population, estimated by the very function that the command uses. "Textbook" is
PPI++ with estimate ± 1.96 standard errors, which xlt does not print.

    python scripts/simulate_coverage.py --draws 2000 [--data test.csv]
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xlt.science.agreement import agreement, krippendorff
from xlt.science.bootstrap import allows_interval, drawn, interval
from xlt.science.labels import match
from xlt.science.metrics import Ints, accuracy_of, macro_f1_of
from xlt.science.prevalence import Sample, Share, random_sample, share
from xlt.tasks.load import load_task

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
SIZES = (50, 100, 200, 400)
# Sensitivity and specificity.
CLASSIFIERS = {"near perfect": (0.95, 0.99), "good": (0.8, 0.95), "weak": (0.6, 0.85), "over-eager": (0.9, 0.7)}
# Stance: how often a label on the topic is right, and how often an unrelated tweet is put on the topic.
STANCE = {"near perfect": (0.95, 0.01), "good": (0.85, 0.05), "weak": (0.6, 0.15)}
STANCE_SHARES = (0.02, 0.05, 0.1, 0.3, 0.5)


@dataclass
class Cell:
    """What came of the draws of one setting."""

    gold: list[bool] = field(default_factory=list)
    textbook: list[bool] = field(default_factory=list)
    printed: list[bool] = field(default_factory=list)
    by_ppi: list[bool] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    """Of the printed interval over that of gold alone."""
    nothing: int = 0

    def add(self, found: Share, truth: float, textbook: tuple[float, float] | None = None) -> None:
        """One draw."""
        if found.interval is None or found.gold_interval is None:
            self.nothing += 1
            return
        self.gold.append(found.gold_interval[0] <= truth <= found.gold_interval[1])
        self.printed.append(found.interval[0] <= truth <= found.interval[1])
        self.by_ppi.append(found.method == "ppi")
        widths = [high - low for low, high in (found.interval, found.gold_interval)]
        self.width.append(widths[0] / widths[1])
        if textbook:
            self.textbook.append(textbook[0] <= truth <= textbook[1])

    def row(self) -> list[str]:
        """Cells of a table."""
        if len(self.printed) < 100:
            return ["not estimable"] + ["–"] * 4
        means = (self.gold, self.textbook, self.printed, self.by_ppi)
        shown = [f"{100 * float(np.mean(each)):.1f}" if each else "–" for each in means]
        return [*shown, f"{float(np.mean(self.width)):.2f}"]


def textbook(gold: Ints, predicted: Ints, share_hat: float) -> tuple[float, float]:
    """PPI++ of the share of label 0, plus and minus 1.96 standard errors."""
    y, f = (gold == 0).astype(float), (predicted == 0).astype(float)
    spread = f.var()
    tuned = float(np.clip(((y - y.mean()) * (f - f.mean())).mean() / spread, 0, 1)) if spread else 0.0
    estimate = tuned * share_hat + float((y - tuned * f).mean())
    error = 1.96 * float((y - tuned * f).std(ddof=1)) / len(y) ** 0.5
    return estimate - error, estimate + error


def of_everything(draws: int, rng: np.random.Generator) -> Iterator[tuple[list[str], Cell]]:
    """Shares of a label in all of an endless corpus, plain random samples."""
    for name, (sensitivity, specificity) in CLASSIFIERS.items():
        for truth in SHARES:
            joint = np.array(
                [
                    *(truth * sensitivity, truth * (1 - sensitivity)),
                    *((1 - truth) * (1 - specificity), (1 - truth) * specificity),
                ]
            )
            population = np.array([joint[0] + joint[2], joint[1] + joint[3], 0.0]) * 1e6
            for n in SIZES:
                cell = Cell()
                for _ in range(draws):
                    kinds = rng.choice(4, n, p=joint)
                    gold, predicted = kinds // 2, kinds % 2
                    found = share(random_sample(gold, predicted), population, [0], [0, 1])
                    cell.add(found, truth, textbook(gold, predicted, population[0] / 1e6))
                yield [name, f"{truth:g}", str(n)], cell


def of_stance(draws: int, rng: np.random.Generator) -> Iterator[tuple[list[str], Cell]]:
    """Shares of `anti` among the 40 % on topic."""
    on_topic = 0.4
    for name, (right, eager) in STANCE.items():
        wrong = (1 - right) / 2
        errors = np.array(
            [
                [right, wrong / 2, wrong / 2, wrong],
                [wrong / 2, right, wrong / 2, wrong],
                [wrong / 2, wrong / 2, right, wrong],
                [eager / 3, eager / 3, eager / 3, 1 - eager],
            ]
        )
        for truth in STANCE_SHARES:
            others = on_topic * (1 - truth) / 2
            joint = np.array([others, on_topic * truth, others, 1 - on_topic])[:, None] * errors
            population = np.append(joint.sum(axis=0), 0.0) * 1e6
            for n in (100, 200, 400):
                cell = Cell()
                for _ in range(draws):
                    kinds = rng.choice(16, n, p=joint.ravel() / joint.sum())
                    found = share(random_sample(kinds // 4, kinds % 4), population, [1], [0, 1, 2])
                    cell.add(found, truth)
                yield [name, f"{truth:g}", str(n)], cell


def of_strata(draws: int, rng: np.random.Generator) -> Iterator[tuple[list[str], Cell]]:
    """A corpus of 4,000; half of the sample from the 30 % that the classifier is unsure of."""
    size = 4000
    for truth in SHARES:
        for n in SIZES[1:]:
            cell = Cell()
            for _ in range(draws):
                gold = (rng.random(size) >= truth).astype(np.int64)
                unsure = rng.random(size) < 0.3
                predicted = np.where(rng.random(size) < np.where(unsure, 0.7, 0.97), gold, 1 - gold)
                strata = unsure.astype(np.int64)
                rows = np.concatenate(
                    [rng.choice(np.flatnonzero(strata == each), n // 2, replace=False) for each in (0, 1)]
                )
                chance = (n / 2 / np.bincount(strata))[strata[rows]]
                sample = Sample(gold[rows], predicted[rows], 1 / chance, strata[rows], chance)
                population = np.append(np.bincount(predicted, minlength=2), 0).astype(float)
                cell.add(share(sample, population, [0], [0, 1]), float((gold == 0).mean()))
            yield [f"{truth:g}", str(n)], cell


def print_table(heads: list[str], rows: Iterator[tuple[list[str], Cell]]) -> None:
    """A Markdown table, and the range of what is printed."""
    columns = [*heads, "gold alone", "textbook PPI", "printed", "by PPI %", "width"]
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    ranges = []
    for setting, cell in rows:
        print("| " + " | ".join([*setting, *cell.row()]) + " |", flush=True)
        if len(cell.printed) >= 100:
            ranges += [float(np.mean(cell.printed)), float(np.mean(cell.gold))]
    print(f"\nPrinted intervals, both kinds: {100 * min(ranges):.1f} to {100 * max(ranges):.1f} %.\n")


def print_scores(draws: int, rng: np.random.Generator) -> None:
    """Coverage of the bootstrap of accuracy and macro-F1, four labels, where `xlt evaluate` prints an interval."""
    right = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.6, 0.2], [0.05, 0.05, 0.1, 0.8]])
    print("| label mix | n | printed % | accuracy | macro-F1 |")
    print("|" + " --- |" * 5)
    for mix in ((0.25, 0.25, 0.25, 0.25), (0.18, 0.16, 0.16, 0.5), (0.1, 0.1, 0.1, 0.7)):
        joint = np.array(mix)[:, None] * right
        truths = [float(score(np.pad(joint, ((0, 0), (0, 1))))) for score in (accuracy_of, macro_f1_of)]
        for n in (50, 100, 250, 875):
            held: list[list[bool]] = []
            for seed in range(draws):
                counts = np.pad(rng.multinomial(n, joint.ravel()).reshape(4, 4), ((0, 0), (0, 1))).astype(float)
                if allows_interval(counts):
                    resampled = drawn([counts], seed, 500)
                    bounds = [interval(score(resampled)) or (0.0, 0.0) for score in (accuracy_of, macro_f1_of)]
                    held.append([low <= truth <= high for (low, high), truth in zip(bounds, truths, strict=True)])
            shown = [f"{100 * each:.1f}" for each in np.mean(held, axis=0)] if len(held) >= 100 else ["–", "–"]
            print(f"| {', '.join(map(str, mix))} | {n} | {100 * len(held) / draws:.0f} | {' | '.join(shown)} |")
    print()


def print_alpha(draws: int, rng: np.random.Generator) -> None:
    """Coverage of the bootstrap of Krippendorff's alpha, two coders, four labels."""
    print("| alpha | texts | covered |")
    print("|" + " --- |" * 3)
    for right in (0.7, 0.9):
        truth = rng.choice(4, 200_000, p=[0.2, 0.15, 0.15, 0.5])
        coded = [np.where(rng.random(len(truth)) < right, truth, rng.choice(4, len(truth))) for _ in range(2)]
        ratings = np.stack(coded, axis=1)
        alpha = krippendorff(ratings, 4)
        for units in (50, 100, 200):
            bounds = [
                agreement(ratings[rng.integers(0, len(truth), units)], 4, seed, 500).alpha_interval
                for seed in range(draws)
            ]
            held = [each is not None and each[0] <= alpha <= each[1] for each in bounds]
            print(f"| {alpha:.2f} | {units} | {100 * float(np.mean(held)):.1f} |")
    print()


def print_errors(data: Path, draws: int, rng: np.random.Generator) -> None:
    """Root mean squared error of each label's share, in points, over repeated draws from labelled data."""
    names = load_task("immigration").names
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    gold = match([row["label"] for row in rows], names, {}).codes
    print("| predictions | n | label | share | naive | gold alone | adjusted count | corrected |")
    print("|" + " --- |" * 8)
    for column in ("paper_en", "paper_es", "paper_en_es", "paper_multi"):
        predicted = match([row[column] for row in rows], names, {}).codes
        population = np.bincount(np.where(predicted < 0, len(names), predicted), minlength=len(names) + 1).astype(float)
        for n in (100, 200):
            samples = [rng.choice(len(rows), n, replace=False) for _ in range(draws)]
            for label, name in enumerate(names):
                truth = float((gold == label).mean())
                found = [
                    share(random_sample(gold[at], predicted[at], len(rows)), population, [label], range(len(names)))
                    for at in samples
                ]
                ways: list[Callable[[Share], float | None]] = [
                    lambda each: each.naive,
                    lambda each: each.gold,
                    lambda each: each.adjusted,
                    lambda each: each.corrected,
                ]
                errors = []
                for way in ways:
                    values = np.array([value for each in found if (value := way(each)) is not None])
                    errors.append(f"{100 * float(np.sqrt(((values - truth) ** 2).mean())):.1f}")
                print(f"| {column} | {n} | {name} | {100 * truth:.1f} | " + " | ".join(errors) + " |", flush=True)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="test.csv of the paper's labelled tweets: adds the table of errors")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    print(f"{given.draws} draws a row; coverage in per cent.\n")
    print_table(["classifier", "share", "n"], of_everything(given.draws, rng))
    print_table(["classifier", "share", "n"], of_stance(given.draws, rng))
    print_table(["share", "n"], of_strata(given.draws, rng))
    print_scores(min(given.draws, 1000), rng)
    print_alpha(min(given.draws, 1000), rng)
    if given.data:
        print_errors(given.data, min(given.draws, 500), rng)


if __name__ == "__main__":
    main()
