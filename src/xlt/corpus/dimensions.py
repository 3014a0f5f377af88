"""What a breakdown can be by: languages, periods of time in a time zone, any column; empty periods are filled in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, cast, get_args

from xlt.corpus import duck
from xlt.errors import UsageError
from xlt.languages import OLD_CODES, UNDETERMINED

Period = Literal["day", "week", "month", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)
UTC = "UTC"
# Beyond this, rows of nothing hide what there is.
MOST_FILLED = 100_000

Key = str | None
"""A value of a dimension as people read it; None where the tweets have none."""
Cell = tuple[Any, ...]
"""A value for each dimension as SQL gives it: texts, and dates for the starts of periods."""


@dataclass(frozen=True)
class Columns:
    """Where a source keeps what a breakdown asks for: SQL expressions, None for what it has not."""

    label: str
    order: str
    """What tells an author's posts apart, for `--author-cap`."""
    text: str | None = None
    """What two posts of one text share."""
    body: str | None = None
    """The text itself."""
    confidence: str | None = None
    """The probability of the label."""
    lang: str | None = None
    author: str | None = None
    created_at: str | None = None
    """A TIMESTAMP in UTC."""
    repost: str | None = None
    """Whether the post repeats another one."""
    named: tuple[tuple[str, str], ...] = ()
    """Every other dimension: name → SQL."""


@dataclass(frozen=True)
class Dimension:
    """One part of `--by`."""

    name: str
    sql: str
    period: Period | None = None


def language_sql(expression: str) -> str:
    """SQL for `languages.canonical` of a tag."""
    short = f"lower(regexp_extract(trim({expression}::VARCHAR), '^[A-Za-z]*'))"
    unknown = ", ".join(duck.text(tag) for tag in sorted(UNDETERMINED))
    old = " ".join(f"WHEN {duck.text(tag)} THEN {duck.text(code)}" for tag, code in OLD_CODES.items())
    return (
        f"(CASE WHEN {short} IS NULL OR {short} IN ({unknown}) THEN 'und' ELSE CASE {short} {old} ELSE {short} END END)"
    )


def dimension(name: str, columns: Columns, zone: str) -> Dimension:
    """The dimension of this name. Raises UsageError for one that the source has not."""
    folded = name.strip().casefold()
    if folded in ("lang", "language"):
        if columns.lang is None:
            raise UsageError("--by lang needs a column with the language; name it with --lang-column.")
        return Dimension("lang", columns.lang)
    if folded in PERIODS:
        if columns.created_at is None:
            raise UsageError(f"--by {folded} needs a column with the date; name it with --date-column.")
        return Dimension(folded, f"date_trunc('{folded}', {local_time(columns, zone)})::DATE", folded)
    known = {each.casefold(): (each, sql) for each, sql in reversed(columns.named)}
    if folded not in known:
        names = ["lang", *PERIODS, *(each for each, _ in columns.named if each not in ("lang", "language"))]
        raise UsageError(f"--by {name}: there is no such column; there are {', '.join(dict.fromkeys(names))}.")
    return Dimension(known[folded][0], f"{known[folded][1]}::VARCHAR")


def local_time(columns: Columns, zone: str) -> str:
    """SQL of a post's time as clocks in `zone` show it."""
    if zone == UTC:
        return str(columns.created_at)
    return f"timezone({duck.text(zone)}, timezone('UTC', {columns.created_at}))"


def shown(value: Any, dimension: Dimension) -> Key:
    """A key as people read it: periods as 2026-11-20, 2026-W47 (ISO weeks), 2026-11 and 2026."""
    if value is None:
        return None
    if dimension.period is None:
        return str(value)
    return _period_name(value, dimension.period)


def _period_name(start: date, period: Period) -> str:
    if period == "week":
        year, week, _ = start.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return start.isoformat()[: {"day": 10, "month": 7, "year": 4}[period]]


def value_of(key: Key, dimension: Dimension) -> Any:
    """What SQL gives for a key that `shown` made."""
    if key is None or dimension.period is None:
        return key
    if dimension.period == "week":
        return date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
    return date.fromisoformat(key + {"day": "", "month": "-01", "year": "-01-01"}[dimension.period])


def filled(dimensions: Sequence[Dimension], keys: Sequence[Cell]) -> tuple[list[Cell], bool]:
    """The keys with every empty period between the first and the last of all, for each value of the others.

    In order: periods by time, everything else as it came; keys without a date stay at the end of their group. The
    second value is False when periods may be missing: with two kinds of periods, or beyond `MOST_FILLED` rows.
    """
    times = [position for position, each in enumerate(dimensions) if each.period]
    if not times:
        return list(keys), True
    at = times[0]
    period = dimensions[at].period
    starts = [cast("date", key[at]) for key in keys if key[at] is not None]
    if not starts or period is None:
        return list(keys), True
    others = list(dict.fromkeys((*key[:at], *key[at + 1 :]) for key in keys))
    first, last = min(starts), max(starts)
    about = (last - first).days // {"day": 1, "week": 7, "month": 28, "year": 365}[period] + 1
    if len(times) > 1 or about * len(others) > MOST_FILLED:
        return list(keys), False
    spans = list(_periods(first, last, period))
    undated = {(*key[:at], *key[at + 1 :]) for key in keys if key[at] is None}

    def with_undated(other: Cell) -> list[Cell]:
        return [(*other[:at], None, *other[at:])] if other in undated else []

    if at == 0:
        rows = [(start, *other) for start, other in itertools.product(spans, others)]
        return rows + [key for other in others for key in with_undated(other)], True
    rows = []
    for other in others:
        rows += [(*other[:at], start, *other[at:]) for start in spans] + with_undated(other)
    return rows, True


def _periods(first: date, last: date, period: Period) -> Iterator[date]:
    """Both ends included; nothing beyond `last` is computed, which may be the calendar's end."""
    current = first
    while True:
        yield current
        if current >= last:
            return
        if period in ("day", "week"):
            current += timedelta(days=1 if period == "day" else 7)
        elif period == "month":
            current = date(current.year + current.month // 12, current.month % 12 + 1, 1)
        else:
            current = date(current.year + 1, 1, 1)
