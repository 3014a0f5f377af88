"""The temperature in a card: what a model's scores are divided by so that its confidence is honest."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xlt.cards.card import Card, Scalar

UNCHANGED = 1.0
"""The temperature that changes nothing."""


@dataclass(frozen=True)
class Temperature:
    """One that was fitted, and on what. Entries of a card's `made`."""

    value: float
    texts: int
    """Labelled texts that it was fitted on."""
    data: str
    """Their hash."""
    task: str
    """The hash of the task whose labels they have: for other labels it says nothing."""

    def made(self) -> dict[str, Scalar]:
        """As entries of a card's `made`."""
        return {
            "temperature": self.value,
            "temperature_texts": self.texts,
            "temperature_data": self.data,
            "temperature_task": self.task,
        }


def temperature_of(card: Card | None, task: str) -> float:
    """The temperature that a card holds for the task of this hash; 1 where it holds none for it."""
    made = card.made if card else {}
    value = made.get("temperature")
    if made.get("temperature_task") != task or isinstance(value, bool) or not isinstance(value, int | float):
        return UNCHANGED
    return float(value) if value > 0 else UNCHANGED


def with_temperature(card: Card, found: Temperature) -> Card:
    """The card with this temperature in place of the one that it held."""
    others = {key: value for key, value in card.made.items() if not key.startswith("temperature")}
    return replace(card, made={**others, **found.made()})
