"""Batches: every text once, within the budget, the same every time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from xlt.engine.batches import batches


@given(st.lists(st.integers(1, 600)), st.integers(1, 2000))
def test_every_text_once_and_within_the_budget(lengths: list[int], budget: int) -> None:
    found = batches(lengths, budget)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


@given(st.lists(st.integers(1, 60)), st.integers(60, 2000))
def test_no_batch_could_take_the_next_text(lengths: list[int], budget: int) -> None:
    found = batches(lengths, budget)
    for batch, following in pairwise(found):
        assert (len(batch) + 1) * lengths[following[0]] > budget


def test_texts_are_sorted_by_length_and_ties_keep_their_order() -> None:
    assert batches([5, 3, 5, 3, 1], 100) == [[4, 1, 3, 0, 2]]
