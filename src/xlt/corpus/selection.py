"""Which posts, in which order: an array of their row numbers, which outlives the connection that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from xlt.corpus import duck, filters
from xlt.corpus.dimensions import Key, dimension, value_of
from xlt.corpus.filters import Filter
from xlt.corpus.labelled import Run, corpus_columns, define_posts
from xlt.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from duckdb import DuckDBPyConnection

Order = Literal["corpus", "date", "language", "label", "confidence", "length", "reposts", "likes"]
ORDERS: dict[Order, str] = {
    "corpus": "number",
    "date": "created_at",
    "language": "language",
    "label": "label",
    "confidence": "confidence",
    "length": "length(text)",
    "reposts": "reposts",
    "likes": "likes",
}
Numbers: TypeAlias = "range | npt.NDArray[np.uint32]"
"""Row numbers of posts: 4 bytes each, or a range where they have no holes."""
_BATCH = 1_000_000
_OF_RUN = ("label", "confidence")


@dataclass(frozen=True)
class Wanted:
    """Which posts, and in which order."""

    filter: Filter = field(default_factory=Filter)
    cell: tuple[tuple[str, Key], ...] = ()
    """The row of a breakdown that they stand behind: what it is by, and its value there."""
    labels: tuple[str, ...] = ()
    """Only posts that the run gave one of these; none: posts without a label too."""
    order: Order = "corpus"
    descending: bool = False


def select(con: DuckDBPyConnection, wanted: Wanted, run: Run | None) -> Numbers:
    """The row numbers of the posts that are wanted. Raises UsageError for a filter that is none."""
    import duckdb

    if wanted == Wanted(order=wanted.order, descending=wanted.descending) and wanted.order == "corpus":
        rows, last = con.execute("SELECT count(*), coalesce(max(rowid), -1) FROM tweets").fetchall()[0]
        if rows == last + 1:
            return range(rows - 1, -1, -1) if wanted.descending else range(rows)
    where, params = _where(con, wanted, run)
    query = f"SELECT number::UINTEGER AS number FROM {_source(con, wanted, run)}{where}"
    with duck.sentences("The posts can't be selected", "ask for fewer, or for another order"):
        try:
            return _numbers(con, query, params, wanted)
        except (duckdb.BinderException, duckdb.ParserException, duckdb.ConversionException) as error:
            if not wanted.filter.where:
                raise
            raise UsageError(f"{wanted.filter.where!r} is no condition on posts: {duck.sentence(error)}.") from None


def holding(con: DuckDBPyConnection, numbers: Numbers, words: str) -> npt.NDArray[np.uint32]:
    """The places in `numbers` of the posts whose text holds `words`, in any case; in order."""
    import numpy as np

    text = filters.holds("text", "$words")
    with duck.sentences("The posts can't be searched", "look for something else"):
        found = _numbers(con, f"SELECT rowid::UINTEGER FROM tweets WHERE {text}", {"words": words}, None)
    if len(numbers) == 0 or len(found) == 0:
        return np.empty(0, np.uint32)
    if isinstance(numbers, range):
        # All posts: at 10 million of them what follows takes 130 MB.
        places = found if numbers.step > 0 else np.uint32(numbers.start) - found
        places.sort()
        return cast("npt.NDArray[np.uint32]", places)
    mine = as_array(numbers)
    marks = np.zeros(max(int(mine.max()), int(found.max())) + 1, np.bool_)
    marks[found] = True
    return np.flatnonzero(marks[mine]).astype(np.uint32)


def _source(con: DuckDBPyConnection, wanted: Wanted, run: Run | None) -> str:
    """All posts; with the run's predictions only when they are asked for, since joining them costs most."""
    asked = wanted.filter
    bounds = asked.least is not None or asked.most is not None
    if run and (wanted.labels or bounds or asked.where or wanted.cell or wanted.order in _OF_RUN):
        define_posts(con, run.id)
        return "posts"
    return "(SELECT rowid AS number, *, coalesce(lang, lang_tag, 'und') AS language FROM tweets)"


def _where(con: DuckDBPyConnection, wanted: Wanted, run: Run | None) -> tuple[str, dict[str, Any]]:
    columns = corpus_columns([run] if run else [])
    filters.check(con, columns, wanted.filter)
    found, params = filters.conditions(columns, wanted.filter)
    if wanted.labels:
        # Written out: of a list that comes as a parameter DuckDB does not see that posts without a label are out.
        found.append(f"label IN ({', '.join(duck.text(label) for label in wanted.labels)})")
    for position, (name, key) in enumerate(wanted.cell):
        of = dimension(name, columns, wanted.filter.zone)
        found.append(f"({of.sql}) IS NOT DISTINCT FROM $cell{position}")
        params[f"cell{position}"] = value_of(key, of)
    return (" WHERE " + " AND ".join(found) if found else ""), params


def _numbers(
    con: DuckDBPyConnection, query: str, params: dict[str, Any], wanted: Wanted | None
) -> npt.NDArray[np.uint32]:
    import numpy as np

    if wanted is not None:
        way = "DESC" if wanted.descending else "ASC"
        by = ORDERS[wanted.order]
        # Every order ends in the row number, so that it is the same every time.
        query += f" ORDER BY number {way}" if by == "number" else f" ORDER BY {by} {way} NULLS LAST, number"
    rows = con.execute("SELECT count(*) FROM tweets").fetchall()
    # As many as there can be: memory that is not written to takes none, and joining parts would take it twice.
    found = np.empty(int(rows[0][0]), np.uint32)
    end = 0
    reader = con.sql(query, params=params).to_arrow_reader(_BATCH)
    try:
        for batch in reader:
            found[end : end + batch.num_rows] = batch.column(0).to_numpy()
            end += batch.num_rows
    finally:
        reader.close()
    return found[:end]


def as_array(numbers: Numbers) -> npt.NDArray[np.uint32]:
    """The row numbers as an array."""
    import numpy as np

    if isinstance(numbers, range):
        return np.arange(numbers.start, numbers.stop, numbers.step).astype(np.uint32)
    return numbers


def reversed_order(wanted: Wanted, order: Order) -> Wanted:
    """The same posts by another order; by the same one, the other way round."""
    return replace(wanted, order=order, descending=not wanted.descending if wanted.order == order else False)


def part(numbers: Numbers, first: int, last: int) -> Sequence[int]:
    """Some of the row numbers as whole numbers of Python."""
    found = numbers[first:last]
    return list(found) if isinstance(found, range) else [int(each) for each in found]
