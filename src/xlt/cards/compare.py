"""Two models side by side: the figures that both cards give for the same texts."""

from __future__ import annotations

from dataclasses import dataclass

from xlt.cards.card import Card


@dataclass(frozen=True)
class Pair:
    """One figure of two models."""

    data: str
    metric: str
    language: str
    """Empty for all languages together."""
    n: int
    first: float
    second: float


def pairs(first: Card, second: Card) -> list[Pair]:
    """Figures on the same data set with as many texts, in the order of the first card; none when there are none."""

    def own(card: Card) -> dict[tuple[str, str, str, int], float]:
        return {(each.data, each.metric, each.language, each.n): each.value for each in card.scores if not each.of}

    others = own(second)
    return [
        Pair(data, metric, language, n, value, others[data, metric, language, n])
        for (data, metric, language, n), value in own(first).items()
        if (data, metric, language, n) in others
    ]
