from __future__ import annotations

from xlt.cards.card import Card, Score
from xlt.cards.compare import Pair, pairs


def card(name: str, *scores: Score) -> Card:
    return Card(name, name, "", scores=scores)


def test_only_figures_of_the_same_texts_are_set_side_by_side() -> None:
    first = card(
        "a",
        Score("accuracy", 0.5, "test", 10),
        Score("accuracy", 0.4, "test", 4, "it"),
        Score("accuracy", 0.9, "other", 10),
        Score("accuracy", 0.3, "test", 10, of="always unrelated"),
    )
    second = card(
        "b",
        Score("accuracy", 0.6, "test", 10),
        Score("accuracy", 0.7, "test", 5, "it"),
        Score("accuracy", 0.9, "another", 10),
        Score("accuracy", 0.1, "test", 10, of="always unrelated"),
    )
    assert pairs(first, second) == [Pair("test", "accuracy", "", 10, 0.5, 0.6)]
    assert pairs(first, card("c")) == []
