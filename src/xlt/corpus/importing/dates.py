"""Dates as platforms, spreadsheets and people write them, read as UTC; what can't be a date stays unread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from xlt.corpus.duck import text
from xlt.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Order = Literal["dmy", "mdy"]
# Apart from the rest: in one list DuckDB gives a row without a zone the zone of the row before it.
_ZONED = ("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z")
_SPELT = (
    "%a, %d %b %Y %H:%M:%S GMT",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y %H:%M",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y · %I:%M %p UTC",
    "%I:%M %p · %b %d, %Y",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f", ", %H:%M", ", %H:%M:%S")
_NUMERIC = r"^\s*(\d{1,2})[./-](\d{1,2})[./-]\d{4}\b"


def check_order(given: str | None) -> None:
    """Raise UsageError for an order of day and month that is none."""
    if given not in (None, "dmy", "mdy"):
        raise UsageError(f"--dates {given}: write dmy (31/12/2024) or mdy (12/31/2024).")


def to_sql(raw: str) -> str:
    """SQL of the time (TIMESTAMP, UTC) that a text means, or null. A time without zone counts as UTC."""
    digits = f"split_part({raw}, '.', 1)"
    scale = f"CASE length({digits}) WHEN 9 THEN 1000000 WHEN 10 THEN 1000000 WHEN 13 THEN 1000 WHEN 16 THEN 1 END"
    zoned, spelt = ("[" + ", ".join(text(each) for each in formats) + "]" for formats in (_ZONED, _SPELT))
    return f"""(CASE
        WHEN {raw} IS NULL THEN NULL
        WHEN {raw} LIKE '____-_%' THEN try_cast({raw} AS TIMESTAMPTZ)::TIMESTAMP
        WHEN regexp_full_match({raw}, '\\d{{8}}') THEN try_strptime({raw}, '%Y%m%d')::TIMESTAMP
        WHEN regexp_full_match({raw}, '\\d{{9,10}}(\\.\\d*)?|\\d{{13}}(\\.0*)?|\\d{{16}}(\\.0*)?')
            THEN make_timestamp((try_cast({raw} AS DECIMAL(26, 6)) * ({scale}))::BIGINT)
        WHEN regexp_full_match({raw}, '\\d{{19}}') THEN make_timestamp(try_cast({raw} AS BIGINT) // 1000)
        WHEN regexp_matches({raw}, '[A-Za-z]{{3}}')
            THEN coalesce(try_strptime({raw}, {zoned})::TIMESTAMP, try_strptime({raw}, {spelt})::TIMESTAMP)
    END)"""


def is_typed(kind: str | None) -> bool:
    """Whether a column of this DuckDB type holds times already."""
    return kind is not None and (kind.startswith("TIMESTAMP") or kind == "DATE")


def order_of(con: DuckDBPyConnection, table: str, column: str, given: str | None) -> Order | None:
    """How dates such as 03/04/2024 are meant in a column; None when there are none.

    Raises UsageError when nothing tells whether the day or the month comes first.
    """
    row = con.execute(
        f"SELECT count(*), count(*) FILTER (a > 12 AND b <= 12), count(*) FILTER (b > 12 AND a <= 12), first({column}) "
        f"FROM (SELECT {column}, regexp_extract({column}, {text(_NUMERIC)}, 1)::INTEGER AS a, "
        f"regexp_extract({column}, {text(_NUMERIC)}, 2)::INTEGER AS b FROM {table} "
        f"WHERE regexp_matches({column}, {text(_NUMERIC)}))"
    ).fetchone()
    count, day_first, month_first, example = row or (0, 0, 0, "")
    if not count:
        return None
    if given is not None:
        return "dmy" if given == "dmy" else "mdy"
    if bool(day_first) == bool(month_first):
        why = "both orders occur" if day_first else "nothing in the file tells"
        raise UsageError(
            f"Dates such as {example!r} can mean two days ({why}): say --dates dmy when the day comes first, or "
            "--dates mdy when the month does."
        )
    return "dmy" if day_first else "mdy"


def ordered_sql(raw: str, order: Order) -> str:
    """SQL of the time that a text such as `31.12.2024 23:59` means."""
    days = "%d/%m/%Y" if order == "dmy" else "%m/%d/%Y"
    formats = "[" + ", ".join(text(days + time) for time in _TIMES) + "]"
    slashed = f"regexp_replace({raw}, '^\\s*(\\d{{1,2}})[./-](\\d{{1,2}})[./-](\\d{{4}})', '\\1/\\2/\\3')"
    return f"try_strptime({slashed}, {formats})::TIMESTAMP"
