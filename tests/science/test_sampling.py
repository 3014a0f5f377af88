"""Draws: known probabilities, no order dependence, nested, unbiased; allocation and who codes what."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlt.science import sampling

SIZES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 60), min_size=1)


@given(SIZES, st.integers(0, 200), st.sampled_from(["equal", "proportional"]), st.integers(0, 10))
@settings(max_examples=200, deadline=None)
def test_allocation_spends_all_and_never_more_than_there_is(
    sizes: dict[str, int], n: int, how: sampling.Allocation, least: int
) -> None:
    found = sampling.allocate(sizes, n, how, least)
    assert sum(found.values()) == min(n, sum(sizes.values()))
    assert all(0 <= found[name] <= size for name, size in sizes.items())
    if n >= least * len(sizes):
        assert all(found[name] >= min(least, size) for name, size in sizes.items())


def test_allocation_by_hand() -> None:
    assert sampling.allocate({"en": 900, "de": 90, "fr": 10}, 60) == {"en": 25, "de": 25, "fr": 10}
    assert sampling.allocate({"en": 900, "de": 90, "fr": 10}, 100, "proportional") == {"en": 90, "de": 9, "fr": 1}
    least = sampling.allocate({"en": 900, "de": 90, "fr": 10}, 100, "proportional", least=8)
    assert least["fr"] >= 8
    assert sum(least.values()) == 100


@given(st.integers(0, 1000), st.randoms())
@settings(max_examples=30, deadline=None)
def test_a_draw_depends_on_seed_and_keys_only_and_larger_ones_hold_smaller(seed: int, random: object) -> None:
    units = {f"t{at}": "ab"[at % 2] for at in range(80)}
    first = sampling.draw(units, {"a": 10, "b": 5}, seed)
    items = list(units.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert sampling.draw(dict(items), {"a": 10, "b": 5}, seed) == first
    larger = sampling.draw(units, {"a": 20, "b": 40}, seed)
    assert {unit.key for unit in first} <= {unit.key for unit in larger}
    assert Counter((unit.stratum, unit.probability) for unit in first) == {("a", 0.25): 10, ("b", 0.125): 5}
    assert [unit.position for unit in first] == list(range(1, 16))


def test_every_unit_is_drawn_as_often_as_its_probability_says() -> None:
    units = {f"t{at}": "a" if at < 20 else "b" for at in range(30)}
    seen: Counter[str] = Counter()
    early: Counter[str] = Counter()
    for seed in range(3000):
        drawn = sampling.draw(units, {"a": 5, "b": 5}, seed)
        seen.update(unit.key for unit in drawn)
        early.update(unit.stratum for unit in drawn if unit.position <= 4)
    shares = {key: count / 3000 for key, count in seen.items()}
    for key, stratum in units.items():
        assert shares[key] == pytest.approx(0.25 if stratum == "a" else 0.5, abs=0.045)
    assert early["a"] / early.total() == pytest.approx(0.5, abs=0.02), "no stratum comes first"


def test_weights_by_inclusion_probability_estimate_totals_without_bias() -> None:
    rng = np.random.default_rng(0)
    values = {f"t{at}": float(rng.random() < (0.7 if at % 4 else 0.1)) for at in range(400)}
    units = {key: "rare" if int(key[1:]) % 4 == 0 else "common" for key in values}
    means = []
    for seed in range(400):
        drawn = sampling.draw(units, {"rare": 40, "common": 20}, seed)
        means.append(sum(values[unit.key] / unit.probability for unit in drawn) / len(units))
    assert np.mean(means) == pytest.approx(np.mean(list(values.values())), abs=float(3 * np.std(means) / 20))


def test_coding_that_stops_early_keeps_known_probabilities() -> None:
    drawn = sampling.draw({f"t{at}": "ab"[at % 2] for at in range(100)}, {"a": 20, "b": 10}, 0)
    coded = {unit.key for unit in drawn if unit.position <= 15}
    found = sampling.coded_probabilities(drawn, coded)
    assert set(found) == coded
    per_stratum = {unit.stratum: found[unit.key] for unit in drawn if unit.key in coded}
    done = Counter(unit.stratum for unit in drawn if unit.key in coded)
    assert per_stratum == {stratum: pytest.approx(count / 50) for stratum, count in done.items()}


def test_bands() -> None:
    assert [sampling.band(each) for each in (0.26, 0.5, 0.89, 0.9, 1.0)] == [
        ".00-.50",
        ".50-.70",
        ".70-.90",
        ".90-1",
        ".90-1",
    ]


@given(st.integers(1, 120), st.integers(2, 5), st.floats(0, 1), st.integers(2, 3))
@settings(max_examples=100, deadline=None)
def test_overlap_is_as_planned_and_loads_are_even(n: int, people: int, overlap: float, voices: int) -> None:
    coders = [f"c{at}" for at in range(people)]
    drawn = sampling.draw({f"t{at}": "ab"[at % 2] for at in range(n)}, {"a": n, "b": n}, 0)
    if voices > people and overlap:
        with pytest.raises(ValueError, match="coders are needed"):
            sampling.assign(drawn, coders, overlap, 0, voices)
        return
    found = sampling.assign(drawn, coders, overlap, 0, voices)
    assert set(found) == {unit.key for unit in drawn}
    several = [who for who in found.values() if len(who) > 1]
    assert len(several) == round(overlap * n)
    assert all(len(set(who)) == voices for who in several)
    for kind in (several, [who for who in found.values() if len(who) == 1]):
        loads = Counter(coder for who in kind for coder in who)
        sizes = [loads[coder] for coder in coders]
        assert max(sizes) - min(sizes) <= voices


def test_every_two_coders_meet() -> None:
    drawn = sampling.draw({f"t{at}": "a" for at in range(60)}, {"a": 60}, 0)
    found = sampling.assign(drawn, ["a", "b", "c", "d"], 1.0, 0)
    assert len({frozenset(who) for who in found.values()}) == 6
