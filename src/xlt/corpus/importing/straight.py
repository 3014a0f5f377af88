"""The short way into the corpus: a file with nothing odd about it goes there without a copy in between.

One look at the ids and dates tells whether the short way is open; the staged way (`staging`, `inspect`,
`merge`) can do the same and more, and writes every text to disk twice (docs/size.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus.duck import text
from xlt.corpus.importing import inspect, masks
from xlt.corpus.importing.merge import COLUMNS, Merged
from xlt.corpus.importing.source import Source
from xlt.corpus.importing.staging import Options, Rows, rows_of
from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SEEN = "seen"


@dataclass(frozen=True)
class Straight:
    """A file that can go straight in."""

    rows: Rows
    count: int

    def put(self, con: DuckDBPyConnection, source: int) -> Merged:
        """Insert all rows. Call inside a transaction. Raises XltError when the file was changed meanwhile."""
        columns = {name: sql for name, sql in self.rows.columns.items() if name in ("id", "platform", *COLUMNS)}
        row = con.execute(
            f"INSERT INTO tweets ({', '.join(columns)}, source) SELECT {', '.join(columns.values())}, {source} "
            f"FROM {self.rows.relation}{self.rows.order}"
        ).fetchone()
        added = int(row[0]) if row else 0
        if added != self.count:
            raise XltError(
                f"The file was changed while it was read ({self.count:,} posts, then {added:,}); import it again when "
                "it is whole."
            )
        (textless,) = inspect.numbers(con, f"SELECT count(*) FROM tweets WHERE source = {source} AND text_key IS NULL")
        return Merged(added, 0, 0, 0, textless)


def look(con: DuckDBPyConnection, source: Source, options: Options) -> Straight | None:
    """Whether a file can go straight in: each post has an id of its own, new to the corpus, and a date that is clear.

    None when it has to be staged; so too when DuckDB can't read it whole.
    """
    import duckdb

    if source.rejects or options.labels:
        return None
    rows = rows_of(source, options, numbered=False)
    odd = f"skip OR cut OR coalesce({rows.columns['id']}, '') = '' OR {rows.columns['unread']} IS NOT NULL"
    try:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {_SEEN} AS SELECT {rows.columns['id']} AS id, ({odd}) AS odd "
            f"FROM {rows.relation}"
        )
        count, distinct, odd_ones = inspect.numbers(
            con, f"SELECT count(*), count(DISTINCT id), count(*) FILTER (odd) FROM {_SEEN}"
        )
        if not count or distinct != count or odd_ones or inspect.rounded_ids(con, _SEEN) or _known(con, rows.platform):
            return None
        return Straight(rows, count)
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return None
    finally:
        con.execute(f"DROP TABLE IF EXISTS {_SEEN}")


def _known(con: DuckDBPyConnection, platform: str) -> bool:
    """Whether the corpus has one of these posts, or had to forget one."""
    mark = masks.keyed(f"{text(platform + ':')} || id")
    for table, key, known in (("tweets", "id", f"platform = {text(platform)}"), ("forgotten", "mark", "true")):
        ours = f"SELECT {mark if key == 'mark' else key} FROM {_SEEN}"
        if con.execute(f"SELECT 1 FROM {table} WHERE {known} AND {key} IN ({ours}) LIMIT 1").fetchall():
            return True
    return False
