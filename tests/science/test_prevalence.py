"""Corrected shares: against the ppi-python library, by hand, by simulation; properties; what is not estimable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlt.science.metrics import Floats, Ints
from xlt.science.prevalence import LEAST_GOLD, Sample, pooled_share, random_sample, share
from xlt.science.wilson import wilson

BOTH = (0, 1)


def labels(n: int, truth: float, sensitivity: float, specificity: float, seed: int) -> tuple[Ints, Ints]:
    """Gold and predictions of `n` rows; label 0 has the share `truth`."""
    rng = np.random.default_rng(seed)
    gold = (rng.random(n) >= truth).astype(np.int64)
    right = rng.random(n) < np.where(gold == 0, sensitivity, specificity)
    return gold, np.where(right, gold, 1 - gold)


def counted(predicted: Ints, kinds: int = 2) -> Floats:
    return np.append(np.bincount(predicted, minlength=kinds), 0).astype(float)


def test_wilson_by_hand() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148 and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


# What ppi_mean_pointestimate and ppi_mean_ci(alpha=0.05) of ppi-python 0.2.3 give for these arrays; the library itself
# would bring 208 MB of numba.
@pytest.mark.parametrize(
    ("weighted", "estimate", "low", "high"),
    [(False, 0.257523, 0.220072, 0.294974), (True, 0.258291, 0.220839, 0.295742)],
)
def test_the_estimate_is_that_of_ppi_python(weighted: bool, estimate: float, low: float, high: float) -> None:
    everything, all_predicted = labels(200_000, 0.3, 0.8, 0.9, 0)
    gold, predicted = everything[:300], all_predicted[:300]
    weights = np.random.default_rng(1).uniform(0.5, 2.0, 300) if weighted else np.ones(300)
    sample = Sample(gold, predicted, weights, np.zeros(300, np.int64), np.zeros(300))
    found = share(sample, counted(all_predicted), [0], BOTH)
    assert found.method == "ppi"
    # The library's L differs in the fourth digit: it lets the corpus's own size blur Q.
    assert found.corrected == pytest.approx(estimate, abs=1e-3)
    assert found.interval is not None
    # Another kind of interval around the same variance, so nearly as wide.
    assert found.interval[1] - found.interval[0] == pytest.approx(high - low, rel=0.06)


def test_a_stratified_sample_by_hand() -> None:
    # Stratum A: 100 rows, 40 drawn, 10 of them label 0; B: 900 rows, 60 drawn, 30 of them. A constant classifier adds
    # nothing, so the share is (100 x .25 + 900 x .5) / 1000 and the variance that of a stratified mean.
    gold = np.array([0] * 10 + [1] * 30 + [0] * 30 + [1] * 30)
    strata = np.array([0] * 40 + [1] * 60)
    chance = np.where(strata == 0, 0.4, 60 / 900)
    sample = Sample(gold, np.ones(100, np.int64), 1 / chance, strata, chance)
    found = share(sample, np.array([0.0, 1000, 0]), [0], BOTH)
    assert found.gold == pytest.approx(0.475)
    assert found.corrected == pytest.approx(0.475)
    variance = 0.1**2 * 0.6 * (0.25 * 0.75 / 39) + 0.9**2 * (1 - 60 / 900) * (0.25 / 59)
    size = min(0.475 * 0.525 / variance, 100)
    assert found.gold_interval == pytest.approx(wilson(0.475, size))


def test_adjusted_count_by_hand() -> None:
    # Sensitivity 30/40, false alarms 12/60; half of the corpus is predicted 0: (.5 - .2) / (.75 - .2).
    gold = np.array([0] * 40 + [1] * 60)
    predicted = np.array([0] * 30 + [1] * 10 + [0] * 12 + [1] * 48)
    found = share(random_sample(gold, predicted), np.array([500.0, 500, 0]), [0], BOTH)
    assert found.adjusted == pytest.approx(0.3 / 0.55, abs=1e-4)
    assert found.naive == 0.5


def test_a_ratio_is_that_of_its_parts() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 4, 400)
    # A classifier that is always right: everything comes out as in the corpus.
    found = share(random_sample(gold, gold), np.array([100.0, 300, 100, 500, 0]), [1], (0, 1, 2))
    assert found.naive == pytest.approx(0.6)
    assert found.method == "gold", "no error was seen, so nobody knows how many there are"
    wrong = gold.copy()
    wrong[:12] = (gold[:12] + 1) % 4
    mended = share(random_sample(gold, wrong), np.array([100.0, 300, 100, 500, 0]), [1], (0, 1, 2))
    assert mended.method == "ppi"
    assert mended.corrected == pytest.approx(0.6, abs=0.05)
    assert mended.gold is not None
    assert abs(mended.gold - 0.6) > 0.2


def test_too_little_gold_is_not_estimable_and_pools() -> None:
    gold, predicted = labels(500, 0.3, 0.8, 0.9, 2)
    few = random_sample(gold[: LEAST_GOLD - 1], predicted[: LEAST_GOLD - 1])
    population = np.array([700.0, 300, 0])
    own = share(few, population, [0], BOTH)
    assert (own.method, own.corrected, own.interval, own.gold, own.more) == ("none", None, None, None, None)
    pool = random_sample(gold, predicted)
    pooled = pooled_share(few, pool, population, [0], BOTH)
    rates = [float((gold[predicted == each] == 0).mean()) for each in BOTH]
    assert pooled.method == "pooled"
    assert pooled.corrected == pytest.approx(0.7 * rates[0] + 0.3 * rates[1])
    assert pooled.interval is None
    assert pooled_share(few, few, population, [0], BOTH).method == "none"
    # One row with nearly all the weight is worth one row.
    weights = np.ones(200)
    weights[0] = 1000
    lopsided = Sample(gold[:200], predicted[:200], weights, np.zeros(200, np.int64), np.zeros(200))
    assert share(lopsided, population, [0], BOTH).method == "none"


def test_nothing_one_row_one_class() -> None:
    nothing = np.empty(0, np.int64)
    empty = share(random_sample(nothing, nothing), np.zeros(3), [0], BOTH)
    assert (empty.n, empty.naive, empty.corrected) == (0, None, None)
    one = share(random_sample(np.array([0]), np.array([0])), np.array([1.0, 0, 0]), [0], BOTH)
    assert (one.n, one.naive, one.interval) == (1, 1.0, None)
    same = np.zeros(80, np.int64)
    all_alike = share(random_sample(same, same), np.array([1000.0, 0, 0]), [0], BOTH)
    assert all_alike.corrected == 1.0
    assert all_alike.interval == pytest.approx(wilson(1.0, 80))
    none_in_base = share(random_sample(same, same), np.array([1000.0, 0, 0]), [1], [1])
    assert (none_in_base.n, none_in_base.corrected) == (0, None)


@given(st.integers(0, 10_000), st.floats(0.1, 0.9), st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_of_rows_and_unit_of_weights_do_not_matter(seed: int, truth: float, random: object) -> None:
    gold, predicted = labels(120, truth, 0.8, 0.8, seed)
    order = list(range(120))
    random.shuffle(order)  # type: ignore[attr-defined]
    population = np.array([600.0, 400, 0])
    sample = random_sample(gold, predicted)
    found = share(sample, population, [0], BOTH)
    shuffled = share(sample.part(np.array(order)), population, [0], BOTH)
    assert found.interval is not None
    assert shuffled.interval == pytest.approx(found.interval)
    assert shuffled.corrected == pytest.approx(found.corrected)
    scaled = Sample(gold, predicted, np.full(120, 17.0), sample.strata, sample.fractions)
    assert share(scaled, population, [0], BOTH).interval == pytest.approx(found.interval)
    assert found.interval[0] <= (found.corrected or 0) <= found.interval[1]
    other = share(sample, population, [1], BOTH)
    assert other.corrected == pytest.approx(1 - (found.corrected or 0))


def test_more_labels_halve_the_interval() -> None:
    everything, all_predicted = labels(100_000, 0.3, 0.8, 0.9, 3)
    found = share(random_sample(everything[:2000], all_predicted[:2000]), counted(all_predicted), [0], BOTH)
    assert found.more is not None
    n = 2000 + found.more
    later = share(random_sample(everything[:n], all_predicted[:n]), counted(all_predicted), [0], BOTH)
    assert found.interval is not None
    assert later.interval is not None
    width, less = (high - low for low, high in (found.interval, later.interval))
    assert less == pytest.approx(width / 2, rel=0.05)


def test_a_whole_corpus_coded_by_hand_leaves_no_doubt() -> None:
    gold, predicted = labels(300, 0.3, 0.8, 0.9, 4)
    found = share(random_sample(gold, predicted, 300), counted(predicted), [0], BOTH)
    truth = float((gold == 0).mean())
    assert found.corrected == pytest.approx(truth, abs=1e-9)
    assert found.interval == pytest.approx((truth, truth), abs=1e-4)
    assert found.gold_interval == pytest.approx((truth, truth), abs=1e-4)
    nearly = share(random_sample(gold[:290], predicted[:290], 300), counted(predicted), [0], BOTH)
    assert nearly.interval is not None
    assert nearly.interval[1] - nearly.interval[0] < 0.03


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "n", "sensitivity", "specificity"),
    [(0.02, 50, 0.95, 0.99), (0.02, 50, 0.8, 0.95), (0.05, 100, 0.8, 0.95), (0.1, 50, 0.8, 0.95), (0.5, 50, 0.9, 0.7)],
)
def test_intervals_cover_what_they_say(truth: float, n: int, sensitivity: float, specificity: float) -> None:
    """1,000 draws; the share that holds the truth is within three standard errors of 90 to 98 %."""
    hits = []
    share_hat = truth * sensitivity + (1 - truth) * (1 - specificity)
    population = np.array([share_hat, 1 - share_hat, 0.0]) * 1e6
    for seed in range(1000):
        gold, predicted = labels(n, truth, sensitivity, specificity, seed)
        found = share(random_sample(gold, predicted), population, [0], BOTH)
        assert found.interval is not None
        hits.append(found.interval[0] <= truth <= found.interval[1])
    assert 0.9 - 0.028 <= np.mean(hits) <= 0.98 + 0.013
