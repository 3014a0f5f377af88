"""Which posts are asked for, as SQL: the one place where a filter becomes a condition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from xlt.corpus.dimensions import UTC, Columns, local_time
from xlt.errors import UsageError
from xlt.languages import canonical

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which posts; what is not given leaves none out."""

    zone: str = UTC
    """The time zone of `since` and `until`."""
    langs: tuple[str, ...] = ()
    since: date | None = None
    """The first day."""
    until: date | None = None
    """The last day."""
    contains: str | None = None
    """What the text holds, in any case."""
    least: float | None = None
    """The lowest probability of the label that counts, 0 to 1."""
    most: float | None = None
    """The highest."""
    where: str | None = None
    """Any SQL condition."""
    originals_only: bool = False
    exclude_authors: tuple[str, ...] = ()


def check(con: DuckDBPyConnection, columns: Columns, wanted: Filter) -> None:
    """Raise UsageError for a filter on something that the source has not, or a time zone that there is not."""
    needs = {
        "--langs needs a column with the language; name it with --lang-column.": (wanted.langs, columns.lang),
        "--since and --until need a column with the date; name it with --date-column.": (
            wanted.since or wanted.until,
            columns.created_at,
        ),
        "--contains needs a column with the text; name it with --text-column.": (wanted.contains, columns.body),
        "--min-confidence and --max-confidence need a column `confidence`.": (
            wanted.least is not None or wanted.most is not None,
            columns.confidence,
        ),
        "--originals-only needs a column that says what a post repeats, or a column with the text.": (
            wanted.originals_only,
            columns.repost,
        ),
    }
    for sentence, (asked, there) in needs.items():
        if asked and there is None:
            raise UsageError(sentence)
    if not con.execute("SELECT 1 FROM pg_timezone_names() WHERE name = ? LIMIT 1", [wanted.zone]).fetchall():
        raise UsageError(f"--tz {wanted.zone}: there is no such time zone; write one such as UTC or Europe/Berlin.")


def conditions(columns: Columns, wanted: Filter) -> tuple[list[str], dict[str, Any]]:
    """SQL conditions, all of which must hold, and the values of their parameters."""
    found: list[str] = []
    params: dict[str, Any] = {}
    if wanted.langs:
        found.append(f"{columns.lang} IN (SELECT unnest($langs::VARCHAR[]))")
        params["langs"] = [canonical(lang) for lang in wanted.langs]
    if wanted.since or wanted.until:
        time = local_time(columns, wanted.zone)
        if wanted.since:
            found.append(f"{time} >= $since::TIMESTAMP")
            params["since"] = wanted.since.isoformat()
        if wanted.until:
            found.append(f"{time} < $until::TIMESTAMP + INTERVAL 1 DAY")
            params["until"] = wanted.until.isoformat()
    if wanted.contains:
        found.append(holds(str(columns.body), "$contains"))
        params["contains"] = wanted.contains
    for sign, bound, name in ((">=", wanted.least, "least"), ("<=", wanted.most, "most")):
        if bound is not None:
            # As FLOAT, as it is kept: 0.6 as DOUBLE is another number.
            found.append(f"{columns.confidence} {sign} ${name}::FLOAT")
            params[name] = bound
    if wanted.originals_only:
        found.append(f"NOT {columns.repost}")
    if wanted.exclude_authors:
        found.append(f"({columns.author} IS NULL OR {columns.author} NOT IN (SELECT unnest($excluded::VARCHAR[])))")
        params["excluded"] = list(wanted.exclude_authors)
    if wanted.where:
        found.append(f"({wanted.where}\n)")
    return found, params


def holds(text: str, words: str) -> str:
    """SQL: whether a text holds some words, in any case. A third of the time that lower() on both sides takes."""
    return f"regexp_matches({text}, regexp_escape({words}), 'i')"
