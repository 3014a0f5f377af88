"""Bootstrap, paired tests, calibration and risk: against the libraries, hand-worked examples and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlt.science import bootstrap, calibration, metrics, paired, risk

RNG = np.random.default_rng(0)


def noisy(n: int, labels: int = 4, right: float = 0.7) -> tuple[metrics.Ints, metrics.Ints]:
    gold = RNG.integers(0, labels, n)
    wrong = RNG.integers(0, labels, n)
    return gold, np.where(RNG.random(n) < right, gold, wrong)


def test_no_interval_without_width() -> None:
    perfect = np.hstack([np.eye(2) * 40, np.zeros((2, 1))])
    assert bootstrap.allows_interval(perfect)
    assert bootstrap.score_interval([perfect], metrics.accuracy_of, seed=0) is None


def test_no_interval_below_fifty_rows_or_five_of_a_label() -> None:
    def counts(*gold: int) -> metrics.Floats:
        return np.hstack([np.diag(np.array(gold, float)), np.zeros((len(gold), 1))])

    assert bootstrap.allows_interval(counts(25, 25))
    assert not bootstrap.allows_interval(counts(25, 24))
    assert not bootstrap.allows_interval(counts(96, 4))
    assert bootstrap.score_interval([counts(45, 4)], metrics.accuracy_of, 0) is None


def test_an_interval_at_another_mix_needs_more_texts_of_what_weighs_there() -> None:
    def allowed(gold: tuple[int, ...], mix: tuple[float, ...]) -> bool:
        counts = np.hstack([np.diag(np.array(gold, float)), np.zeros((len(gold), 1))])
        return bootstrap.allows_standardised(counts, np.array(mix))

    assert allowed((50, 50), (0.5, 0.5))  # 1 / (.25/50 + .25/50) = 100
    assert not allowed((50, 50), (0.51, 0.49))
    assert allowed((10, 90), (0.1, 0.9))
    assert not allowed((9, 991), (0.01, 0.99))
    assert not allowed((10, 990), (0.5, 0.5))  # As sure as 40 texts.
    assert not allowed((0, 200), (0.0, 1.0)), "no interval of any score without five of each label"


LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 2), st.integers(-1, 2)), max_size=80)


@given(LABELS, st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_order_and_repeats_of_rows_in_bootstrap_and_comparison(rows: list[tuple[int, int, int]], seed: int) -> None:
    """Any rows: none, one, of one class. Another order changes no bit; every row twice, no value."""
    table = np.array(rows, np.int64).reshape(-1, 3)
    order = np.random.default_rng(seed).permutation(len(table))
    langs = np.arange(len(rows)) % 2

    def compared(of: metrics.Ints, strata: metrics.Ints) -> paired.Comparison:
        return paired.compare(of[:, 0], of[:, 1], of[:, 2], 3, strata, seed=1, draws=50)

    once, again = compared(table, langs), compared(table[order], langs[order])
    assert repr(once) == repr(again)
    twice = compared(np.vstack([table, table]), np.tile(langs, 2))
    for name in ("accuracy_difference", "macro_f1_difference"):
        assert getattr(twice, name) == pytest.approx(getattr(once, name), nan_ok=True)
    strata = [metrics.confusion(table[langs == lang, 0], table[langs == lang, 1], 3) for lang in np.unique(langs)]
    found = bootstrap.score_interval(strata, metrics.macro_f1_of, seed=0, draws=50)
    sizes = np.bincount(table[:, 0], minlength=3)
    if len(table) < 50 or sizes.min() < 5:
        assert found is None
        assert once.accuracy_interval is None
    elif found is not None:
        assert 0 <= found[0] < found[1] <= 1


def test_rows_twice_halve_the_variance_of_the_bootstrap() -> None:
    counts = metrics.confusion(*noisy(400), 4)
    once, twice = (bootstrap.score_interval([each], metrics.accuracy_of, seed=0) for each in (counts, 2 * counts))
    assert once is not None
    assert twice is not None
    assert (twice[1] - twice[0]) / (once[1] - once[0]) == pytest.approx(0.5**0.5, rel=0.1)


def test_bootstrap_confusions_are_those_of_drawing_rows() -> None:
    gold, predicted = noisy(300)
    counts = metrics.confusion(gold, predicted, 4)
    found = bootstrap.drawn([counts], seed=1, draws=4000)
    assert (found.sum(axis=2) == counts.sum(axis=1)).all()
    mean_f1, spread = metrics.macro_f1_of(found).mean(), metrics.macro_f1_of(found).std()
    by_rows = []
    for _ in range(1500):
        rows = np.concatenate([RNG.choice(np.flatnonzero(gold == g), int((gold == g).sum())) for g in range(4)])
        by_rows.append(metrics.macro_f1(gold[rows], predicted[rows], 4))
    assert mean_f1 == pytest.approx(np.mean(by_rows), abs=0.003)
    assert spread == pytest.approx(np.std(by_rows), rel=0.08)


def test_the_seed_decides_and_strata_may_come_in_parts() -> None:
    counts = metrics.confusion(*noisy(200), 4)
    first = bootstrap.score_interval([counts, counts], metrics.accuracy_of, seed=3)
    assert first == bootstrap.score_interval([counts, counts], metrics.accuracy_of, seed=3)
    assert first is not None
    assert first[0] < float(metrics.accuracy_of(counts)) < first[1]


def test_mcnemar_by_hand() -> None:
    # Two-sided binomial tails: 2 x .5^5, and 2 x (1 + 12 + 66) / 2^12. statsmodels' exact test gives the same.
    assert paired.mcnemar(5, 0) == pytest.approx(0.0625)
    assert paired.mcnemar(2, 10) == pytest.approx(158 / 4096)
    assert paired.mcnemar(10, 2) == pytest.approx(158 / 4096)
    assert paired.mcnemar(3, 3) == 1.0
    assert paired.mcnemar(0, 0) == 1.0


def test_holm_by_hand() -> None:
    # In order .005 x 4, .01 x 3, .03 x 2, then .04 x 1, which may not fall below the one before it.
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(values: list[float]) -> None:
    found = paired.holm(values)
    for p, adjusted in zip(values, found, strict=True):
        assert p <= adjusted <= min(1.0, len(values) * p) + 1e-12
    assert sorted(range(len(values)), key=lambda at: (found[at], values[at])) == sorted(
        range(len(values)), key=lambda at: (values[at], values[at])
    )


def test_a_comparison_is_paired() -> None:
    gold, a = noisy(400, right=0.6)
    b = np.where(RNG.random(400) < 0.3, gold, a)  # B mends some of A's errors and makes none.
    found = paired.compare(gold, a, b, 4, np.zeros(400, np.int64), seed=0)
    assert found.only_a == 0
    assert found.accuracy_difference == pytest.approx(metrics.accuracy(gold, b) - metrics.accuracy(gold, a))
    assert found.accuracy_interval is not None
    assert found.accuracy_interval[0] > 0
    assert found.p < 1e-6
    back = paired.compare(gold, b, a, 4, np.zeros(400, np.int64), seed=0)
    assert back.macro_f1_difference == pytest.approx(-found.macro_f1_difference)
    same = paired.compare(gold, a, a, 4, np.zeros(400, np.int64), seed=0)
    assert (same.p, same.accuracy_interval, same.macro_f1_interval) == (1.0, None, None)


def test_expected_calibration_error_by_hand() -> None:
    # Two rows at .9, one right; two rows at .6, both right: ECE = (.4 + .4) / 2, Brier by hand.
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = calibration.reliability(p, np.array([0, 1, 0, 1]))
    assert found.ece == pytest.approx(0.4)
    assert [(each.n, each.accuracy) for each in found.bins] == [(2, 1.0), (2, 0.5)]
    assert found.brier == pytest.approx((0.02 + 1.62 + 0.32 + 0.32) / 4)
    twice = calibration.reliability(np.vstack([p, p]), np.array([0, 1, 0, 1] * 2))
    assert twice.ece == pytest.approx(found.ece)
    only = calibration.reliability(p, np.array([0, 1, 0, 1]), weights=np.array([1.0, 1, 0, 0]))
    assert only.ece == pytest.approx(0.4)


@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.floats(-9, 9), min_size=3, max_size=3)), max_size=40))
@settings(max_examples=40, deadline=None)
def test_order_and_repeats_of_rows_in_calibration(rows: list[tuple[int, list[float]]]) -> None:
    """Any rows: none, one, of one class."""
    gold = np.array([label for label, _ in rows], np.int64)
    logits = np.array([each for _, each in rows]).reshape(-1, 3)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    once = calibration.reliability(p, gold)
    for other in (
        calibration.reliability(p[::-1], gold[::-1]),
        calibration.reliability(np.tile(p, (2, 1)), np.tile(gold, 2)),
    ):
        for name in ("ece", "brier", "nll"):
            assert getattr(other, name) == pytest.approx(getattr(once, name), nan_ok=True)
    if not rows:
        assert np.isnan(once.ece)
    found = calibration.fit_temperature(p, gold)
    if found is None or found > 10:
        return  # Far up the likelihood is flat, and rounding decides.
    for rows_, weights in ((np.arange(len(gold))[::-1], None), (np.arange(len(gold)), np.full(len(gold), 0.3))):
        assert calibration.fit_temperature(p[rows_], gold[rows_], weights) == pytest.approx(found, rel=0.01)
    assert calibration.fit_temperature(np.tile(p, (2, 1)), np.tile(gold, 2)) == pytest.approx(found, rel=0.01)
    mended = calibration.tempered(p, found)
    assert p[np.arange(len(p)), mended.argmax(axis=1)] == pytest.approx(p.max(axis=1))
    assert calibration.reliability(mended, gold).nll <= once.nll + 1e-9


def test_weights_decide_a_temperature_as_rows_would() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    gold = np.array([0, 1, 1])
    by_rows = calibration.fit_temperature(np.repeat(p, [3, 1, 2], axis=0), np.repeat(gold, [3, 1, 2]))
    assert calibration.fit_temperature(p, gold, np.array([3.0, 1, 2])) == pytest.approx(by_rows)


def test_no_temperature_from_rows_that_decide_none() -> None:
    p = np.array([[0.6, 0.4], [0.3, 0.7]])
    assert calibration.fit_temperature(p, np.array([0, 1])) is None, "no error: it would be next to 0"
    assert calibration.fit_temperature(p, np.array([1, 0])) is None, "worse than chance: without bound"
    assert calibration.fit_temperature(np.zeros((0, 2)), np.array([], np.int64)) is None


def test_temperature_is_found_again() -> None:
    logits = RNG.normal(0, 2, (4000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = np.array([RNG.choice(4, p=row) for row in honest])
    assert calibration.fit_temperature(honest, gold) == pytest.approx(1.0, abs=0.06)
    overconfident = calibration.tempered(honest, 0.5)
    assert calibration.fit_temperature(overconfident, gold) == pytest.approx(2.0, rel=0.06)
    mended = calibration.tempered(overconfident, 2.0)
    assert mended == pytest.approx(honest)
    assert (mended.argmax(axis=1) == overconfident.argmax(axis=1)).all()


def test_confident_rows_are_better_and_ties_stay_together() -> None:
    gold = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    predicted = np.array([0, 1, 0, 1, 0, 0, 1, 0, 1, 0])
    confidence = np.linspace(1.0, 0.5, 10)
    found = {each.coverage: each for each in risk.risk_coverage(confidence, gold, predicted, 2)}
    assert (found[1.0].accuracy, found[0.5].accuracy, found[0.5].n) == (0.5, 1.0, 5)
    level = risk.risk_coverage(np.full(10, 0.7), gold, predicted, 2)
    assert {each.n for each in level} == {10}
    assert risk.risk_coverage(np.array([]), np.array([], int), np.array([], int), 2) == []
