"""Writes posts, labels and predictions out of the corpus, and remembers where to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck, gate
from xlt.corpus.results import FORMATS
from xlt.corpus.selection import Numbers, as_array
from xlt.disk import refused, write_whole
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STATISTICS = (".dta", ".sav")
ALL = (*FORMATS, *STATISTICS, ".txt")
COLUMNS = (
    "id",
    "platform",
    "text",
    "quoted_text",
    "created_at",
    "lang",
    "lang_confidence",
    "lang_tag",
    "author",
    "conversation",
    "reply_to",
    "retweet_of",
    "quote_of",
    "country",
    "place",
    "place_source",
    "latitude",
    "longitude",
    "likes",
    "reposts",
    "replies",
    "quotes",
    "url",
)


@dataclass(frozen=True)
class Selection:
    """Which posts are exported, and with what."""

    run: str | None = None
    """Whose predictions; None: those of the only run, or none where there is no run."""
    langs: tuple[str, ...] = ()
    where: str | None = None
    ids_only: bool = False
    gold: bool = False
    """One row per label that a person gave, in place of predictions."""
    text: bool = True
    numbers: Numbers | None = None
    """Only the posts in these rows of the corpus, in this order."""


@dataclass(frozen=True)
class _Run:
    id: str
    task: str
    labels: tuple[str, ...]


def export(workspace: Path, corpus: Path, selection: Selection, output: Path | None, kind: str | None = None) -> int:
    """Write the selection to `output`, or to stdout as `kind` (csv, tsv, jsonl). Returns the number of rows.

    Raises UsageError for a bad condition, an unknown run, or an output of no kind that xlt writes.
    """
    import duckdb

    suffix = output.suffix.lower() if output else f".{kind or 'csv'}"
    _check(output, suffix, selection)
    with gate.opened(corpus) as con:
        run = None if selection.ids_only or selection.gold else _run(con, selection.run)
        query, labelled = _query(con, selection, run)
        try:
            # Drained, since the next statement would find the connection busy.
            rows = int(con.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0])
            if output is None:
                con.execute(f"COPY ({query}) TO '/dev/stdout' ({FORMATS[suffix]})")
            elif suffix in STATISTICS:
                from xlt.corpus.statistics import write

                write_whole(output, lambda aside: write(con, query, labelled, aside, suffix))
            else:
                options = FORMATS.get(suffix, "FORMAT csv, HEADER false")
                write_whole(output, lambda aside: _copy(con, query, aside, options))
        except duckdb.Error as error:
            if selection.where and type(error).__name__ in (
                "BinderException",
                "ParserException",
                "ConversionException",
            ):
                raise UsageError(
                    f"--where {selection.where!r} is no condition on the columns of the corpus: {duck.sentence(error)}."
                ) from None
            raise duck.failed(f"{output or 'stdout'} can't be written", error, "run the same command again") from None
    if output is not None:
        remember(workspace, output, rows, selection.ids_only)
    return rows


def _copy(con: DuckDBPyConnection, query: str, target: Path, options: str) -> None:
    con.execute(f"COPY ({query}) TO {duck.text(target)} ({options})")


def _check(output: Path | None, suffix: str, selection: Selection) -> None:
    if suffix == ".txt" and not selection.ids_only:
        raise UsageError(f"{output}: .txt is for --ids-only; write to {', '.join((*FORMATS, *STATISTICS))}.")
    if output is None:
        if suffix not in (".csv", ".tsv", ".jsonl"):
            raise UsageError(f"To stdout xlt writes csv, tsv or jsonl; for {suffix[1:]} name a file with -o.")
        return
    if suffix not in ALL:
        raise UsageError(f"{output}: the output must end in {', '.join(ALL)}.")
    if output.is_dir():
        raise UsageError(f"{output} is a folder; give the output a file name.")
    if not output.parent.is_dir():
        raise UsageError(f"There is no folder {output.parent} to write {output.name} into.")


def _run(con: DuckDBPyConnection, wanted: str | None) -> _Run | None:
    runs = con.execute("SELECT id, task, labels FROM runs ORDER BY created_at").fetchall()
    known = ", ".join(row[0] for row in runs)
    if wanted is None:
        if len(runs) > 1:
            raise UsageError(f"The corpus holds several runs ({known}); name one with --run.")
        return _Run(runs[0][0], runs[0][1], tuple(runs[0][2])) if runs else None
    for name, task, labels in runs:
        if name == wanted:
            return _Run(name, task, tuple(labels))
    raise UsageError(f"There is no run {wanted!r} in the corpus; there {f'are {known}' if known else 'is none'}.")


def column(label: str) -> str:
    """The name of a label's probability column, as everywhere (`Task.column`)."""
    import re

    return f"p_{re.sub(r'[^0-9A-Za-z_]+', '_', label).strip('_').lower()}"[:32]


