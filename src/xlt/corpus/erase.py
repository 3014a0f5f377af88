"""Takes erased posts out of run folders and files of rejects."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.stage import JOIN, ROWS, TEXTS, text_key
from xlt.disk import write_text, write_whole

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Normalise = Callable[[str], str]


def clean_run(folder: Path, texts: Sequence[str], normalise_of: Callable[[str], Normalise | None]) -> int:
    """Take the predictions and staged copies of these texts out of a run folder; how many files changed."""
    if not texts:
        return 0
    raws = {hashlib.md5(each.encode()).hexdigest() for each in texts}
    raws |= {str(uuid.UUID(bytes=text_key(each))) for each in texts}
    joins = sorted(folder.rglob(JOIN))
    scratch = folder / "scratch"
    with duck.job(scratch) as con:
        con.execute("CREATE TABLE lost AS SELECT unnest(?::VARCHAR[]) AS raw", [sorted(raws)])
        if joins:
            listed = "read_parquet([" + ", ".join(duck.text(path) for path in joins) + "])"
            # Another text may be scored under the same key.
            con.execute(
                f"CREATE TABLE keys AS SELECT key FROM {listed} WHERE raw IN (SELECT raw FROM lost) "
                "AND key IS NOT NULL "
                f"EXCEPT SELECT key FROM {listed} WHERE raw NOT IN (SELECT raw FROM lost)"
            )
        else:
            con.execute("CREATE TABLE keys AS SELECT unnest(?::BLOB[]) AS key", [_keys(folder, texts, normalise_of)])
        changed = 0
        # Joins last: what was begun and killed finds the same keys again.
        for path in sorted(folder.rglob("*.parquet"), key=lambda each: (each.name == JOIN, each)):
            if path.name.startswith(".") or scratch in path.parents:
                continue
            if path.name == JOIN:
                changed += _filter(con, path, "raw NOT IN (SELECT raw FROM lost)")
            elif path.name == ROWS:
                changed += _clean_rows(con, folder, path)
            elif path.name == TEXTS or path.parent.name == "shards":
                changed += _filter(con, path, "key NOT IN (SELECT key FROM keys)")
    shutil.rmtree(scratch, ignore_errors=True)
    return changed


def _keys(folder: Path, texts: Sequence[str], normalise_of: Callable[[str], Normalise | None]) -> list[bytes]:
    """Keys of texts as a run over files has them, when how they join is no longer kept."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        normalise = normalise_of(str(record["task"]["name"]))
    except (OSError, ValueError, KeyError, TypeError):
        normalise = None
    return sorted({text_key(normalise(each) if normalise else each) for each in texts})


def _clean_rows(con: DuckDBPyConnection, folder: Path, path: Path) -> int:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    column = (record.get("staged") or {}).get("text_column")
    if not column:
        return 0
    raw = f"md5({duck.quote(column)})"
    return _filter(con, path, f"{raw} IS NULL OR {raw} NOT IN (SELECT raw FROM lost)")


def _filter(con: DuckDBPyConnection, path: Path, condition: str) -> int:
    source = f"read_parquet({duck.text(path)})"
    row = con.execute(f"SELECT count(*) FROM {source} WHERE NOT ({condition})").fetchone()
    if row is None or not row[0]:
        return 0
    write_whole(
        path,
        lambda aside: _copy(con, f"SELECT * FROM {source} WHERE {condition}", aside),
    )
    return 1


def _copy(con: DuckDBPyConnection, query: str, target: Path) -> None:
    con.execute(f"COPY ({query}) TO {duck.text(target)} (FORMAT parquet, COMPRESSION zstd)")


def clean_lines(path: Path, ids: set[str], texts: Sequence[str]) -> int:
    """Drop the lines of a rejects file that name one of the ids or hold one of the texts."""
    if not path.is_file():
        return 0
    word = re.compile("|".join(rf"(?<![\w]){re.escape(each)}(?![\w])" for each in sorted(ids))) if ids else None
    packed = [json.dumps(each, ensure_ascii=False)[1:-1] for each in texts]
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if not ((word and word.search(line)) or any(each in line for each in packed))]
    if len(kept) == len(lines):
        return 0
    write_text(path, "".join(line + "\n" for line in kept))
    return 1
