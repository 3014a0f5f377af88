"""Runs in the corpus: their predictions are merged in one transaction, listed, removed, and forgotten."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.corpus import duck, gate
from xlt.corpus.breakdown import Question, breakdown
from xlt.corpus.dimensions import Columns
from xlt.corpus.labelled import Labelled
from xlt.corpus.results import copy_out
from xlt.corpus.rounds import LANGUAGE, Round, parquet, rounds, selected
from xlt.corpus.shares import Row
from xlt.corpus.stage import JOIN, Selection
from xlt.corpus.store import runs_folder
from xlt.errors import XltError
from xlt.locks import hold

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Task

_KEY_COLUMNS = ("key", "predicted", "confidence")


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    run: str
    added: int
    """Predictions that the corpus did not have."""
    texts: int
    """Predictions of this run in the corpus now."""


def corpus_id(con: DuckDBPyConnection) -> str:
    """What tells this corpus from another of the same name."""
    row = con.execute("SELECT value FROM meta WHERE key = 'corpus'").fetchone()
    return str(row[0]) if row else ""


def record_of(run: Path) -> dict[str, Any]:
    """What a run's `run.json` holds. Raises XltError."""
    try:
        found: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise XltError(f"{run / 'run.json'} can't be read: {error}; remove the folder to start anew.") from None
    return found


def of_corpus(record: dict[str, Any], corpus: Path) -> bool:
    """Whether a run's record says that it is over this corpus (by its name: a workspace may move)."""
    return bool(record.get("identity", {}).get("corpus") == corpus.name)


def folders(corpus: Path) -> list[Path]:
    """The folders of the runs over a corpus, the oldest first."""
    found = sorted(path.parent for path in runs_folder(corpus).glob("*/run.json"))
    return [path for path in found if of_corpus(record_of(path), corpus)]


def pending(corpus: Path) -> list[Path]:
    """Runs with complete rounds that were never merged. Does not open the corpus."""
    return [run for run in folders(corpus) if any(each.complete and each.merged is None for each in rounds(run))]


def merge(con: DuckDBPyConnection, run: Path) -> Merged:
    """Merge every complete round of a run into an open corpus, all or nothing; what is there already is left alone.

    Call `close_rounds` when the corpus is closed. Raises XltError; the corpus is then as before.
    """
    import duckdb

    done = [each for each in rounds(run) if each.complete]
    con.execute("BEGIN")
    try:
        before = _count(con, run.name)
        for each in done:
            _insert(con, run.name, each, [each, *(other for other in done if other != each)])
        texts = _count(con, run.name)
        _insert_run(con, run, done, texts)
        con.execute("COMMIT")
    except BaseException as error:
        if not isinstance(error, duckdb.FatalException):
            con.execute("ROLLBACK")
        if isinstance(error, duckdb.Error):
            raise duck.failed(
                f"The run {run} can't be merged", error, "remove the shard that it names and classify again"
            ) from None
        raise
    return Merged(run.name, texts - before, texts)


def close_rounds(run: Path, corpus: str) -> None:
    """After a merge: write down which corpus has the predictions, and remove copies of the texts."""
    for each in rounds(run):
        if each.complete:
            each.close(corpus)


def _count(con: DuckDBPyConnection, run: str) -> int:
    row = con.execute("SELECT count(*) FROM predictions WHERE run = ?", [run]).fetchone()
    return int(row[0]) if row else 0


def _insert(con: DuckDBPyConnection, run: str, each: Round, sources: Sequence[Round]) -> None:
    """The predictions of one round's texts; a text that equals one of another round has its score there."""
    join = f"read_parquet({duck.text(each.folder / JOIN)})"
    missing = (
        f"(SELECT j.* FROM (SELECT raw::UUID AS text_key, key FROM {join} WHERE key IS NOT NULL) j "
        f"ANTI JOIN (SELECT text_key FROM predictions WHERE run = {duck.text(run)}) p ON j.text_key = p.text_key)"
    )
    for source in sources:
        row = con.execute(f"SELECT count(*) FROM {missing}").fetchone()
        if row is None or row[0] == 0:
            return
        if not source.shards:
            continue
        shards = parquet(source.shards)
        names = [str(column[0]) for column in con.execute(f"DESCRIBE SELECT * FROM {shards}").fetchall()]
        labels = ", ".join(f"s.{duck.quote(name)}" for name in names if name not in _KEY_COLUMNS)
        con.execute(
            f"INSERT INTO predictions SELECT {duck.text(run)}, m.text_key, s.predicted, s.confidence, [{labels}] "
            f"FROM {missing} m JOIN {shards} s ON m.key = s.key"
        )


