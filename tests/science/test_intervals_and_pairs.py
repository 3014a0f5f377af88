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
