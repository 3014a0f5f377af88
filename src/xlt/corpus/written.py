"""Figures as files that other programs read: a breakdown, or any rows, as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from xlt.disk import write_json, write_whole
from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Answer
    from xlt.corpus.labelled import Run

SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet"}


def format_of(output: Path) -> str:
    """The format that a file's ending names. Raises UsageError when there is none, or no such folder."""
    if output.is_dir():
        raise UsageError(f"{output} is a folder; give the output a file name such as {output / 'shares.csv'}.")
    if not output.parent.is_dir():
        raise UsageError(f"There is no folder {output.parent} to write {output.name} into.")
    found = SUFFIXES.get(output.suffix.lower())
    if found is None:
        raise UsageError(f"{output}: the output must end in {', '.join(SUFFIXES)}.")
    return found


def flat(answer: Answer) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows for CSV, JSON and Parquet; the last row is all together, with empty keys.

    Shares are between 0 and 1, counts `n_…` are their denominators; None where nothing is in a denominator.
    """
    with_intervals = bool(answer.total.intervals)
    columns = [*answer.by, "n"]
    for group, classes in answer.total.counts.items():
        columns.append(f"n_{group}")
        for name in classes:
            columns.append(f"{group}_{name}")
            columns += [f"{group}_{name}_low", f"{group}_{name}_high"] if with_intervals else []
    columns.append("top_1_percent_authors")
    rows = []
    for row in [*answer.rows, answer.total]:
        values: list[Any] = [*(row.keys or [None] * len(answer.by)), row.n]
        for group, classes in row.counts.items():
            values.append(row.bases[group])
            for name in classes:
                values.append(row.share(group, name))
                if with_intervals:
                    values += row.intervals.get(group, {}).get(name) or (None, None)
        rows.append([*values, row.top])
    return columns, rows


def as_object(answer: Answer, notes: Sequence[str], task: str, runs: Sequence[Run]) -> dict[str, Any]:
    """A breakdown with all that must be known to read it, for JSON."""
    columns, values = flat(answer)
    return {
        "task": task,
        "runs": [{"id": run.id, "model": run.model} for run in runs],
        "by": list(answer.by),
        "unit": answer.unit,
        "time_zone": answer.zone,
        "notes": list(notes),
        "rows": objects(columns, values[: len(answer.rows)]),
        "all": objects(columns, values[-1:])[0],
    }


def write_answer(answer: Answer, notes: Sequence[str], task: str, runs: Sequence[Run], output: Path) -> None:
    """Write a breakdown as .csv, .json or .parquet. Raises XltError."""
    if format_of(output) == "json":
        write_json(output, as_object(answer, notes, task, runs))
    else:
        write_table(*flat(answer), output)


def objects(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows as JSON objects."""
    return [{name: _plain(value) for name, value in zip(columns, row, strict=True)} for row in rows]


def write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], output: Path) -> None:
    """Write .csv or .parquet, whole or not at all. Raises XltError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(aside: Path) -> None:
        if output.suffix.lower() == ".parquet":
            columnar = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
            pq.write_table(pa.table([pa.array(each) for each in columnar], names=list(columns)), aside)
            return
        with aside.open("w", encoding="utf-8", newline="") as file:
            write_csv(file, columns, rows)

    write_whole(output, write)


def write_csv(file: TextIO, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """CSV; what is missing stays empty."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if value is None else value for value in row])


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float | bool | dict) else str(value)