def _insert_run(con: DuckDBPyConnection, run: Path, done: Sequence[Round], texts: int) -> None:
    record = record_of(run)
    record["rounds"] = [{**each.record, "number": each.folder.name} for each in done]
    model, task = record["model"], record["task"]
    con.execute("DELETE FROM runs WHERE id = ?", [run.name])
    con.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            run.name,
            record["fingerprint"],
            model["name"],
            model["hash"],
            task["name"],
            task["hash"],
            list(task["labels"]),
            list(model.get("languages", [])),
            datetime.fromisoformat(record["created"]).astimezone(UTC).replace(tzinfo=None),
            datetime.now(UTC).replace(tzinfo=None),
            texts,
            json.dumps(record, ensure_ascii=False),
        ],
    )


def merge_runs(corpus: Path, which: Sequence[Path], patience: float = gate.PATIENCE) -> list[Merged]:
    """Open the corpus once and merge these runs. Raises CorpusLockedError, XltError; merged runs stay merged."""
    merged: list[Merged] = []
    done: list[Path] = []
    name = ""
    try:
        with gate.opened(corpus, write=True, patience=patience) as con:
            name = corpus_id(con)
            for run in which:
                merged.append(merge(con, run))
                done.append(run)
    finally:
        for run in done:
            close_rounds(run, name)
    return merged


def catch_up(corpus: Path, patience: float = 0.0) -> tuple[list[Merged], str | None]:
    """Merge the runs that ended while the corpus was locked; every command on a corpus begins with it.

    Costs a look into `runs/` when there are none. Returns what was merged, and a sentence when it has to wait still.
    """
    try:
        waiting = pending(corpus) if corpus.exists() else []
        return (merge_runs(corpus, waiting, patience), None) if waiting else ([], None)
    except XltError as error:
        return [], f"A finished run is not in the corpus yet: {error}"


def remove(corpus: Path, run: str) -> int:
    """Remove a run's predictions from the corpus and then its folder; how many predictions there were."""
    gone = 0
    folder = runs_folder(corpus) / run
    with hold(folder / "run.lock", f"The run {folder}") if folder.is_dir() else nullcontext():
        if corpus.exists():
            with gate.opened(corpus, write=True) as con:
                con.execute("BEGIN")
                gone = _count(con, run)
                con.execute("DELETE FROM predictions WHERE run = ?", [run])
                con.execute("DELETE FROM runs WHERE id = ?", [run])
                con.execute("COMMIT")
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def shares(con: DuckDBPyConnection, run: str, selection: Selection, task: Task) -> list[Row]:
    """Shares by language of the selected tweets that have a prediction of this run, then of all together."""
    relation = (
        f"(SELECT t.id, {LANGUAGE} AS language, p.label FROM {selected(selection)} t JOIN predictions p "
        f"ON p.text_key = t.text_key WHERE p.run = {duck.text(run)})"
    )
    source = Labelled(relation, Columns(label="label", order="id", lang="language"))
    answer = breakdown(con, source, Question(("lang",)), task.groups, task.names)
    return [*answer.rows, answer.total] if len(answer.rows) > 1 else list(answer.rows)


def write_output(con: DuckDBPyConnection, run: str, selection: Selection, task: Task, output: Path) -> None:
    """Write the selected tweets with their predictions of this run, in the corpus's order: whole or not at all."""
    columns = [str(row[0]) for row in con.execute("DESCRIBE tweets").fetchall()]
    kept = ", ".join(f"t.{duck.quote(name)}" for name in columns if name not in ("text_key", "source"))
    labels = ", ".join(f"p.p[{at}] AS {duck.quote(task.column(name))}" for at, name in enumerate(task.names, start=1))
    query = (
        f"SELECT {kept}, p.label AS predicted, p.confidence, {labels} FROM {selected(selection)} t LEFT JOIN "
        f"(SELECT * FROM predictions WHERE run = {duck.text(run)}) p ON p.text_key = t.text_key ORDER BY t.number"
    )
    copy_out(con, query, output)


def labels_of(con: DuckDBPyConnection, run: str) -> dict[str, int]:
    """Label → distinct texts of a run."""
    rows = con.execute("SELECT label, count(*) FROM predictions WHERE run = ? GROUP BY label", [run]).fetchall()
    return dict(Counter({str(label): int(count) for label, count in rows}).most_common())
