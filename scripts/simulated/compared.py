"""Scores at a common label mix, and two equally good systems on the same rows."""

from __future__ import annotations

import numpy as np

from xlt.science.bootstrap import allows_standardised, drawn, interval
from xlt.science.metrics import Floats, accuracy_of, macro_f1_of, to_mix
from xlt.science.paired import compare

DRAWS = 400
# Gold labels of a language; the mix of all rows together.
MIXES = (
    ((10, 10, 10, 220), (0.18, 0.16, 0.16, 0.5)),
    ((40, 35, 35, 140), (0.25, 0.25, 0.25, 0.25)),
    ((30, 15, 15, 60), (0.18, 0.16, 0.16, 0.5)),
    ((25, 25, 25, 25), (0.18, 0.16, 0.16, 0.5)),
    ((10, 10, 10, 70), (0.25, 0.25, 0.25, 0.25)),
    ((5, 30, 30, 35), (0.5, 0.18, 0.16, 0.16)),
)
RECALLS = ((0.7, 0.7, 0.6, 0.8), (0.9, 0.9, 0.85, 0.95))
SIZES = (50, 100, 250, 875)
RIGHT, SHARED = 0.65, 0.7


def print_same_mix(samples: int, rng: np.random.Generator) -> None:
    """Coverage of accuracy and macro-F1 at a common mix, also where no interval is printed."""
    print("| gold | common mix | recall | printed | accuracy | macro-F1 |\n| --- | --- | --- | --- | --- | --- |")
    for sizes, shares in MIXES:
        mix = np.array(shares)
        for recall in RECALLS:
            rates = _rates(recall)
            truth = [float(score(rates * mix[:, None])) for score in (accuracy_of, macro_f1_of)]
            held: list[list[bool]] = [[], []]
            for number in range(samples):
                counts = np.array([rng.multinomial(n, row) for n, row in zip(sizes, rates, strict=True)], float)
                again = to_mix(drawn([counts], number, DRAWS), mix)
                for hits, true, score in zip(held, truth, (accuracy_of, macro_f1_of), strict=True):
                    if (found := interval(score(again))) is not None:
                        hits.append(found[0] <= true <= found[1])
            printed = allows_standardised(np.diag(np.array(sizes, float)), mix)
            cells = (sizes, shares, recall, "yes" if printed else "no")
            print("|", " | ".join(str(each).strip("()") for each in cells), end=" | ")
            print(" | ".join(f"{100 * np.mean(each):.1f}" for each in held), "|")


def _rates(recall: tuple[float, ...]) -> Floats:
    """Shares of predictions by gold label, errors spread evenly."""
    size = len(recall)
    rates = np.zeros((size, size + 1))
    for label, right in enumerate(recall):
        rates[label, :size] = (1 - right) / (size - 1)
        rates[label, label] = right
    return rates


def print_differences(samples: int, rng: np.random.Generator) -> None:
    """How often two systems that are equally good are told apart at 5 %."""
    print("| n | exact McNemar | bootstrap of accuracy | bootstrap of macro-F1 |\n| --- | --- | --- | --- |")
    for n in SIZES:
        found: list[tuple[bool, bool | None, bool | None]] = []
        for number in range(samples):
            gold = rng.choice(4, n, p=(0.18, 0.16, 0.16, 0.5))
            shared, common = rng.random(n) < SHARED, _said(gold, rng)
            a, b = (np.where(shared, common, _said(gold, rng)) for _ in range(2))
            each = compare(gold, a, b, 4, np.zeros(n, np.int64), number, DRAWS)
            found.append((each.p < 0.05, _apart(each.accuracy_interval), _apart(each.macro_f1_interval)))
        shares = ([value for value in column if value is not None] for column in zip(*found, strict=True))
        print(f"| {n} |", " | ".join(f"{100 * np.mean(each):.1f}" for each in shares), "|")


def _said(gold: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(gold)) < RIGHT, gold, (gold + rng.integers(1, 4, len(gold))) % 4)


def _apart(found: tuple[float, float] | None) -> bool | None:
    return None if found is None else not found[0] <= 0 <= found[1]
