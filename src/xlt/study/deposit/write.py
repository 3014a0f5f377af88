"""Writes a deposit: studies, corpus aggregates, task, recipes, versions, hashes, tables, and how to remake them.

No text, no author, no id of a post: test rows are there as language and gold label, predictions as probabilities.
Texts of test rows only when they are asked for.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from xlt import __version__
from xlt.corpus import gate
from xlt.corpus.breakdown import Question, breakdown
from xlt.corpus.labelled import find_runs, from_corpus, has_runs, run_record
from xlt.corpus.shares import groups_of
from xlt.disk import write_json, write_text
from xlt.errors import UsageError, XltError
from xlt.study.deposit import remake
from xlt.study.design import TUNED, load_study
from xlt.study.grid import Grid, Where
from xlt.study.report.parts import without_paths
from xlt.study.transfer import label_of
from xlt.tasks.load import load_task, task_of
from xlt.training.recipe import load_recipe

SUMS = "SHA256SUMS"


def write_deposit(
    folder: Path, studies: Sequence[Path], corpus: Path | None, workspace: Path, *, with_texts: bool = False
) -> list[str]:
    """Write everything into `folder`, which must be new or empty; the names of its tables.

    Raises UsageError, XltError.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give the deposit a folder of its own.")
    if corpus is None and not studies:
        raise UsageError("There is nothing to deposit: no corpus here, and no study named.")
    try:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XltError(f"The folder {folder} can't be made: {(error.strerror or str(error)).lower()}.") from None
    about: dict[str, Any] = {"xlt": __version__, "studies": {}}
    tasks: dict[str, str] = {}
    for path in studies:
        about["studies"][path.stem] = _study(folder, path, workspace, tasks, with_texts)
    if corpus is not None:
        about["corpus"] = _corpus(folder, corpus, tasks)
    for name, source in tasks.items():
        _put(folder / "tasks" / f"{name}.json", source)
    _put(folder / "requirements.txt", _lock())
    _put_json(folder / "about.json", about)
    shutil.copyfile(str(remake.__file__), folder / "remake.py")
    for name, (columns, rows) in remake.tables(folder).items():
        _put(folder / "tables" / f"{name}.csv", remake.as_csv(columns, rows))
    _put(folder / "README.md", _readme(folder, about, with_texts))
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}" for path in files]
    _put(folder / SUMS, "\n".join(sums) + "\n")
    return sorted(path.stem for path in (folder / "tables").glob("*.csv"))


def _study(folder: Path, path: Path, workspace: Path, tasks: dict[str, str], with_texts: bool) -> dict[str, Any]:
    grid = Grid(load_study(path), Where(workspace))
    done = [cell for cell in grid.study.cells if grid.store.finished(cell)]
    grid.check(done)
    if not done:
        raise XltError(f"No cell of the study {path} is done; run xlt transfer run {path} first.")
    place = folder / "studies" / path.stem
    _put(place / "study.toml", path.read_text(encoding="utf-8"))
    _put_json(place / "labels.json", list(grid.task.names))
    test = grid.test
    columns = ["row", "language", "gold", *(["text"] if with_texts else [])]
    rows = [
        (at, lang, grid.task.names[int(code)], *([text] if with_texts else []))
        for at, (lang, code, text) in enumerate(zip(test.langs, test.gold, test.texts, strict=True), start=1)
    ]
    _put(place / "rows.csv", _csv(columns, rows))
    for cell in done:
        target = place / "cells" / cell.key
        target.mkdir(parents=True)
        shutil.copyfile(grid.store.at(cell) / "predictions.parquet", target / "predictions.parquet")
        _put_json(target / "cell.json", {**grid.store.record(cell), "configuration": label_of(cell)})
    for name in sorted({cell.recipe for cell in done if cell.strategy in TUNED}):
        recipe = load_recipe(name).changed(grid.study.settings)
        _put_json(place / "recipes" / f"{recipe.name}.json", recipe.record())
    tasks[grid.task.name] = _task(grid.task.name)
    return {
        "cells": len(done),
        "planned": len(grid.study.cells),
        "test_rows": len(rows),
        "test_hash": test.hash,
        "train_sha256": hashlib.sha256(grid.study.train.read_bytes()).hexdigest(),
        "test_sha256": hashlib.sha256(grid.study.test.read_bytes()).hexdigest(),
    }


