"""Corrected shares: against the ppi-python library, by hand, by simulation; properties; what is not estimable."""

from __future__ import annotations

from itertools import product
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlt.science.metrics import Floats, Ints
from xlt.science.ppi import LEAST_GOLD, Kinds, cross_fitted, estimate, ratio, tuned_on_all
from xlt.science.prevalence import Sample, pooled_share, random_sample, share, tabled
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


def plain(share_hat: float) -> Kinds:
    """Right and wrong members, then wrong and right others, of an endless corpus."""
    ones, none = np.ones(4), np.zeros(4)
    return Kinds(np.array([1.0, 1, 0, 0]), ones, np.array([1.0, 0, 1, 0]), ones, ones, none, none, share_hat, 1.0)


def test_ppi_by_hand() -> None:
    """The closed form of a mean: Angelopoulos et al., Science 382 (2023), L = 1; PPI++ (2023), example 1 and 6.1."""
    # Gold 1 1 1 0 0, predicted 1 1 0 1 0; the classifier calls .5 of the corpus so.
    gold, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 1])
    kinds, counts = tabled(random_sample(gold, predicted), np.array([500.0, 500, 0]), [0], BOTH)
    every = np.ones_like(counts)
    assert ratio(kinds, counts, 0 * every) == pytest.approx(3 / 5)
    # The plain rectifier: mean(y - f) is 0, so the share stays what the classifier says.
    assert ratio(kinds, counts, every) == pytest.approx(0.5)
    # L of least variance: cov(y, f) / var(f) = (2/5 - 3/5 x 3/5) / (3/5 - 9/25).
    tuned = float(tuned_on_all(kinds, counts)[0])
    assert tuned == pytest.approx((2 / 5 - 9 / 25) / (6 / 25)) == pytest.approx(1 / 6)
    assert ratio(kinds, counts, tuned * every) == pytest.approx(1 / 6 * 0.5 + 3 / 5 - 1 / 6 * 3 / 5)
    # Without the last row: gold 1 1 1 0, predicted 1 1 0 1; (2/4 - 9/16) is below 0, so L is 0.
    by_kind = {
        (int(member), int(hat)): float(each)
        for member, hat, each in zip(kinds.member, kinds.member_hat, cross_fitted(kinds, counts), strict=True)
    }
    assert by_kind[0, 0] == 0
    # Without the first: 1 1 0 0 and 1 0 1 0 have no covariance; without the third: 1 1 0 0 and 1 1 1 0.
    assert by_kind[1, 1] == 0
    assert by_kind[1, 0] == pytest.approx((2 / 4 - 2 / 4 * 3 / 4) / (3 / 16))


@pytest.mark.parametrize("weighted", [False, True])
def test_every_row_gets_the_weight_that_the_others_gave(weighted: bool) -> None:
    """Cross-fitting by counts of kinds against the plain loop over rows, of a ratio."""
    rng = np.random.default_rng(5)
    gold, predicted = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    predicted = np.where(rng.random(60) < 0.6, gold, predicted)
    weights = np.where(rng.random(60) < 0.5, 1.0, 3.0) if weighted else np.ones(60)
    sample = Sample(gold, predicted, weights, np.zeros(60, np.int64), np.zeros(60))
    population = np.array([200.0, 300, 100, 400, 0])
    y, d = (gold == 1).astype(float), (gold < 3).astype(float)
    f, g = (predicted == 1).astype(float), (predicted < 3).astype(float)
    above = below = 0.0
    for row in range(60):
        others = np.arange(60) != row
        w = weights[others] / weights[others].sum()
        at = (w @ y[others]) / (w @ d[others])
        lin, hat = y[others] - at * d[others], f[others] - at * g[others]
        covariance = w @ (lin * hat) - (w @ lin) * (w @ hat)
        tuned = float(np.clip(covariance / (w @ hat**2 - (w @ hat) ** 2), 0, 1))
        above += weights[row] * (y[row] - tuned * (f[row] - 0.3))
        below += weights[row] * (d[row] - tuned * (g[row] - 0.6))
    kinds, counts = tabled(sample, population, [1], (0, 1, 2))
    assert ratio(kinds, counts, cross_fitted(kinds, counts)) == pytest.approx(above / below)


def test_a_cross_fitted_share_has_no_bias() -> None:
    """Exactly, over every sample of six rows; with L tuned on the same rows it has one."""
    joint = np.array([0.25, 0.1, 0.05, 0.6])
    n = 6
    counts = np.array([each for each in product(range(n + 1), repeat=4) if sum(each) == n], float)
    chances = np.array([factorial(n) / prod(factorial(int(each)) for each in row) for row in counts])
    chances *= (joint**counts).prod(axis=1)
    kinds = plain(0.3)
    assert chances.sum() == pytest.approx(1)
    assert chances @ ratio(kinds, counts, cross_fitted(kinds, counts)) == pytest.approx(0.35, abs=1e-12)
    assert abs(chances @ ratio(kinds, counts, tuned_on_all(kinds, counts)) - 0.35) > 0.003


