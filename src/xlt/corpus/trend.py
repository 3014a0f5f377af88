"""How many posts of each row of a breakdown are on topic, period by period: what a small curve beside it shows."""

from __future__ import annotations

from collections.abc import Collection
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
    by, day = (dimension(name, source.columns, question.zone) for name in (question.by[0], "day"))
    found, params = conditions(source.columns, question)
    found.append("label IN (SELECT unnest($labels::VARCHAR[]))")
    params["labels"] = list(labels)
    with duck.sentences("The trend can't be counted", "leave it out"):
        # By day: to find out first how long a period must be would read all posts twice.
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE days AS SELECT {by.sql} AS key, {day.sql} AS day, count(*) AS n FROM "
            f"{source.relation} WHERE {' AND '.join(found)} GROUP BY ALL",
            params,
        )
        period = _period(con, points)
        if period is None:
            return None
        over = dimension(period, source.columns, question.zone)
        rows = con.execute(
            f"SELECT date_trunc('{period}', day)::DATE AS start, key, sum(n)::BIGINT FROM days WHERE day IS NOT NULL "
            "GROUP BY ALL"
        ).fetchall()
    cells = {(row[0], row[1]): int(row[2]) for row in rows}
    starts = list(dict.fromkeys(cell[0] for cell in filled([over, by], list(cells))[0]))
    keys = dict.fromkeys(key for _, key in cells)
    counts = {shown(key, by): tuple(cells.get((start, key), 0) for start in starts) for key in keys}
    return Trend(period, tuple(str(shown(start, over)) for start in starts), counts)


def _period(con: DuckDBPyConnection, points: int) -> Period | None:
    row = con.execute("SELECT date_diff('day', min(day), max(day)) FROM days").fetchone()
    days = row[0] if row else None
    if days is None:
        return None
    return next((each for each in ("year", "month", "week") if days // _DAYS[each] >= points), "day")
