"""Every score against scikit-learn or a hand-worked example; order of rows, one class, one row, no rows."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from xlt.science import metrics
from xlt.science.labels import match, regroup

K = 4
Rows = list[tuple[int, int]]
ROWS = st.lists(st.tuples(st.integers(0, K - 1), st.integers(-1, K - 1)), min_size=1, max_size=40)


def arrays(rows: Rows) -> tuple[metrics.Ints, metrics.Ints]:
    both = np.array(rows, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_scores_are_those_of_scikit_learn(rows: Rows) -> None:
    gold, predicted = arrays(rows)
    labels = list(range(K))
    found = metrics.scores(metrics.confusion(gold, predicted, K))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = reference.precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
        kappa = reference.cohen_kappa_score(gold, predicted, labels=[*labels, -1])
    assert found.accuracy == pytest.approx(reference.accuracy_score(gold, predicted))
    assert found.precision == pytest.approx(wanted[0])
    assert np.nan_to_num(found.recall) == pytest.approx(wanted[1])
    assert found.f1 == pytest.approx(wanted[2])
    assert found.gold == pytest.approx(wanted[3])
    assert found.macro_f1 == pytest.approx(wanted[2].mean())
    weighted = reference.f1_score(gold, predicted, labels=labels, average="weighted", zero_division=0)
    assert found.weighted_f1 == pytest.approx(weighted)
    assert found.kappa == pytest.approx(kappa, nan_ok=True)
    assert found.failed == int((predicted < 0).sum())


@given(ROWS, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_rows_and_rows_twice_change_nothing(rows: Rows, random: object) -> None:
    shuffled = [*rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    once = metrics.scores(metrics.confusion(*arrays(rows), K))
    assert (metrics.confusion(*arrays(shuffled), K) == once.counts).all()
    twice = metrics.scores(metrics.confusion(*arrays(rows * 2), K))
    for name in ("accuracy", "macro_f1", "weighted_f1", "kappa", "commonest_accuracy", "commonest_macro_f1"):
        assert getattr(twice, name) == pytest.approx(getattr(once, name), nan_ok=True)


def test_nothing_one_row_and_one_class() -> None:
    empty = metrics.scores(np.zeros((K, K + 1)))
    assert empty.n == 0
    assert math.isnan(empty.accuracy)
    assert math.isnan(empty.macro_f1)
    one = metrics.scores(metrics.confusion(np.array([2]), np.array([2]), K))
    assert (one.accuracy, one.macro_f1, one.weighted_f1) == (1.0, 0.25, 1.0)
    assert math.isnan(one.kappa)


def test_the_commonest_label() -> None:
    # Three of four are label 1: accuracy 3/4, F1 of label 1 is 6/7, over four labels 6/28.
    found = metrics.scores(metrics.confusion(np.array([1, 1, 1, 0]), np.array([0, 1, 2, 0]), K))
    assert found.commonest_accuracy == 0.75
    assert found.commonest_macro_f1 == pytest.approx(6 / 28)


def test_a_common_label_mix() -> None:
    # Recall .9 on the first label and .5 on the second: at a mix of half and half accuracy is .7, whatever gold had.
    counts = np.array([[90.0, 10, 0], [5, 5, 0]])
    assert metrics.accuracy_of(metrics.to_mix(counts, np.array([0.5, 0.5]))) == pytest.approx(0.7)
    assert metrics.accuracy_of(metrics.to_mix(counts, counts.sum(axis=1) / 110)) == pytest.approx(95 / 110)
    assert np.isnan(metrics.accuracy_of(metrics.to_mix(np.array([[9.0, 1, 0], [0, 0, 0]]), np.array([0.5, 0.5]))))


def test_spellings() -> None:
    names = ["pro-immigration", "neutral", "unrelated"]
    given = ["neutral", "Neutral ", " PRO-immigration", "failed", None, "  ", "1"]
    spelt = {"1": "pro-immigration"}
    loose = match(given, names, spelt)
    assert loose.codes.tolist() == [1, 1, 0, -1, -1, -1, 0]
    assert (loose.missing, dict(loose.unknown)) == (2, {"failed": 1})
    assert dict(loose.folded) == {"Neutral ": 1, " PRO-immigration": 1, "1": 1}
    strict = match(given, names, spelt, strict=True)
    assert strict.codes.tolist() == [1, -1, -1, -1, -1, -1, -1]
    topic = regroup(np.array([0, 1, 2, -1]), names, {"related": names[:2], "unrelated": names[2:]})
    assert topic.tolist() == [0, 0, 1, -1]
    assert regroup(np.array([0, 2, -1]), names, {"pro": names[:1], "neutral": names[1:2]}).tolist() == [0, -2, -1]
