"""The labels that a run has given so far, by language, counted block by block from its folder."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.rounds import SHARDS
from xlt.corpus.stage import TEXTS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Counts = Counter[tuple[str, str]]
"""(language, label) → distinct texts."""


def finished_blocks(folder: Path) -> frozenset[int]:
    """The blocks of a run (over files) or of a round (over the corpus) whose predictions are there."""
    names = (path.stem for path in (folder / SHARDS).glob("*.parquet"))
    return frozenset(int(name) for name in names if name.isdecimal())


def labels_of_blocks(folder: Path, blocks: frozenset[int]) -> Counts | None:
    """Labels of these blocks' texts by language; None once the run is done, since its copies of the texts are gone."""
    import duckdb

    texts = folder / TEXTS
    if not blocks:
        return Counter()
    listed = ", ".join(duck.text(folder / SHARDS / f"{block:06d}.parquet") for block in sorted(blocks))
    # Blocks lie together in the file, so that only their part of it is read.
    near = f"block BETWEEN {min(blocks)} AND {max(blocks)}"
    try:
        with duck.job(Path(tempfile.gettempdir()) / f"xlt-{os.getpid()}") as con:
            language = "language" if "language" in _columns(con, texts) else "'und'"
            rows = con.execute(
                f"SELECT t.language, s.predicted, count(*) FROM read_parquet([{listed}]) s "
                f"JOIN (SELECT key, {language} AS language FROM read_parquet({duck.text(texts)}) WHERE {near}) t "
                "USING (key) GROUP BY ALL"
            ).fetchall()
    except duckdb.Error:
        return None
    return Counter({(str(lang or "und"), str(label)): int(count) for lang, label, count in rows})


def _columns(con: DuckDBPyConnection, path: Path) -> set[str]:
    return {str(row[0]) for row in con.execute(f"SELECT name FROM parquet_schema({duck.text(path)})").fetchall()}
