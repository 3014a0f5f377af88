"""What xlt knows about a model: its card, where its files lie, and the hash of what made it."""

from __future__ import annotations

from dataclasses import dataclass, field

from xlt.cards.files import ModelFiles

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Score:
    """One measured figure, with what it was measured on."""

    metric: str
    """Such as `accuracy`, `macro-F1`, `topic macro-F1`."""
    value: float
    data: str
    """The data set, such as `immigration/test.csv`; also what a baseline's figure was measured on."""
    n: int
    """Labelled texts behind it."""
    language: str = ""
    """ISO 639-1; empty for all languages together."""
    low: float | None = None
    high: float | None = None
    """95 % interval."""
    of: str = ""
    """What was measured when it is not this model: a baseline such as `always unrelated`."""


@dataclass(frozen=True)
class Card:
    """A model's `card.toml`. Built-in cards of hub models have no weights beside them, only `hub`."""

    name: str
    title: str
    description: str
    task: str | None = None
    """The task that it was tuned for; None for a base model."""
    languages: tuple[str, ...] = ()
    """Languages with labels in its fine-tuning set ("seen"); empty for a base model."""
    base: str | None = None
    licence: str = ""
    parameters: int = 0
    hub: dict[str, str] = field(default_factory=dict)
    """Backend → hub repository, such as `{"torch": "org/model", "mlx": "mlx-community/model-4bit"}`."""
    gated: bool = False
    """Whether the hub asks for a licence to be accepted before it gives the `torch` repository."""
    shape: dict[str, Scalar] = field(default_factory=dict)
    """The entries of the hub's `config.json` that decide the size, for telling what fits before a download."""
    made: dict[str, Scalar] = field(default_factory=dict)
    """What made it: revision of the base, hash of the data, counts, seed, recipe, precision, library versions."""
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True)
class Model:
    """A model that was found and is complete."""

    files: ModelFiles
    card: Card | None
    hash: str
    """SHA-256 over config, tokenizer, weights and adapter, 16 hexadecimal digits."""

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.files.name
