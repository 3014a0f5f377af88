"""The filter of Breakdown and Posts: its dialog, its words, and how it is kept."""

from __future__ import annotations

from datetime import date
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from xlt.corpus.filters import Filter
from xlt.languages import NAMES, canonical, name
from xlt.tui.box import Box

_KEPT = ("langs", "since", "until", "contains", "least", "most")
_FIELDS = (
    ("langs", "languages", "all; codes or names: en, de, Turkish"),
    ("since", "from", "2024-01-31, 2024-01 or 2024"),
    ("until", "to", "the last day"),
    ("contains", "text", "what the text holds, in any case"),
    ("least", "confidence from", "0 to 1"),
    ("most", "confidence to", "0 to 1; below .6 to check by hand"),
)


def kept(wanted: Filter) -> dict[str, Any]:
    """A filter as JSON."""
    found = {name: getattr(wanted, name) for name in _KEPT}
    return {name: each.isoformat() if isinstance(each, date) else each for name, each in found.items() if each}


def remembered(state: Any) -> Filter:
    """The filter that `kept` gave; none when that is damaged."""
    try:
        values = {name: state[name] for name in _KEPT if name in state}
        for day in ("since", "until"):
            if day in values:
                values[day] = date.fromisoformat(values[day])
        return Filter(**{**values, "langs": tuple(values.get("langs", ()))})
    except (TypeError, ValueError, KeyError):
        return Filter()


def languages_words(wanted: Filter) -> str:
    """Which languages."""
    return ", ".join(name(lang) for lang in wanted.langs) or "all languages"


def dates_words(wanted: Filter) -> str:
    """Which days."""
    if wanted.since and wanted.until:
        return f"{wanted.since} to {wanted.until}"
    return f"from {wanted.since}" if wanted.since else f"to {wanted.until}" if wanted.until else "all dates"


def text_words(wanted: Filter) -> str:
    """Which texts."""
    return f"text “{wanted.contains}”" if wanted.contains else "all text"


def confidence_words(wanted: Filter) -> str:
    """Which confidence."""
    low = "" if wanted.least is None else f"{wanted.least:g}"
    high = "" if wanted.most is None else f"{wanted.most:g}"
    return f"confidence {low or '0'} to {high or '1'}" if low or high else "confidence"


def words(wanted: Filter) -> str:
    """The filter as a person says it; empty when it leaves nothing out."""
    none = Filter()
    parts = [each(wanted) for each in (languages_words, dates_words, text_words, confidence_words)]
    nothing = [each(none) for each in (languages_words, dates_words, text_words, confidence_words)]
    return " · ".join(part for part, empty in zip(parts, nothing, strict=True) if part != empty)


class FilterScreen(Box[Filter | None]):
    """Say which posts; None when the user leaves."""

    def __init__(self, now: Filter, focus: str = "langs") -> None:
        super().__init__()
        self._now, self._focus = now, focus

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(Content("Which posts"), classes="title")
            for field, title, hint in _FIELDS:
                with Horizontal(classes="field"):
                    yield Static(Content(title), classes="label")
                    yield Input(_written(getattr(self._now, field)), placeholder=hint, id=field, compact=True)
            yield Static("", id="wrong")
            with Horizontal(classes="buttons"):
                yield Button("Filter", id="go", compact=True)
                yield Button("All posts", id="all", compact=True)

    def on_mount(self) -> None:
        self.query_one(f"#{self._focus}", Input).focus()

    @on(Button.Pressed, "#all")
    def _all(self) -> None:
        self.dismiss(Filter())

    @on(Button.Pressed, "#go")
    @on(Input.Submitted)
    def _go(self) -> None:
        given = {field: self.query_one(f"#{field}", Input).value.strip() for field, _, _ in _FIELDS}
        try:
            self.dismiss(read(given))
        except ValueError as error:
            self.query_one("#wrong", Static).update(Content(str(error)))


def codes_of(given: str) -> tuple[str, ...]:
    """Languages that were written as codes or English names, with commas between. Raises ValueError."""
    codes = {title.casefold(): code for code, title in NAMES.items()}
    langs = []
    for part in (each.strip() for each in given.split(",")):
        code = codes.get(part.casefold(), canonical(part))
        if part and part.casefold() not in codes and not (len(part) <= 3 and part.isascii() and part.isalpha()):
            raise ValueError(f"{part} is no language: write a code such as de, or an English name such as German.")
        langs += [code] if part else []
    return tuple(langs)


def read(given: dict[str, str]) -> Filter:
    """A filter from what was written into the fields. Raises ValueError with a sentence."""
    langs = codes_of(given["langs"])
    least, most = (_probability(given[field], title) for field, title, _ in _FIELDS[4:])
    if least is not None and most is not None and least > most:
        raise ValueError("The confidence goes from the lower to the higher number.")
    since, until = _day(given["since"], last=False), _day(given["until"], last=True)
    if since and until and since > until:
        raise ValueError("The dates go from the earlier to the later day.")
    return Filter(
        langs=tuple(dict.fromkeys(langs)),
        since=since,
        until=until,
        contains=given["contains"] or None,
        least=least,
        most=most,
    )


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


def _probability(given: str, title: str) -> float | None:
    if not given:
        return None
    try:
        value = float(given.replace(",", ".").removesuffix("%"))
    except ValueError:
        raise ValueError(f"{title}: {given} is no number between 0 and 1.") from None
    value = value / 100 if given.endswith("%") else value
    if not 0 <= value <= 1:
        raise ValueError(f"{title}: {given} is no number between 0 and 1.")
    return value


def _day(given: str, last: bool) -> date | None:
    """A day, or the first or last one of a month or year."""
    if not given:
        return None
    parts = given.split("-")
    try:
        numbers = [int(part) for part in parts]
        if len(numbers) == 3:
            return date(*numbers)
        year, month = numbers[0], numbers[1] if len(numbers) == 2 else (12 if last else 1)
        if not last:
            return date(year, month, 1)
        return date.fromordinal((date(year + month // 12, month % 12 + 1, 1)).toordinal() - 1)
    except (ValueError, IndexError, TypeError):
        raise ValueError(f"{given} is no day: write 2024-01-31, 2024-01 or 2024.") from None