def _corpus(folder: Path, corpus: Path, tasks: dict[str, str]) -> dict[str, Any]:
    """Counts of the newest run's labels by language and month; no share that they do not give."""
    with gate.opened(corpus) as con:
        if not has_runs(con):
            return {"runs": 0}
        run = find_runs(con)[0]
        task = task_of(run.task, run.labels)
        question = Question(by=("lang", "month"))
        answer = breakdown(con, from_corpus(con, [run]), question, task.groups, task.names)
        record = run_record(con, run.id)
    rows = [
        (row.keys[0] or "und", row.keys[1] or "", label, count)
        for row in answer.rows
        for label, count in sorted(row.labels.items())
        if count
    ]
    _put(folder / "corpus" / "counts.csv", _csv(["language", "month", "label", "posts"], rows))
    groups = {
        group: {name: list(members) for name, members in classes.items()}
        for group, classes in groups_of(task.groups, task.names).items()
    }
    _put_json(folder / "corpus" / "groups.json", groups)
    _put_json(folder / "corpus" / "run.json", without_paths({k: v for k, v in record.items() if k != "command"}))
    tasks[task.name] = _task(task.name)
    return {"runs": 1, "run": run.id, "model": run.model, "posts": answer.total.n}


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _put_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)


def _task(name: str) -> str:
    """A task with its prompt, labels and codebook."""
    from dataclasses import asdict

    return json.dumps(asdict(load_task(name)), indent=2, ensure_ascii=False) + "\n"


def _lock() -> str:
    """Every library that is installed beside xlt, with its version."""
    found = {str(each.metadata["Name"]).lower(): each.version for each in distributions() if each.metadata["Name"]}
    found.pop("xlt", None)
    try:
        own = version("xlt")
    except PackageNotFoundError:
        own = __version__
    lines = [f"# Python {sys.version.split()[0]}", f"xlt=={own}", *(f"{name}=={found[name]}" for name in sorted(found))]
    return "\n".join(lines) + "\n"


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return written.getvalue()


def _readme(folder: Path, about: dict[str, Any], with_texts: bool) -> str:
    parts = [
        "# Deposit",
        "What the tables of this work are made of, and the script that makes them anew:",
        "    python remake.py",
        "It needs Python 3.11 or newer and pyarrow, writes `remade/`, and says of each table whether it is the one in "
        "`tables/`. `requirements.txt` names every library that was installed, `about.json` the hashes of the data, "
        f"`{SUMS}` those of the files here.",
        "## What is here",
    ]
    for name, study in about["studies"].items():
        parts.append(
            f"`studies/{name}/`: the study as it was designed (`study.toml`), {study['test_rows']:,} test rows with "
            f"language and gold label{' and text' if with_texts else ''} (`rows.csv`), and for each of "
            f"{study['cells']:,} cells the probabilities of every label in every row, with what made them (`cells/`). "
            "Recipes are in `recipes/`."
        )
    if about.get("corpus", {}).get("runs"):
        parts.append(
            f"`corpus/`: counts of the labels that {about['corpus']['model']} gave to {about['corpus']['posts']:,} "
            "posts, by language and month, and the record of that run."
        )
    parts += [
        "`tasks/`: labels, prompt and codebook.",
        "## What is not here",
        "No author and no id of a post"
        + ("." if with_texts else ", and no text: platforms forbid passing them on with labels of people's views.")
        + " Whoever may have the data can check that they are the same by the hashes in `about.json`. Intervals are "
        "not remade: they come from random draws and stand in the report.",
    ]
    listed = "\n".join(f"- `tables/{path.name}`" for path in sorted((folder / "tables").glob("*.csv")))
    return "\n\n".join([*parts, "## Tables", listed]) + "\n"
