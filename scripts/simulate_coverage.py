"""How often do xlt's intervals hold the truth? Prints the tables of docs/prevalence.md and docs/evaluate.md.

Every draw is a sample from a known population, estimated by the very function that the command uses.

    python scripts/simulate_coverage.py [--data test.csv]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from simulated import tables
from simulated.compared import print_differences, print_same_mix
from simulated.errors import errors
from simulated.scores import print_alpha, print_scores


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=10_000, help="samples of each setting")
    parser.add_argument("--resamples", type=int, default=300, help="of the joint bootstrap of stance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="test.csv of the paper's labelled tweets: adds the tables of errors")
    given = parser.parse_args()
    # Each table has random numbers of its own, so that a change of one leaves the others as they are.
    rng = [np.random.default_rng([given.seed, number]) for number in range(11)]
    printed = tables.Printed()
    print(f"{given.draws:,} samples of each setting; coverage in per cent.\n\n## Shares\n")
    tables.shares(given.draws, rng[0], printed)
    print("## Stance among what is on the topic: printed (width over gold alone) / joint stratified bootstrap\n")
    tables.stance(given.draws, given.resamples, rng[1], printed)
    print("## Strata: printed (width over gold alone)\n")
    tables.strata(given.draws, rng[2], printed)
    print("## Pooled cells: what an interval would cover\n")
    tables.pooled(given.draws, rng[3])
    print("## Labels that were to halve the interval: width / half; by PPI / gold alone\n")
    tables.halved(rng[4])
    print("## A run chosen by the gold that corrects it\n")
    tables.chosen(given.draws, rng[5])
    if given.data:
        print("## Errors on labelled tweets\n")
        errors(given.data, min(given.draws, 500), rng[6])
    print("## Scores of xlt evaluate\n")
    print_scores(min(given.draws, 1000), rng[7])
    print("## Krippendorff's alpha\n")
    print_alpha(min(given.draws, 1000), rng[8])
    print("## Scores at a common label mix\n")
    print_same_mix(min(given.draws, 1000), rng[9])
    print("## Two systems that are equally good, told apart at 5 %\n")
    print_differences(min(given.draws, 1000), rng[10])


if __name__ == "__main__":
    main()
