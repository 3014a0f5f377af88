"""Takes erased posts out of run folders and files of rejects."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.corpus import duck
from xlt.corpus.stage import JOIN, ROWS, TEXTS, text_key
from xlt.disk import write_text, write_whole

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Normalise = Callable[[str], str]


@dataclass(frozen=True)
class Lost:
    """What must not be found any more."""

    texts: Sequence[str]
    keys: Sequence[str]
    """Keys of words in the corpus, as text."""
    requoted: Mapping[str, str] = field(default_factory=dict)
    """Of posts whose quoted words go: the key that they had → the key of their own words."""


def clean_run(folder: Path, lost: Lost, normalise_of: Callable[[str], Normalise | None]) -> int:
    """Take the predictions and staged copies of what is lost out of a run folder; how many files changed."""
    if not (lost.texts or lost.keys or lost.requoted):
        return 0
    # What a run says of a post's own words outlives the words that the post quotes.
    renamed = lost.requoted if _record(folder).get("task", {}).get("coded", "own") == "own" else {}
    raws = {*lost.keys, *(key for key in lost.requoted if key not in renamed)}
    raws |= {*(hashlib.md5(each.encode()).hexdigest() for each in lost.texts)}
    joins = sorted(folder.rglob(JOIN))
    scratch = folder / "scratch"
    with duck.job(scratch) as con:
        con.execute("CREATE TABLE lost AS SELECT unnest(?::VARCHAR[]) AS raw", [sorted(raws)])
        con.execute(
            "CREATE TABLE renamed AS SELECT unnest(?::VARCHAR[]) AS old, unnest(?::VARCHAR[]) AS new",
            [list(renamed), list(renamed.values())],
        )
        if joins:
            listed = "read_parquet([" + ", ".join(duck.text(path) for path in joins) + "])"
            # Another text may be scored under the same key.
            con.execute(
                f"CREATE TABLE keys AS SELECT key FROM {listed} WHERE raw IN (SELECT raw FROM lost) "
                "AND key IS NOT NULL "
                f"EXCEPT SELECT key FROM {listed} WHERE raw NOT IN (SELECT raw FROM lost)"
            )
        else:
            con.execute(
                "CREATE TABLE keys AS SELECT unnest(?::BLOB[]) AS key", [_keys(folder, lost.texts, normalise_of)]
            )
        changed = 0
        # Joins last: what was begun and killed finds the same keys again.
        for path in sorted(folder.rglob("*.parquet"), key=lambda each: (each.name == JOIN, each)):
            if path.name.startswith(".") or scratch in path.parents:
                continue
            if path.name == JOIN:
                changed += _filter(con, path, "raw NOT IN (SELECT raw FROM lost)") | _rename(con, path)
            elif path.name == ROWS:
                changed += _clean_rows(con, folder, path)
            elif path.name == TEXTS or path.parent.name == "shards":
                changed += _filter(con, path, "key NOT IN (SELECT key FROM keys)")
    shutil.rmtree(scratch, ignore_errors=True)
    return changed


def _record(folder: Path) -> dict[str, Any]:
    """What `run.json` holds; nothing where it can't be read."""
    try:
        found = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _rename(con: DuckDBPyConnection, path: Path) -> int:
    """Give raw texts of a join the keys that they have now; equal ones become one."""
    source = f"read_parquet({duck.text(path)})"
    if not con.execute(f"SELECT 1 FROM {source} WHERE raw IN (SELECT old FROM renamed) LIMIT 1").fetchall():
        return 0
    query = f"SELECT DISTINCT coalesce(new, raw) AS raw, key FROM {source} LEFT JOIN renamed ON raw = old"
    write_whole(path, lambda aside: _copy(con, query, aside))
    return 1


def _keys(folder: Path, texts: Sequence[str], normalise_of: Callable[[str], Normalise | None]) -> list[bytes]:
    """Keys of texts as a run over files has them, when how they join is no longer kept."""
    try:
        normalise = normalise_of(str(_record(folder)["task"]["name"]))
    except (KeyError, TypeError):
        normalise = None
    return sorted({text_key(normalise(each) if normalise else each) for each in texts})


def _clean_rows(con: DuckDBPyConnection, folder: Path, path: Path) -> int:
    column = (_record(folder).get("staged") or {}).get("text_column")
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
