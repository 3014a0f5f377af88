"""Joins predictions back to the rows, writes them as the user asked, and counts shares by language."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.breakdown import Question, breakdown
from xlt.corpus.dimensions import Columns, language_sql
from xlt.corpus.labelled import Labelled
from xlt.corpus.shares import Row, counted, fold, groups_of, pooled
from xlt.corpus.stage import JOIN, ROWS, Staged
from xlt.disk import write_whole
from xlt.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Task

FORMATS = {
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".csv": "FORMAT csv, HEADER true",
    ".tsv": "FORMAT csv, HEADER true, DELIMITER '\t'",
    ".jsonl": "FORMAT json",
}


def check_output(path: Path) -> None:
    """Raise UsageError now for an output that could not be written hours later."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the output a file name such as {path / 'labelled.parquet'}.")
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: the output must end in {', '.join(FORMATS)}.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to write {path.name} into.")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"The folder {path.parent} can't be written to; choose another place with -o.")


def added_columns(columns: Sequence[str], task: Task) -> dict[str, str]:
    """The columns that predictions add → their names in the output, moved aside where the input has that name."""
    taken = {name.casefold() for name in columns}
    names: dict[str, str] = {}
    for wanted in ("predicted", "confidence", *(task.column(label) for label in task.names)):
        name, number = wanted, 2
        while name.casefold() in taken:
            name = f"{wanted}_{number}"
            number += 1
        taken.add(name.casefold())
        names[wanted] = name
    return names


def write_output(folder: Path, staged: Staged, task: Task, shards: Sequence[Path], output: Path) -> None:
    """Write every staged row with its prediction, in the source's order: aside first, then renamed."""
    names = added_columns(staged.columns, task)
    added = ", ".join(f"s.{duck.quote(source)} AS {duck.quote(name)}" for source, name in names.items())
    text = duck.quote(staged.text_column)
    kept = ", ".join(f"r.{duck.quote(name)}" for name in staged.columns)
    query = (
        f"SELECT {kept}, {added} FROM read_parquet({duck.text(folder / ROWS)}, file_row_number=true) r "
        f"LEFT JOIN read_parquet({duck.text(folder / JOIN)}) j ON md5(r.{text}) = j.raw "
        f"LEFT JOIN {_shards(shards, task)} s ON j.key = s.key ORDER BY r.file_row_number"
    )
    with duck.job(folder / "scratch") as con:
        copy_out(con, query, output)


def copy_out(con: DuckDBPyConnection, query: str, output: Path) -> None:
    """Write what a query gives in the format of the output's name: whole or not at all. Raises XltError."""
    import duckdb

    def copy(aside: Path) -> None:
        con.execute(f"COPY ({query}) TO {duck.text(aside)} ({FORMATS[output.suffix.lower()]})")

    try:
        write_whole(output, copy)
    except duckdb.Error as error:
        raise duck.failed(
            f"{output} can't be written", error, "every prediction is kept, run the same command again"
        ) from None


def _shards(shards: Sequence[Path], task: Task) -> str:
    if shards:
        return f"read_parquet([{', '.join(duck.text(path) for path in shards)}])"
    columns = ["NULL::BLOB AS key", "NULL::VARCHAR AS predicted", "NULL::FLOAT AS confidence"]
    columns += [f"NULL::FLOAT AS {duck.quote(task.column(label))}" for label in task.names]
    return f"(SELECT {', '.join(columns)} WHERE false)"


def shares(folder: Path, staged: Staged, task: Task, shards: Sequence[Path]) -> list[Row]:
    """Rows by language, the largest first, then all together; one pooled row without a language column."""
    text = duck.quote(staged.text_column)
    lang = language_sql(f"r.{duck.quote(staged.lang_column)}") if staged.lang_column else "NULL"
    relation = (
        f"(SELECT {lang} AS lang, s.predicted FROM read_parquet({duck.text(folder / ROWS)}) r "
        f"JOIN read_parquet({duck.text(folder / JOIN)}) j ON md5(r.{text}) = j.raw "
        f"JOIN {_shards(shards, task)} s ON j.key = s.key)"
    )
    source = Labelled(relation, Columns(label="predicted", order="predicted", lang="lang"))
    by = ("lang",) if staged.lang_column else ()
    with duck.job(folder / "scratch") as con:
        answer = breakdown(con, source, Question(by), task.groups, task.names)
    return [*answer.rows, answer.total] if len(answer.rows) > 1 else list(answer.rows) or [answer.total]


def count_rows(cells: Iterable[tuple[str, str, int]], task: Task) -> list[Row]:
    """Rows by language of (language, label, posts), the largest first, then all together if there are several."""
    groups = groups_of(task.groups, task.names)
    found = fold(((lang,), label, count) for lang, label, count in cells)
    rows = [counted(keys, labels, groups) for keys, labels in found.items()]
    rows.sort(key=lambda row: (-row.n, row.lang))
    return rows if len(rows) == 1 else [*rows, counted((), pooled(found.values()), groups)]
