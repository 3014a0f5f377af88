"""What a corpus holds, as far as that can be said at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus.labelled import Run, known_runs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Overview:
    """Counts, and the runs with the newest first."""

    posts: int
    gold: int
    """Labels that people gave."""
    runs: tuple[Run, ...]

    def run(self, wanted: str | None) -> Run | None:
        """The run of this id, else the newest."""
        return next((run for run in self.runs if run.id == wanted), self.runs[0] if self.runs else None)


def overview(con: DuckDBPyConnection) -> Overview:
    """Ask an open corpus; milliseconds at any size."""
    posts = con.execute("SELECT count(*) FROM tweets").fetchall()[0][0]
    gold = con.execute("SELECT count(label) FROM gold").fetchall()[0][0]
    return Overview(int(posts), int(gold), known_runs(con))
