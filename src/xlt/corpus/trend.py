"""How many posts of each row of a breakdown are on topic, period by period: what a small curve beside it shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.breakdown import Question
from xlt.corpus.dimensions import PERIODS, Key, Period, dimension, filled, shown
from xlt.corpus.filters import conditions
from xlt.corpus.labelled import Labelled

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# About how many days each is.
_DAYS: dict[Period, int] = {"day": 1, "week": 7, "month": 30, "year": 365}


@dataclass(frozen=True)
class Trend:
    """Counts over time."""

    period: Period
    periods: tuple[str, ...]
    counts: dict[Key, tuple[int, ...]]
    """Row of the breakdown → posts in each period."""


def trend(
    con: DuckDBPyConnection, source: Labelled, question: Question, labels: Collection[str], points: int = 12
) -> Trend | None:
    """Posts with one of `labels` by the first dimension of `question`, in the longest periods that give `points`.

    None where there is no date, or where the rows are periods already.
    """
    if source.columns.created_at is None or not question.by or question.by[0] in PERIODS:
        return None
    by = dimension(question.by[0], source.columns, question.zone)
    found, params = conditions(source.columns, question)
    found.append("label IN (SELECT unnest($labels::VARCHAR[]))")
    params["labels"] = list(labels)
    where = f"{source.relation} WHERE {' AND '.join(found)}"
    with duck.sentences("The trend can't be counted", "leave it out"):
        period = _period(con, where, params, points, str(source.columns.created_at))
        if period is None:
            return None
        over = dimension(period, source.columns, question.zone)
        query = f"SELECT {over.sql} AS period, {by.sql} AS key, count(*) FROM {where} AND {over.sql} IS NOT NULL"
        rows = con.execute(f"{query} GROUP BY ALL", params).fetchall()
    cells = {(row[0], row[1]): int(row[2]) for row in rows}
    starts = list(dict.fromkeys(cell[0] for cell in filled([over, by], list(cells))[0]))
    keys = dict.fromkeys(key for _, key in cells)
    counts = {shown(key, by): tuple(cells.get((start, key), 0) for start in starts) for key in keys}
    return Trend(period, tuple(str(shown(start, over)) for start in starts), counts)


def _period(con: DuckDBPyConnection, where: str, params: dict[str, object], points: int, time: str) -> Period | None:
    spans: Sequence[tuple[int | None]] = con.execute(
        f"SELECT date_diff('day', min({time}), max({time})) FROM {where}", params
    ).fetchall()
    days = spans[0][0]
    if days is None:
        return None
    return next((each for each in ("year", "month", "week") if days // _DAYS[each] >= points), "day")
