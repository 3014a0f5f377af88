"""One statement asked of an open corpus: its first rows as Arrow, and how many there are in all."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xlt.corpus import duck
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

LIMIT = 10_000


@dataclass(frozen=True)
class Answer:
    """What a statement gave."""

    sql: str
    """The statement as it was asked."""
    values: Mapping[str, Any]
    """The parameters that it used."""
    table: pa.Table
    total: int | None
    """All rows that there are; None when there are more than `table` has and nobody has counted them."""
    seconds: float


def answer(con: DuckDBPyConnection, sql: str, values: Mapping[str, Any], limit: int = LIMIT) -> Answer:
    """Run one statement and take its first `limit` rows; DuckDB makes no more than that. Raises UsageError, XltError.

    The statement only reads. `Leash.progress` of the job tells how far it is.
    """
    import duckdb

    asked = checked(con, sql, values)
    con.execute("SET enable_progress_bar = true")
    con.execute("SET enable_progress_bar_print = false")
    began = time.perf_counter()
    text = asked.sql if asked.explains else f"SELECT * FROM (\n{asked.sql}\n) LIMIT {int(limit) + 1}"
    try:
        table = con.sql(text, params=asked.values).to_arrow_table()
    except duckdb.Error as error:
        raise mistake(_placed(con, text, asked.values, error), shift=0 if asked.explains else 1) from None
    more = table.num_rows > limit and not asked.explains
    table = table.slice(0, limit) if more else table
    return Answer(asked.sql, asked.values, table, None if more else table.num_rows, time.perf_counter() - began)


def count(con: DuckDBPyConnection, given: Answer) -> int:
    """How many rows the statement of an answer gives in all. Raises XltError."""
    import duckdb

    con.execute("SET enable_progress_bar = true")
    con.execute("SET enable_progress_bar_print = false")
    try:
        row = con.execute(f"SELECT count(*) FROM (\n{given.sql}\n)", dict(given.values)).fetchone()
    except duckdb.Error as error:
        raise mistake(error, shift=1) from None
    return int(row[0]) if row else 0


@dataclass(frozen=True)
class Checked:
    """A statement that reads, with the values that it uses."""

    sql: str
    values: dict[str, Any]
    explains: bool
    """EXPLAIN gives a few rows and can't stand inside another statement."""


def checked(con: DuckDBPyConnection, sql: str, values: Mapping[str, Any]) -> Checked:
    """The one statement of `sql`. Raises UsageError unless it only reads."""
    import duckdb

    try:
        statements = con.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(f"The SQL can't be read: {_told(error)}.") from None
    if len(statements) != 1:
        raise UsageError(f"xlt runs one statement, and there are {len(statements)}.")
    statement = statements[0]
    # MULTI is a PIVOT, which finds out its columns first.
    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
    if statement.type not in reading:
        raise UsageError(f"xlt query only reads: write SELECT, not {statement.type.name}; xlt export writes files.")
    missing = sorted(statement.named_parameters - set(values))
    if missing:
        if missing[0] in ("run", "task"):
            raise UsageError(f"The query needs ${missing[0]}, and there is no run yet: xlt classify corpus makes one.")
        given = f"-- ${missing[0]} = VALUE: what it is"
        raise UsageError(
            f"The query needs {', '.join(missing)}; give it with --param {missing[0]}=VALUE, or in a comment on top: "
            f"{given}"
        )
    used = {name: values[name] for name in statement.named_parameters}
    return Checked(statement.query.strip().rstrip(";").rstrip(), used, statement.type == duckdb.StatementType.EXPLAIN)


def _placed(con: DuckDBPyConnection, sql: str, values: Mapping[str, Any], error: Exception) -> Exception:
    """The same error with the line that it is about, which a relation does not tell."""
    import duckdb

    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        try:
            con.execute(f"EXPLAIN {sql}", dict(values))
        except (duckdb.BinderException, duckdb.CatalogException) as again:
            return again
    return error


def mistake(error: Exception, shift: int = 0) -> XltError:
    """The sentence for a query that failed; its line less `shift`, the lines that were put above the statement."""
    import duckdb

    message = str(error)
    if isinstance(error, duckdb.CatalogException) and re.search(r"\b(labelled|classes)\b", message):
        return XltError("The query needs predictions, and the corpus has none yet; run xlt classify corpus first.")
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)):
        return UsageError(f"The SQL can't be run: {_told(error, shift)}")
    return duck.failed("The query failed", error, "change it, or ask for less")


def _told(error: Exception, shift: int = 0) -> str:
    """What DuckDB says, as a sentence, hints included, with the line instead of a drawing of it."""
    told, _, drawn = str(error).partition("\n\nLINE ")
    told = re.sub(r"^(?:[A-Z]\w+ )+Error: ", "", " ".join(told.split()))[:400].rstrip(".")
    line = int(match.group()) - shift if (match := re.match(r"\d+", drawn)) else 1
    return (f"line {line}: {told}" if line > 1 else told) + ("" if told.endswith("?") else ".")