def _query(con: DuckDBPyConnection, selection: Selection, run: _Run | None) -> tuple[str, dict[str, list[str]]]:
    """SQL of the rows, and for each column that holds labels the labels in order."""
    conditions = []
    if selection.langs:
        from xlt.languages import canonical

        listed = ", ".join(duck.text(canonical(lang)) for lang in selection.langs)
        conditions.append(f"coalesce(t.lang, t.lang_tag, 'und') IN ({listed})")
    labelled: dict[str, list[str]] = {}
    if selection.ids_only:
        row = con.execute("SELECT count(DISTINCT platform) FROM tweets").fetchone()
        columns = ["t.platform", "t.id"] if row and row[0] > 1 else ["t.id"]
        source = "tweets t"
    else:
        columns = [f"t.{name}" for name in COLUMNS if selection.text or name not in ("text", "quoted_text")]
        source = "tweets t"
    if selection.gold:
        source += " JOIN gold g ON g.text_key = t.text_key AND (g.tweet_id IS NULL OR g.tweet_id = t.id)"
        columns += [f"g.{name}" for name in ("task", "label", "coder", "coded_at", "codebook", "draw", "note")]
        found = con.execute("SELECT DISTINCT label FROM gold WHERE label IS NOT NULL ORDER BY 1").fetchall()
        labelled["label"] = [row[0] for row in found]
    elif run is not None:
        source += f" LEFT JOIN predictions p ON p.text_key = t.text_key AND p.run = {duck.text(run.id)}"
        columns += ["p.label AS predicted", "p.confidence"]
        columns += [f"p.p[{number}] AS {duck.quote(column(label))}" for number, label in enumerate(run.labels, start=1)]
        labelled["predicted"] = list(run.labels)
    if selection.numbers is not None:
        _choose(con, selection.numbers)
        source += " JOIN chosen c ON c.number = t.rowid"
    query = f"SELECT {', '.join(columns)} FROM {source}"
    if conditions:
        query += " WHERE " + " AND ".join(conditions)
    if selection.numbers is not None:
        query += " ORDER BY c.place"
    if selection.where:
        # Around the rest, so that a condition may name any column that is exported.
        query = f"SELECT * FROM ({query}) WHERE ({selection.where}\n)"
    return query, labelled


def _choose(con: DuckDBPyConnection, numbers: Numbers) -> None:
    """Make the row numbers a table `chosen` of this connection, with their places."""
    import numpy as np
    import pyarrow as pa

    rows = as_array(numbers)
    con.register("chosen", pa.table({"number": rows, "place": np.arange(len(rows), dtype=np.uint32)}))


def remember(workspace: Path, output: Path, rows: int, ids_only: bool) -> None:
    """Note where posts went, for the day when some must be erased."""
    path = workspace / ".xlt" / "exports.jsonl"
    line = {
        "file": str(output.resolve()),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "ids_only": ids_only,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise refused(path, error) from None


def known_exports(workspace: Path) -> Sequence[Path]:
    """Where exports of this workspace went."""
    path = workspace / ".xlt" / "exports.jsonl"
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(Path(json.loads(line)["file"]))
        except (ValueError, KeyError, TypeError):
            raise XltError(f"{path} is damaged; remove the line that is no JSON.") from None
    return list(dict.fromkeys(found))
