"""Writes posts, labels and predictions out of the corpus, and remembers where to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck, gate
from xlt.corpus.labelled import Run, find_runs, known_runs
from xlt.corpus.results import FORMATS
from xlt.corpus.schema import TWEETS
from xlt.corpus.selection import Numbers, as_array
from xlt.disk import refused, write_whole
from xlt.errors import UsageError, XltError
from xlt.languages import canonical
from xlt.tasks.spec import column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STATISTICS = (".dta", ".sav")
ALL = (*FORMATS, *STATISTICS, ".txt")
COLUMNS = tuple(name for name in TWEETS if name not in ("text_key", "extra", "source"))
_PLACE = "xlt place"


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


def export(
    workspace: Path,
    corpus: Path,
    selection: Selection,
    output: Path | None,
    kind: str | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> int:
    """Write the selection to `output`, or to stdout as `kind` (csv, tsv, jsonl). Returns the number of rows.

    The rows come in the corpus's order. `say` hears what the format could not hold. Raises UsageError for a bad
    condition, an unknown run, or an output of no kind that xlt writes.
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

                write_whole(output, lambda aside: write(con, query, labelled, aside, suffix, say))
            else:
                options = FORMATS.get(suffix, "FORMAT csv, HEADER false")
                write_whole(output, lambda aside: _copy(con, query, aside, options))
        except duckdb.Error as error:
            if output is None and "Broken pipe" in str(error):
                # Who reads has had enough: `xlt export | head`.
                return rows
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


def _run(con: DuckDBPyConnection, wanted: str | None) -> Run | None:
    """The run that was asked for, or the only one; None where there is none."""
    if wanted is not None:
        return find_runs(con, [wanted])[0]
    runs = known_runs(con)
    if len(runs) > 1:
        raise UsageError(f"The corpus holds several runs ({', '.join(run.id for run in runs)}); name one with --run.")
    return runs[0] if runs else None


def _query(con: DuckDBPyConnection, selection: Selection, run: Run | None) -> tuple[str, dict[str, list[str]]]:
    """SQL of the rows, and for each column that holds labels the labels in order."""
    columns = {name: f"t.{name}" for name in COLUMNS}
    source, labelled = "tweets t", {}
    if selection.gold:
        source += " JOIN gold g ON g.text_key = t.text_key AND (g.tweet_id IS NULL OR g.tweet_id = t.id)"
        columns |= {name: f"g.{name}" for name in ("task", "label", "coder", "coded_at", "codebook", "draw", "note")}
        found = con.execute("SELECT DISTINCT label FROM gold WHERE label IS NOT NULL ORDER BY 1").fetchall()
        labelled["label"] = [row[0] for row in found]
    elif run is not None:
        source += f" LEFT JOIN predictions p ON p.text_key = t.text_key AND p.run = {duck.text(run.id)}"
        columns |= {"predicted": "p.label", "confidence": "p.confidence"}
        columns |= {column(label): f"p.p[{number}]" for number, label in enumerate(run.labels, start=1)}
        labelled["predicted"] = list(run.labels)
    columns |= _kept(con, columns)
    place = "t.rowid"
    if selection.numbers is not None:
        _choose(con, selection.numbers)
        source += " JOIN chosen c ON c.number = t.rowid"
        place = "c.place"
    wanted = list(columns)
    if selection.ids_only:
        several = con.execute("SELECT count(DISTINCT platform) > 1 FROM tweets").fetchall()[0][0]
        wanted = ["platform", "id"] if several else ["id"]
    elif not selection.text:
        wanted = [name for name in columns if name not in ("text", "quoted_text")]
    conditions = []
    if selection.langs:
        listed = ", ".join(duck.text(canonical(lang)) for lang in selection.langs)
        conditions.append(f"coalesce(lang, lang_tag, 'und') IN ({listed})")
    if selection.where:
        conditions.append(f"({selection.where}\n)")
    selected = ", ".join(f"{sql} AS {duck.quote(name)}" for name, sql in columns.items())
    return (
        f"SELECT {', '.join(map(duck.quote, wanted))} FROM (SELECT {selected}, {place} AS {duck.quote(_PLACE)} "
        f"FROM {source}){' WHERE ' + ' AND '.join(conditions) if conditions else ''} ORDER BY {duck.quote(_PLACE)}"
    ), labelled


def _kept(con: DuckDBPyConnection, columns: Iterable[str]) -> dict[str, str]:
    """Columns of the files that were kept for their own sake (`--keep`), under their names where these are free."""
    keys = con.execute("SELECT DISTINCT unnest(json_keys(extra)) AS key FROM tweets WHERE extra IS NOT NULL ORDER BY 1")
    taken = {name.casefold() for name in columns}
    found: dict[str, str] = {}
    for (key,) in keys.fetchall():
        name = str(key)
        while name.casefold() in taken:
            name = f"extra_{name}"
        taken.add(name.casefold())
        pointer = "/" + str(key).replace("~", "~0").replace("/", "~1")
        found[name] = f"t.extra ->> {duck.text(pointer)}"
    return found


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
