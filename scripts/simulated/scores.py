"""Coverage of the bootstraps of scores (`xlt evaluate`) and of agreement (`xlt agreement`)."""

from __future__ import annotations

import numpy as np

from xlt.science.agreement import agreement, krippendorff
from xlt.science.bootstrap import allows_interval, drawn, interval
from xlt.science.metrics import accuracy_of, macro_f1_of


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
