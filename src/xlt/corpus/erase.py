"""Erases texts from run folders: from joins, copies of texts and shards. The corpus itself is another matter."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.rounds import SHARDS, parquet
from xlt.corpus.runs import folders
from xlt.corpus.stage import JOIN, TEXTS
from xlt.disk import write_whole

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def erase_texts(corpus: Path, keys: Collection[str]) -> int:
    """Erase the texts with these keys (UUIDs as text) from every run over a corpus; how many files were rewritten.

    A prediction goes when no remaining text has it: several raw texts may be one after normalisation. Files are
    replaced one by one, and the same call finishes what a killed one began.
    """
    if not keys:
        return 0
    return sum(_erase_from_run(run, keys) for run in folders(corpus))


def _erase_from_run(run: Path, keys: Collection[str]) -> int:
    joins = sorted(run.glob(f"rounds/*/{JOIN}"))
    if not joins:
        return 0
    held = [*sorted(run.glob(f"rounds/*/{TEXTS}")), *sorted(run.glob(f"rounds/*/{SHARDS}/[!.]*.parquet"))]
    with duck.job(run / "scratch") as con:
        con.execute("CREATE TEMP TABLE gone AS SELECT unnest(?)::VARCHAR AS raw", [list(keys)])
        # Keys first, joins last: until the joins are rewritten, a second call finds the same keys.
        con.execute(
            f"CREATE TEMP TABLE gone_keys AS SELECT key FROM {parquet(joins)} WHERE key IS NOT NULL GROUP BY key "
            "HAVING bool_and(raw IN (SELECT raw FROM gone))"
        )
        work = [(path, "key", "gone_keys") for path in held] + [(path, "raw", "gone") for path in joins]
        rewritten = 0
        for path, column, table in work:
            source = f"read_parquet({duck.text(path)})"
            if not con.execute(f"SELECT 1 FROM {source} SEMI JOIN {table} USING ({column}) LIMIT 1").fetchone():
                continue
            query = f"SELECT s.* FROM {source} s ANTI JOIN {table} g ON s.{column} = g.{column}"
            if path.name == TEXTS:
                query += " ORDER BY block, key"
            elif column == "key":
                query += " ORDER BY key"
            write_whole(path, partial(_copy, con, query))
            rewritten += 1
    return rewritten


def _copy(con: DuckDBPyConnection, query: str, aside: Path) -> None:
    con.execute(f"COPY ({query}) TO {duck.text(aside)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 16384)")
