"""What runs there are: in the corpus, and in folders beside it that are unfinished or over files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt.corpus import gate
from xlt.corpus.rounds import SHARDS, rounds
from xlt.corpus.runs import corpus_id, folders, labels_of, of_corpus, record_of
from xlt.corpus.store import runs_folder
from xlt.errors import UsageError


@dataclass(frozen=True)
class Run:
    """A run, wherever it is."""

    id: str
    model: str
    task: str
    source: str
    """`corpus`, or the names of the files."""
    state: str
    texts: int
    """Distinct texts with a prediction."""
    total: int
    """Distinct texts that it is about, as far as they were staged."""
    created: str
    """When it began, ISO 8601."""
    seen: tuple[str, ...]
    folder: Path | None
    """None when only the corpus has it."""
    in_corpus: bool


def listing(corpus: Path) -> tuple[list[Run], str | None]:
    """Every run of a workspace, the newest last, and a sentence when the corpus could not be asked. Raises XltError."""
    found: dict[str, Run] = {}
    merged: dict[str, tuple[dict[str, Any], int]] = {}
    trouble = None
    if corpus.exists():
        try:
            with gate.opened(corpus) as con:
                rows = con.execute("SELECT id, model, task, seen, created_at::VARCHAR, texts FROM runs").fetchall()
            merged = {row[0]: ({"model": row[1], "task": row[2], "seen": row[3], "at": row[4]}, row[5]) for row in rows}
        except gate.CorpusLockedError as error:
            trouble = f"Runs in the corpus are not shown: {error}"
    for path in sorted(path.parent for path in runs_folder(corpus).glob("*/run.json")):
        texts = merged.pop(path.name)[1] if path.name in merged else None
        found[path.name] = _from_folder(path, corpus, texts)
    for name, (record, texts) in merged.items():
        seen = tuple(record["seen"])
        found[name] = Run(
            name,
            record["model"],
            record["task"],
            "corpus",
            "in the corpus",
            texts,
            texts,
            record["at"],
            seen,
            None,
            True,
        )
    return sorted(found.values(), key=lambda run: (run.created, run.id)), trouble


def _from_folder(path: Path, corpus: Path, merged: int | None) -> Run:
    record = record_of(path)
    if of_corpus(record, corpus):
        source, (done, total, state) = "corpus", _state_of_corpus_run(path, merged)
    else:
        names = [Path(str(each[0])).name for each in record["identity"].get("files", [])]
        source, (done, total, state) = ", ".join(names), _state_of_file_run(path, record)
    model, task = record["model"], record["task"]
    seen = tuple(model.get("languages", []))
    created = str(record["created"])
    return Run(
        path.name, model["name"], task["name"], source, state, done, total, created, seen, path, merged is not None
    )


def _state_of_corpus_run(path: Path, merged: int | None) -> tuple[int, int, str]:
    known = rounds(path)
    done = sum(each.staged.distinct for each in known if each.complete)
    total = sum(each.staged.distinct for each in known)
    if any(each.complete and each.merged is None for each in known):
        state = "complete, not in the corpus yet"
    elif any(not each.complete for each in known) or not known:
        state = "unfinished"
    else:
        state = "in the corpus" if merged is not None else "not in this corpus"
    return done if merged is None else merged, max(total, merged or 0), state


def _state_of_file_run(path: Path, record: dict[str, Any]) -> tuple[int, int, str]:
    staged = record.get("staged")
    if not staged:
        return 0, 0, "unfinished"
    shards = sum(1 for each in (path / SHARDS).glob("*.parquet") if not each.name.startswith("."))
    part = shards / staged["blocks"] if staged["blocks"] else 1.0
    state = "complete" if record.get("complete") else "unfinished"
    return round(part * staged["distinct"]), staged["distinct"], state


def find_run(corpus: Path, wanted: str) -> Run:
    """The run with this id, or whose id begins or ends so. Raises UsageError."""
    runs, trouble = listing(corpus)
    matches = [run for run in runs if run.id == wanted] or [
        run for run in runs if run.id.startswith(wanted) or run.id.endswith(wanted)
    ]
    if len(matches) == 1:
        return matches[0]
    there = ", ".join(run.id for run in runs) or "none"
    problem = f"fits {len(matches)} runs" if matches else "is no run"
    raise UsageError(f"{wanted} {problem}; there are: {there}.{f' {trouble}' if trouble else ''}")


def details(corpus: Path, run: Run) -> dict[str, Any]:
    """Everything that is known of a run: its record, its rounds, and labels of its texts."""
    found: dict[str, Any] = {"id": run.id, "state": run.state, "texts": run.texts}
    if run.in_corpus:
        with gate.opened(corpus) as con:
            found["labels"] = labels_of(con, run.id)
            row = con.execute("SELECT record::VARCHAR, merged_at::VARCHAR FROM runs WHERE id = ?", [run.id]).fetchone()
        if row:
            found["merged_at"] = row[1]
            found["record"] = json.loads(row[0])
    if run.folder is not None:
        found["folder"] = str(run.folder)
        found["record"] = record_of(run.folder)
        parts = [{"number": each.folder.name, "complete": each.complete, **each.record} for each in rounds(run.folder)]
        if parts:
            found["record"]["rounds"] = parts
    return found


def unmerged(corpus: Path) -> list[Path]:
    """Folders of runs with predictions that this corpus (by its id) does not have."""
    with gate.opened(corpus) as con:
        name = corpus_id(con)
    return [run for run in folders(corpus) if any(each.complete and each.merged != name for each in rounds(run))]
