"""Named SQL queries, and any SQL that reads: found, given their parameters, run, written.

A named query is a file `NAME.sql`. Comments on top: the title, then what it tells, then a line for each parameter
(`-- $below = 0.6: what it is`). `$run` and `$task` are the run's. A query sees the corpus's tables and two more:
`labelled` (every column of `tweets`, `language`, and the run's `label`, `confidence` and `p`) and `classes` (the task's
groups: `part`, `class`, `label`).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.bundled import bundled
from xlt.corpus.asking import checked, mistake
from xlt.corpus.labelled import Run, define_labelled, find_runs, has_runs
from xlt.corpus.shares import Groups
from xlt.disk import refused, write_text, write_whole
from xlt.errors import UsageError, XltError
from xlt.tasks.load import task_of

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

FOLDER = "queries"
FORMATS = (".parquet", ".csv", ".json", ".jsonl")
_NAME = re.compile(r"[A-Za-z0-9][\w-]*")
_PARAMETER = re.compile(r"^\$(\w+)\s*=\s*(.*?):\s+(.*)$")
_BATCH = 50_000


@dataclass(frozen=True)
class Parameter:
    """What a query can be told: its name without `$`, what it is if nothing is said, and what it means."""

    name: str
    default: str
    about: str


@dataclass(frozen=True)
class Query:
    """A named query."""

    name: str
    title: str
    about: str
    parameters: tuple[Parameter, ...]
    sql: str
    path: Path


@dataclass(frozen=True)
class Result:
    """The first rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool
    """Whether there are rows beyond these."""


