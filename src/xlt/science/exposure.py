"""How much of a language a model read when it was tuned, against what it read before (pre-training exposure).

The shares of languages in pre-training are known for few models and totals only roughly, so every fraction here is a
range: the lowest from the larger total, the highest from the smaller one and all epochs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from xlt.errors import UsageError, XltError

BUILTIN = Path(__file__).with_name("pretraining.toml")
UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages that are written without spaces between words."""


@dataclass(frozen=True)
class Pretraining:
    """What is known of a base model's pre-training text."""

    name: str
    source: str
    note: str
    shares: Mapping[str, float]
    """Language → percent of all tokens."""
    floor: float
    """A language that `shares` lacks has less than this, percent."""
    low: float
    """Tokens in all, the lowest figure that may be meant."""
    high: float
    tokens_source: str

    def of_tokens(self, low: float, high: float) -> Pretraining:
        """The same shares of another total. Raises UsageError unless 0 < low <= high."""
        if not 0 < low <= high < float("inf"):
            raise UsageError("A total of pre-training tokens is a number above 0, such as 9e12, or two, lower first.")
        return replace(self, low=low, high=high, tokens_source="as given")


@dataclass(frozen=True)
class Counted:
    """Texts of one language that a model is tuned on."""

    language: str
    texts: int
    words: int
    """Runs of characters between spaces; 0 for a language that puts none between words."""
    bytes: int
    """In UTF-8."""
    tokens: int
    """Of the texts alone, each counted once; instruction and answer are the same in all languages."""


@dataclass(frozen=True)
class Exposure:
    """One language's tuning tokens beside its pre-training tokens."""

    counted: Counted
    share: float | None
    """Percent of the pre-training text; None when it is below what the table lists."""
    of_language: tuple[float, float | None]
    """Tuning tokens per pre-training token of the language, lowest and highest; no highest when `share` is None."""
    of_all: tuple[float, float]
    """Tuning tokens per pre-training token of all languages."""
    tokens_read: float
    """Tuning tokens with every epoch counted."""

    @property
    def tokens_per_word(self) -> float | None:
        """Fertility (Rust et al. 2021); None where words are not separated by spaces."""
        return self.counted.tokens / self.counted.words if self.counted.words else None

    @property
    def bytes_per_token(self) -> float | None:
        """UTF-8 bytes that a token stands for."""
        return self.counted.bytes / self.counted.tokens if self.counted.tokens else None


def count(language: str, texts: Iterable[str], tokens: Iterable[int]) -> Counted:
    """Count texts and their numbers of tokens, which run in step. Raises ValueError when they don't."""
    number = words = size = total = 0
    for text, length in zip(texts, tokens, strict=True):
        number += 1
        words += 0 if language in UNSPACED else len(text.split())
        size += len(text.encode("utf-8", "replace"))
        total += length
    return Counted(language, number, words, size, total)


def exposure(counted: Counted, pretraining: Pretraining, epochs: float = 1.0) -> Exposure:
    """Set one language's tuning tokens against pre-training; the highest figure counts every epoch."""
    once, repeated = counted.tokens, counted.tokens * max(1.0, epochs)
    share = pretraining.shares.get(counted.language)
    listed = (share if share is not None else pretraining.floor) / 100
    return Exposure(
        counted,
        share,
        (once / (pretraining.high * listed), repeated / (pretraining.low * listed) if share is not None else None),
        (once / pretraining.high, repeated / pretraining.low),
        repeated,
    )


def load_pretraining(path: Path | None = None) -> Pretraining:
    """The built-in table (Llama 2's), or a user's own in the same form. Raises XltError."""
    path = path or BUILTIN
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        found = Pretraining(
            name=str(table["name"]),
            source=str(table["source"]),
            note=str(table.get("note", "")),
            shares={str(language): float(share) for language, share in table["shares"].items()},
            floor=float(table["floor"]),
            low=float(table["tokens"]["low"]),
            high=float(table["tokens"]["high"]),
            tokens_source=str(table["tokens"]["source"]),
        )
    except OSError as error:
        raise XltError(f"The pre-training table {path} can't be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise XltError(f"The pre-training table {path} is no TOML: {error}.") from None
    except KeyError as error:
        raise XltError(
            f"The pre-training table {path} lacks {error.args[0]!r}; {BUILTIN.name} shows the form."
        ) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise XltError(f"The pre-training table {path} holds something that is no number: {error}.") from None
    shares = found.shares.values()
    if not (0 < found.low <= found.high and found.floor > 0 and min(shares, default=1) > 0 and sum(shares) <= 100.5):
        raise XltError(
            f"The pre-training table {path} can't be right: shares are percentages above 0 that sum to 100 at most, "
            "and 0 < low <= high."
        )
    return found
