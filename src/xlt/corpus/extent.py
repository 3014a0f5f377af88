"""How much a classification of the corpus would be about, before anything is staged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.rounds import LANGUAGE, selected
from xlt.corpus.stage import Selection
from xlt.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Extent:
    """Counts of the selected posts."""

    posts: int
    without_text: int
    distinct: int
    """Distinct texts as they stand; those that become equal when they are normalised are scored once too."""

    @property
    def repeats(self) -> float:
        """Share of the posts with a text that repeat another one."""
        with_text = self.posts - self.without_text
        return 1 - self.distinct / with_text if with_text else 0.0


def extent(con: DuckDBPyConnection, selection: Selection) -> Extent:
    """Count what is selected in an open corpus. Raises UsageError for a condition that is none."""
    import duckdb

    try:
        row = con.execute(
            f"SELECT count(*), count(*) - count(text_key), count(DISTINCT text_key) FROM {selected(selection)}"
        ).fetchone()
    except (duckdb.BinderException, duckdb.ParserException, duckdb.ConversionException) as error:
        raise UsageError(
            f"{selection.where!r} is no condition on the columns of the corpus: {duck.sentence(error)}."
        ) from None
    return Extent(*(int(each) for each in row)) if row else Extent(0, 0, 0)


def languages(con: DuckDBPyConnection) -> list[tuple[str, int]]:
    """(code, posts) of the languages in an open corpus, the most frequent first."""
    rows = con.execute(f"SELECT {LANGUAGE} AS code, count(*) FROM tweets GROUP BY code ORDER BY 2 DESC, 1").fetchall()
    return [(str(code), int(posts)) for code, posts in rows]
