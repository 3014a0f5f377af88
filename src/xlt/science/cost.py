"""What a million tweets cost on one's own machine, and what a hosted model would charge for the same prompts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xlt.errors import UsageError, XltError

BUILTIN = Path(__file__).with_name("hosted.toml")
HOURS_A_YEAR = 365.25 * 24
MILLION = 1_000_000


def hours(tweets_per_second: float) -> float:
    """Hours that a million tweets take."""
    return MILLION / tweets_per_second / 3600


@dataclass(frozen=True)
class Machine:
    """What an hour of the machine costs, in US dollars; what is not known is 0."""

    hourly: float = 0.0
    """Rent."""
    watts: float = 0.0
    """Drawn while it classifies."""
    kwh_price: float = 0.0
    price: float = 0.0
    """Of buying it."""
    years: float = 0.0
    """Over which the price is spread, as if it worked all the time."""

    def __post_init__(self) -> None:
        """Raises UsageError for half of a pair, or a number below 0."""
        if min(self.hourly, self.watts, self.kwh_price, self.price, self.years) < 0:
            raise UsageError("Prices, watts and years must be 0 or more.")
        if (self.watts > 0) != (self.kwh_price > 0):
            raise UsageError("Electricity needs both --watts and --kwh-price.")
        if (self.price > 0) != (self.years > 0):
            raise UsageError("The machine's price needs both --price and --years.")

    @property
    def known(self) -> bool:
        """Whether there is anything to reckon with."""
        return self.per_hour > 0

    @property
    def per_hour(self) -> float:
        """US dollars."""
        return sum(self.parts.values())

    @property
    def parts(self) -> dict[str, float]:
        """What an hour is made of, US dollars: rent, electricity, the machine's own price; what is not known is 0."""
        bought = self.price / (self.years * HOURS_A_YEAR) if self.years else 0.0
        return {"rent": self.hourly, "electricity": self.watts / 1000 * self.kwh_price, "machine": bought}

    def per_million(self, tweets_per_second: float) -> float:
        """US dollars for a million tweets at this rate."""
        return self.per_hour * hours(tweets_per_second)

    def kwh(self, tweets_per_second: float) -> float:
        """Kilowatt hours for a million tweets at this rate."""
        return self.watts / 1000 * hours(tweets_per_second)


@dataclass(frozen=True)
class Hosted:
    """A hosted model's price, US dollars per million tokens."""

    name: str
    input: float
    output: float
    announced: str
    """ISO date of the announcement."""
    source: str

    def per_million(self, tokens_in: float, tokens_out: float) -> float:
        """US dollars for a million requests of so many tokens each."""
        return tokens_in * self.input + tokens_out * self.output


def load_hosted(path: Path | None = None) -> tuple[Hosted, ...]:
    """The built-in prices, or a user's own in the same form. Raises XltError."""
    path = path or BUILTIN
    try:
        rows: Sequence[dict[str, object]] = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
        found = tuple(
            Hosted(
                str(row["name"]),
                float(str(row["input"])),
                float(str(row["output"])),
                str(row["announced"]),
                str(row["source"]),
            )
            for row in rows
        )
    except OSError as error:
        raise XltError(f"The price table {path} can't be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise XltError(f"The price table {path} is no TOML: {error}.") from None
    except KeyError as error:
        raise XltError(
            f"The price table {path} lacks {error.args[0]!r}; a price has name, input, output, announced and source."
        ) from None
    except (TypeError, ValueError) as error:
        raise XltError(f"The price table {path} holds something that is no price: {error}.") from None
    if any(model.input < 0 or model.output < 0 for model in found):
        raise XltError(f"The price table {path} holds a price below 0.")
    return found