# What ppi_mean_pointestimate and ppi_mean_ci(alpha=0.05) of ppi-python 0.2.3 give for these arrays; the library itself
# would bring 208 MB of numba.
@pytest.mark.parametrize(
    ("weighted", "theirs", "low", "high"),
    [(False, 0.257523, 0.220072, 0.294974), (True, 0.258291, 0.220839, 0.295742)],
)
def test_the_estimate_is_that_of_ppi_python(weighted: bool, theirs: float, low: float, high: float) -> None:
    everything, all_predicted = labels(200_000, 0.3, 0.8, 0.9, 0)
    gold, predicted = everything[:300], all_predicted[:300]
    weights = np.random.default_rng(1).uniform(0.5, 2.0, 300) if weighted else np.ones(300)
    sample = Sample(gold, predicted, weights, np.zeros(300, np.int64), np.zeros(300))
    found = share(sample, counted(all_predicted), [0], BOTH)
    assert found.method == "ppi"
    # The library's L is another: tuned on the same rows, and on the spread of the predictions of the corpus.
    assert found.corrected == pytest.approx(theirs, abs=1.5e-3)
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
    # Each stratum's own spread, (y - mean)^2 / (n - 1), beside that of 5 cases of all; a row stands for 2.5 and
    # 15 of 1,000.
    of_all = 0.475 * 0.525 * 100 / 99
    own_a, own_b = 0.1**2 * 0.25 * 0.75 / 39, 0.9**2 * 0.25 / 59
    all_a, all_b = 40 * 0.0025**2 * of_all, 60 * 0.015**2 * of_all
    cases_a, cases_b = 40 * 4 * of_all, 60 * 4 * of_all
    variance = 0.6 * (cases_a * own_a + 5 * all_a) / (cases_a + 5)
    variance += (1 - 60 / 900) * (cases_b * own_b + 5 * all_b) / (cases_b + 5)
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
    assert shuffled == found
    scaled = Sample(gold, predicted, np.full(120, 17.0), sample.strata, sample.fractions)
    assert share(scaled, population, [0], BOTH).interval == pytest.approx(found.interval)
    assert found.interval[0] <= (found.corrected or 0) <= found.interval[1]
    other = share(sample, population, [1], BOTH)
    assert other.corrected == pytest.approx(1 - (found.corrected or 0))


def test_more_labels_halve_the_interval() -> None:
    """The widths of many later samples, over half the width of the first."""
    rng = np.random.default_rng(3)
    for truth, n in ((0.05, 200), (0.3, 100), (0.5, 50)):
        joint = np.array([truth * 0.8, truth * 0.2, (1 - truth) * 0.1, (1 - truth) * 0.9])
        kinds = plain(joint[0] + joint[2])
        found = []
        for counts in rng.multinomial(n, joint, 40):
            gold = np.repeat([0, 0, 1, 1], counts)
            predicted = np.repeat([0, 1, 0, 1], counts)
            first = share(
                random_sample(gold, predicted), np.array([kinds.share_hat, 1 - kinds.share_hat, 0]), [0], BOTH
            )
            assert first.more is not None
            assert first.interval is not None
            later = estimate(kinds, rng.multinomial(n + first.more, joint, 40).astype(float))
            found.append((later.high - later.low).mean() / (first.interval[1] - first.interval[0]))
        assert np.median(found) == pytest.approx(0.5, rel=0.1)
    # In a corpus that is coded by half, less than the other half will do.
    gold, predicted = labels(400, 0.3, 0.8, 0.9, 3)
    endless, bounded = (share(random_sample(gold, predicted, size), counted(predicted), [0], BOTH) for size in (0, 800))
    assert bounded.more is not None
    assert endless.more is not None
    assert bounded.more < 300 < 1100 < endless.more


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


def test_intervals_cover_what_they_say() -> None:
    """4,000 samples of each setting: 90 to 98 % hold the truth, give or take the luck of 4,000 draws."""
    rng = np.random.default_rng(0)
    for truth, n in product((0.02, 0.05, 0.1, 0.2, 0.3, 0.5), (50, 100, 200, 400)):
        for sensitivity, specificity in ((0.95, 0.99), (0.8, 0.95), (0.6, 0.85), (0.9, 0.7)):
            wrong = (1 - truth) * (1 - specificity)
            joint = np.array([truth * sensitivity, truth * (1 - sensitivity), wrong, 1 - truth - wrong])
            found = estimate(plain(joint[0] + wrong), rng.multinomial(n, joint, 4000).astype(float))
            assert found.enough.all()
            for low, high in ((found.low, found.high), (found.gold_low, found.gold_high)):
                held = float(((low <= truth) & (truth <= high)).mean())
                assert 0.9 - 0.01 <= held <= 0.98 + 0.005, (truth, n, sensitivity, specificity)


@pytest.mark.parametrize(("truth", "each"), [(0.02, 40), (0.05, 20), (0.1, 20), (0.3, 20)])
def test_intervals_cover_under_very_unequal_weights(truth: float, each: int) -> None:
    """As many from each of 12 languages, of which the largest is 80 times the smallest. A stratum's own spread alone
    held the truth in 81 to 87 % where it is rare."""
    sizes = np.array([20000, 8000, 4000, 2500, 1500, 1000, 800, 700, 500, 400, 350, 250.0])
    wrong = (1 - truth) * 0.05
    joint = np.array([truth * 0.8, truth * 0.2, wrong, 1 - truth - wrong])
    one = plain(joint[0] + wrong)
    kinds = Kinds(
        np.tile(one.member, 12),
        np.tile(one.base, 12),
        np.tile(one.member_hat, 12),
        np.tile(one.base_hat, 12),
        weight=np.repeat(sizes / sizes.sum() / each, 4),
        stratum=np.repeat(np.arange(12.0), 4),
        fraction=np.zeros(48),
        share_hat=one.share_hat,
        all_base_hat=1.0,
    )
    rng = np.random.default_rng(0)
    found = estimate(kinds, np.hstack([rng.multinomial(each, joint, 4000) for _ in sizes]).astype(float))
    assert found.enough.all()
    for low, high in ((found.low, found.high), (found.gold_low, found.gold_high)):
        assert 0.9 <= float(((low <= truth) & (truth <= high)).mean()) <= 0.98 + 0.005
