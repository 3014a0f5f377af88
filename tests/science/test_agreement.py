"""Agreement against published, hand-worked examples and scikit-learn; properties of alpha."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from xlt.science import agreement
from xlt.science.metrics import Ints


def table(*coders: str) -> Ints:
    """Coders' codings as strings, `.` for missing, as (units, coders)."""
    letters = sorted({letter for coder in coders for letter in coder} - {"."})
    return np.array([[letters.index(c) if c != "." else -1 for c in coder] for coder in coders]).T


# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), University of Pennsylvania: examples A, B and C.
A = table("0100000010", "1110010000")
B = table("aabbdcccedda", "babbbccceddd")
C = table("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def test_krippendorffs_own_examples() -> None:
    assert agreement.krippendorff(A, 2) == pytest.approx(0.095, abs=5e-4)
    assert agreement.krippendorff(B, 5) == pytest.approx(0.692, abs=5e-4)
    assert agreement.krippendorff(C, 5) == pytest.approx(0.743, abs=5e-4)


def test_cohens_own_example() -> None:
    # J. Cohen, A coefficient of agreement for nominal scales, Educ. Psychol. Meas. 20 (1960), table 1: 200 cases,
    # observed .70, expected .41, kappa .492.
    cells = {(0, 0): 88, (0, 1): 14, (0, 2): 18, (1, 0): 10, (1, 1): 40, (1, 2): 10, (2, 0): 2, (2, 1): 6, (2, 2): 12}
    ratings = np.array([pair for pair, count in cells.items() for _ in range(count)])
    (found,) = agreement.pairs(ratings, 3)
    assert found.agreement == pytest.approx(0.70)
    assert found.kappa == pytest.approx(0.492, abs=5e-4)
    assert found.kappa == pytest.approx(cohen_kappa_score(ratings[:, 0], ratings[:, 1]))


RATINGS = st.lists(st.tuples(*[st.integers(-1, 2)] * 3), min_size=1, max_size=30)


@given(RATINGS, st.randoms())
@settings(max_examples=80, deadline=None)
def test_order_of_units_coders_and_names_of_labels_do_not_matter(
    rows: list[tuple[int, int, int]], random: object
) -> None:
    ratings = np.array(rows)
    wanted = agreement.krippendorff(ratings, 3)
    shuffled = [*rows]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert agreement.krippendorff(np.array(shuffled)[:, ::-1], 3) == pytest.approx(wanted, nan_ok=True)
    renamed = np.where(ratings >= 0, (ratings + 1) % 3, -1)
    assert agreement.krippendorff(renamed, 3) == pytest.approx(wanted, nan_ok=True)
    assert math.isnan(wanted) or wanted <= 1


def test_one_label_one_unit_and_nothing() -> None:
    assert math.isnan(agreement.krippendorff(np.zeros((5, 2), np.int64), 2))
    assert math.isnan(agreement.krippendorff(np.empty((0, 2), np.int64), 2))
    assert agreement.krippendorff(np.array([[0, 1]]), 2) == 0.0
    assert agreement.agreement(np.empty((0, 2), np.int64), 2).units == 0
    perfect = agreement.agreement(np.array([[0, 0], [1, 1]] * 40), 2)
    assert (perfect.alpha, perfect.alpha_interval, perfect.agreement) == (1.0, None, 1.0)


def test_an_interval_from_fifty_units_on() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    ratings = np.stack([np.where(rng.random(400) < 0.8, truth, rng.integers(0, 3, 400)) for _ in range(2)], axis=1)
    assert agreement.agreement(ratings[:49], 3).alpha_interval is None
    found = agreement.agreement(ratings, 3)
    assert found.alpha_interval is not None
    low, high = found.alpha_interval
    assert low < found.alpha < high
    assert 0.08 < high - low < 0.2
    assert found.agreement == pytest.approx((ratings[:, 0] == ratings[:, 1]).mean())


def test_a_model_beside_people_on_the_same_units() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 300)

    def coder(right: float) -> Ints:
        return np.where(rng.random(300) < right, truth, rng.integers(0, 3, 300))

    ratings = np.stack([coder(0.9), coder(0.9), coder(0.9)], axis=1)
    ratings[200:, 2] = -1
    good = agreement.beside_model(ratings, truth, 3)
    bad = agreement.beside_model(ratings, coder(0.4), 3)
    assert [each.units for each in good] == [300, 300, 200]
    for each, worse in zip(good, bad, strict=True):
        assert each.with_model > each.with_people > worse.with_model
    assert agreement.beside_model(ratings[:, :1], truth, 3) == []


def test_rows_become_ratings() -> None:
    units, coders, ratings = agreement.as_ratings([("u2", "b", 1), ("u1", "a", 0), ("u2", "a", 2), ("u2", "b", 0)])
    assert (units, coders) == (["u1", "u2"], ["a", "b"])
    assert ratings.tolist() == [[0, -1], [2, 0]]