def read(path: Path) -> Query:
    """A query file. Raises XltError when it has no title or no SQL."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise XltError(f"The query {path} can't be read: {error}.") from None
    found = parse(content, path)
    if not found.title or not found.sql:
        raise XltError(f"The query {path} must begin with a comment that is its title (-- Title), then SQL.")
    return found


def parse(content: str, path: Path = Path()) -> Query:
    """A query from the text of its file, as far as it has a title, a sentence, parameters and SQL."""
    lines = content.splitlines()
    comments: list[str] = []
    while lines and (lines[0].startswith("--") or not lines[0].strip()):
        line = lines.pop(0).removeprefix("--").strip()
        comments += [line] if line else []
    found = [_PARAMETER.match(line) for line in comments]
    parameters = tuple(Parameter(*match.groups()) for match in found if match)
    said = [line for line, match in zip(comments, found, strict=True) if not match]
    title = said[0].rstrip(".") if said else ""
    return Query(path.stem, title, " ".join(said[1:]), parameters, "\n".join(lines).strip(), path)


def save(workspace: Path, name: str, content: str, replace: bool = False) -> Query:
    """Write a query into the workspace as `queries/NAME.sql`. `content` begins with its title. Raises UsageError.

    A query that ships with xlt is not changed: the workspace's one of the same name comes before it. `replace` is
    needed to write over a query of the workspace.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a query; use letters, digits and hyphens, such as long-posts.")
    path = workspace / FOLDER / f"{name}.sql"
    if path.exists() and not replace:
        raise UsageError(f"There is a query {name} in the workspace; save it under another name, or write over it.")
    found = parse(content, path)
    if not found.title:
        raise UsageError("A query begins with a comment that is its title: -- Title, then a sentence, then SQL.")
    if not found.sql:
        raise UsageError("There is no SQL to save under the title.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(path, error) from None
    write_text(path, content.rstrip() + "\n")
    return found


def named(workspace: Path) -> dict[str, Query]:
    """Every named query: those that ship with xlt, then the workspace's, which win. Raises XltError."""
    found: dict[str, Query] = {}
    for folder in (bundled(FOLDER), workspace / FOLDER):
        for path in sorted(folder.glob("*.sql")):
            found[path.stem] = read(path)
    return dict(sorted(found.items()))


def find(given: str, workspace: Path) -> Query:
    """The query of this name, or the SQL itself as a query without one. Raises UsageError for an unknown name."""
    queries = named(workspace)
    if given in queries:
        return queries[given]
    if _NAME.fullmatch(given.strip()):
        raise UsageError(f"There is no query {given}; there are {', '.join(queries)}. Or write SQL in quotes.")
    return Query("", given.strip(), "", (), given, Path())


def values_of(query: Query, given: Sequence[str]) -> dict[str, Any]:
    """The parameters' values from `name=value` texts and defaults; numbers as numbers. Raises UsageError."""
    values = {each.name: _value(each.default) for each in query.parameters}
    for each in given:
        name, equals, value = each.partition("=")
        name = name.strip().removeprefix("$")
        if not equals:
            raise UsageError(f"--param {each}: write name=value.")
        if query.name and name not in values:
            there = f"it has {', '.join(values)}" if values else "it has none"
            raise UsageError(f"--param {each}: the query {query.name} has no such parameter; {there}.")
        values[name] = _value(value)
    return values


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip().strip("'")


def prepare(con: DuckDBPyConnection, run: Run | None, groups: Groups) -> dict[str, Any]:
    """Define `labelled` and `classes` for a run on this connection; the values of `$run` and `$task`."""
    if run is None:
        return {}
    define_labelled(con, [run])
    con.execute("CREATE OR REPLACE TEMP TABLE classes (part VARCHAR, class VARCHAR, label VARCHAR)")
    rows = [
        (part, each, label) for part, classes in groups.items() for each, labels in classes.items() for label in labels
    ]
    if rows:
        con.executemany("INSERT INTO classes VALUES (?, ?, ?)", rows)
    return {"run": run.id, "task": run.task}


def for_run(con: DuckDBPyConnection, wanted: str | None) -> tuple[Run | None, dict[str, Any]]:
    """What a query sees of the run that was asked for, or the newest: defined, with the values of `$run` and `$task`.

    None where there is no run. Raises UsageError for one that is not there.
    """
    if wanted is None and not has_runs(con):
        return None, {}
    which = find_runs(con, [wanted] if wanted else [])[0]
    try:
        groups = task_of(which.task, which.labels).groups
    except UsageError:
        # A task of the user's own that lies elsewhere: its labels stand for themselves.
        groups = {}
    return which, prepare(con, which, groups)


def run(con: DuckDBPyConnection, sql: str, values: Mapping[str, Any], cap: int | None) -> Result:
    """Run a query and take at most `cap` rows. Raises UsageError, XltError."""
    import duckdb

    asked = checked(con, sql, values)
    try:
        result = con.execute(asked.sql, asked.values)
        described: list[tuple[Any, ...]] = list(result.description or [])
        columns = tuple(str(each[0]) for each in described)
        if any("WITH TIME ZONE" in str(each[1]) for each in described):
            rows = _zoned(result, cap)
        else:
            rows = result.fetchall() if cap is None else result.fetchmany(cap + 1)
    except duckdb.Error as error:
        raise mistake(error) from None
    more = cap is not None and len(rows) > cap
    return Result(columns, rows[:cap] if more else rows, more)


def _zoned(result: DuckDBPyConnection, cap: int | None) -> list[tuple[Any, ...]]:
    """The rows of a result, one more than `cap`, by way of Arrow: DuckDB alone can't give a time with its zone."""
    rows: list[tuple[Any, ...]] = []
    with warnings.catch_warnings():
        # It says that there is a faster way.
        warnings.simplefilter("ignore")
        reader: pa.RecordBatchReader = result.to_arrow_reader(_BATCH)
    try:
        for batch in reader:
            rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            if cap is not None and len(rows) > cap:
                break
    finally:
        # An unfinished reader would keep the corpus locked.
        reader.close()
    return rows if cap is None else rows[: cap + 1]


def write(con: DuckDBPyConnection, sql: str, values: Mapping[str, Any], output: Path, cap: int | None = None) -> int:
    """Write a query's rows to a .parquet, .csv, .json or .jsonl file, whole or not at all; how many there were.

    Rows stream from DuckDB to the file. Raises UsageError, XltError.
    """
    import duckdb

    asked = checked(con, sql, values)
    statement = asked.sql if cap is None else f"SELECT * FROM ({asked.sql}\n) LIMIT {int(cap)}"
    count = 0

    def copy(aside: Path) -> None:
        nonlocal count
        reader: pa.RecordBatchReader = con.sql(statement, params=asked.values).to_arrow_reader(_BATCH)
        try:
            count = _WRITERS[output.suffix.lower()](reader, aside)
        finally:
            # An unfinished reader would keep the corpus locked.
            reader.close()

    try:
        write_whole(output, copy)
    except duckdb.Error as error:
        raise mistake(error) from None
    return count


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> int:
    import pyarrow.parquet as pq

    count = 0
    with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_csv(reader: pa.RecordBatchReader, path: Path) -> int:
    import csv

    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(reader.schema.names)
        for row in _rows(reader):
            writer.writerow(["" if value is None else value for value in row])
            count += 1
    return count


def _write_json(reader: pa.RecordBatchReader, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for row in _rows(reader):
            file.write(",\n" if count else "\n")
            file.write(as_json(dict(zip(reader.schema.names, row, strict=True))))
            count += 1
        file.write("\n]\n")
    return count


def _write_jsonl(reader: pa.RecordBatchReader, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in _rows(reader):
            file.write(as_json(dict(zip(reader.schema.names, row, strict=True))) + "\n")
            count += 1
    return count


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".json": _write_json, ".jsonl": _write_jsonl}


def _rows(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in reader:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def as_json(value: object) -> str:
    """JSON of what DuckDB gives; dates, ids and the like as text."""
    return json.dumps(
        value, ensure_ascii=False, default=lambda each: float(each) if isinstance(each, Decimal) else str(each)
    )
