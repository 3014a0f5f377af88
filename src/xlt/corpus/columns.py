"""Columns of labelled files, whole, as text: gold labels and predictions are few enough to hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.dimensions import language_sql
from xlt.corpus.readers import find_column, open_file, union
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Cells = list[str | None]


@dataclass(frozen=True)
class Source:
    """Files open as one relation."""

    con: DuckDBPyConnection
    relation: str
    names: list[str]
    files: tuple[Path, ...]

    def find(self, wanted: str | None, candidates: tuple[str, ...], option: str) -> str | None:
        """The column asked for or the first candidate that is there. Raises UsageError."""
        return find_column(self.names, wanted, candidates, option)

    def need(self, wanted: str | None, candidates: tuple[str, ...], option: str, what: str) -> str:
        """As `find`. Raises UsageError where there is none."""
        found = self.find(wanted, candidates, option)
        if found is None:
            raise UsageError(
                f"{self.files[0]} has no column with {what}: xlt looks for {', '.join(candidates)}, and there are "
                f"{', '.join(self.names)}; name it with {option}."
            )
        return found

    def cells(self, names: Sequence[str]) -> dict[str, Cells]:
        """Columns as text, all in the order of the files' rows."""
        if not names:
            return {}
        chosen = list(dict.fromkeys(names))
        listed = ", ".join(f"{duck.quote(name)}::VARCHAR" for name in chosen)
        rows = self.con.execute(f"SELECT {listed} FROM {self.relation}").fetchall()
        return {name: [row[at] for row in rows] for at, name in enumerate(chosen)}

    def languages(self, name: str | None) -> list[str]:
        """The canonical code of every row; `und` without a column of languages."""
        sql = language_sql(duck.quote(name)) if name else "'und'"
        return [str(row[0]) for row in self.con.execute(f"SELECT {sql} FROM {self.relation}").fetchall()]


@contextmanager
def opened(files: Sequence[Path], encoding: str = "utf-8") -> Iterator[Source]:
    """Open files for reading columns. Raises UsageError, XltError; a row that can't be read stops it."""
    with tempfile.TemporaryDirectory(prefix="xlt-") as scratch, duck.job(Path(scratch)) as con:
        readables = [open_file(con, path, Path(scratch), encoding) for path in files]
        for reject in (each for readable in readables for each in readable.rejects):
            raise XltError(
                f"{reject.file}, line {reject.line}: {reject.reason}; mend the file first: a score of a part misleads."
            )
        names = list(dict.fromkeys(name for each in readables for name in each.columns))
        yield Source(con, union(readables), names, tuple(files))
