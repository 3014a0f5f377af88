"""Measures how many of `xlt breakdown --bootstrap`'s intervals hold the true share, by the effective number of authors.

    python scripts/bench_bootstrap.py [--draws 120] [--replicates 300] [--seed 1]

Authors are drawn from a population in which each has a leaning of their own (Beta) and some post far more than others
(1 + a Lomax number, independent of the leaning). The true share is the population's share of posts.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict

import numpy as np

AUTHORS = (20, 30, 50, 100, 200, 500)
TAILS = (20.0, 2.5, 1.3)
SHARES = (0.5, 0.2, 0.05)
BINS = (0, 5, 10, 20, 30, 50, 100, 200, 1000)


def one(authors: int, tail: float, share: float, replicates: int, rng: np.random.Generator) -> tuple[float, bool]:
    """The effective number of authors, and whether the interval holds the share."""
    posts = 1 + np.floor(rng.pareto(tail, authors) * 3).clip(max=5000).astype(int)
    there = rng.binomial(posts, rng.beta(2 * share, 2 * (1 - share), authors))
    weights = rng.multinomial(authors, np.full(authors, 1 / authors), size=replicates)
    low, high = np.quantile((weights @ there) / (weights @ posts), [0.025, 0.975])
    return float(posts.sum() ** 2 / (posts**2).sum()), bool(low <= share <= high)


def main() -> None:
    """Print a table of coverage, which should be .95."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=120)
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    held: dict[tuple[int, float], list[bool]] = defaultdict(list)
    for tail in TAILS:
        for share in SHARES:
            for authors in AUTHORS:
                for _ in range(options.draws):
                    number, inside = one(authors, tail, share, options.replicates, rng)
                    held[int(np.searchsorted(BINS, number, side="right")) - 1, share].append(inside)
    print("| effective authors | " + " | ".join(f"true share {share} (n)" for share in SHARES) + " |")
    print("| --- |" + " --: |" * len(SHARES))
    for position, (low, high) in enumerate(itertools.pairwise(BINS)):
        cells = [held[position, share] for share in SHARES]
        print(f"| {low} to {high} | " + " | ".join(f"{np.mean(cell):.3f} ({len(cell)})" for cell in cells) + " |")


if __name__ == "__main__":
    main()
