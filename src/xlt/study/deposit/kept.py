"""What a corpus says, kept in files without a post: counts, hand labels with how they were drawn, the runs' records.

`Keeping` asks a corpus and writes every answer down; `Kept` gives the same answers from the files alone.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from xlt.corpus.breakdown import Answer, Question
from xlt.corpus.estimates import GoldRow
from xlt.corpus.facts import FileFacts, LanguageFacts
from xlt.corpus.labelled import Run
from xlt.corpus.shares import Row, counted, groups_of
from xlt.disk import write_json, write_text
from xlt.errors import XltError
from xlt.science.labels import Matched
from xlt.study.prevalence import Asked
from xlt.study.report.evidence import Evidence
from xlt.study.report.parts import without_paths
from xlt.study.rows import Rows, System
from xlt.tasks.load import BUILTIN, task_of
from xlt.tasks.spec import Task

MISSING = ""


class Kept:
    """The answers in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def runs(self) -> tuple[Run, ...]:
        return tuple(
            Run(**{**each, "labels": tuple(each["labels"]), "seen": tuple(each["seen"])})
            for each in _read(self.folder / "runs.json")
        )

    def task(self, run: Run) -> Task:
        return task_of(run.task, run.labels, self.folder.parent / "tasks")

    def record(self, run: Run) -> dict[str, Any]:
        found: dict[str, Any] = _read(self.folder / run.id / "run.json")
        return found

    def languages(self, task: str) -> list[LanguageFacts]:
        return [
            LanguageFacts(**{**each, "first": _moment(each["first"]), "last": _moment(each["last"])})
            for each in _read(self.folder / f"languages{task and f'-{task}'}.json")
        ]

    def files(self) -> list[FileFacts]:
        return [
            FileFacts(**{**each, "imported_at": datetime.fromisoformat(each["imported_at"])})
            for each in _read(self.folder / "files.json")
        ]

    def undetected(self) -> tuple[int, int]:
        without, of = _read(self.folder / "undetected.json")
        return without, of

    def answer(self, run: Run, question: Question, task: Task) -> Answer:
        return _answer(_read(self.folder / run.id / f"labels-{_named(question)}.json"), task)

    def sample(self, run: Run, question: Question, task: Task) -> Asked:
        place = self.folder / run.id / f"sample-{_named(question)}.json"
        found = _read(place)
        by = tuple(found["answer"]["by"])
        rows = tuple(
            GoldRow(
                tuple(row[f"by_{name}"] or None for name in by),
                row["gold"],
                row["predicted"] or None,
                row["stratum"],
                float(row["probability"]) if row["probability"] else None,
                "",
                row["unit"],
            )
            for row in _rows(place.with_suffix(".csv"))
        )
        return Asked(_answer(found["answer"], task), rows, tuple(found["notes"]))

    def scored(self, runs: Sequence[Run], task: Task) -> Rows:
        place = self.folder / f"{_scored(runs, task)}.json"
        found, rows = _read(place), list(_rows(place.with_suffix(".csv")))
        systems = []
        for each in found["systems"]:
            name = each["name"]
            codes = [task.names.index(row[name]) if row[name] else -1 for row in rows]
            chances = near = None
            if each["probabilities"]:
                chances = np.array([[_number(row[f"{name} {label}"]) for label in task.names] for row in rows])
            if each["known"]:
                near = np.flatnonzero([row[f"{name} known"] == "1" for row in rows])
            said = Matched(np.array(codes, np.int64), each["missing"], each["folded"], each["unknown"])
            seen = None if each["seen"] is None else tuple(each["seen"])
            systems.append(System(name, said, chances, seen, near, each["temperature"], each["given_at"]))
        gold = np.array([task.names.index(row["gold"]) for row in rows], np.int64)
        langs = tuple(row["language"] for row in rows)
        return Rows(gold, langs, None, tuple(systems), tuple(found["notes"]))

    def mix(self, run: Run, task: Task) -> dict[tuple[str, int], float]:
        found = _read(self.folder / run.id / "texts-by-language.json")
        return {(lang, task.names.index(label)): float(count) for lang, label, count in found}


class Keeping(Kept):
    """The answers of a corpus, written down as they are given."""

    def __init__(self, evidence: Evidence, folder: Path, key: bytes) -> None:
        """`key`: the workspace's secret; nobody without it can tell which post a hand-labelled unit is."""
        super().__init__(folder)
        self._of, self._key = evidence, key

    def runs(self) -> tuple[Run, ...]:
        _write(self.folder / "runs.json", [asdict(run) for run in self._of.runs()])
        return super().runs()

    def task(self, run: Run) -> Task:
        write_task(self.folder.parent, self._of.task(run))
        return super().task(run)

    def record(self, run: Run) -> dict[str, Any]:
        record = {key: value for key, value in self._of.record(run).items() if key != "command"}
        _write(self.folder / run.id / "run.json", without_paths(record))
        return super().record(run)

    def languages(self, task: str) -> list[LanguageFacts]:
        found = [_dated(asdict(each)) for each in self._of.languages(task)]
        _write(self.folder / f"languages{task and f'-{task}'}.json", found)
        return super().languages(task)

    def files(self) -> list[FileFacts]:
        found = [{**_dated(asdict(each)), "file": Path(each.file).name} for each in self._of.files()]
        _write(self.folder / "files.json", found)
        return super().files()

    def undetected(self) -> tuple[int, int]:
        _write(self.folder / "undetected.json", list(self._of.undetected()))
        return super().undetected()

    def answer(self, run: Run, question: Question, task: Task) -> Answer:
        found = self._of.answer(run, question, task)
        _write(self.folder / run.id / f"labels-{_named(question)}.json", _record(found))
        return super().answer(run, question, task)

    def sample(self, run: Run, question: Question, task: Task) -> Asked:
        place = self.folder / run.id / f"sample-{_named(question)}.json"
        try:
            found = self._of.sample(run, question, task)
        except XltError as error:
            _write(place, {"error": _plain(error)})
            raise
        _write(place, {"notes": list(found.notes), "answer": _record(found.answer)})
        by = [f"by_{name}" for name in found.answer.by]
        rows = [
            [self._unit(row.unit), *(key or MISSING for key in row.keys), row.stratum,
             MISSING if row.probability is None else repr(row.probability), row.gold, row.predicted or MISSING]
            for row in found.rows
        ]  # fmt: skip
        write_rows(place.with_suffix(".csv"), ["unit", *by, "stratum", "probability", "gold", "predicted"], rows)
        return super().sample(run, question, task)

    def scored(self, runs: Sequence[Run], task: Task) -> Rows:
        place = self.folder / f"{_scored(runs, task)}.json"
        try:
            found = self._of.scored(runs, task)
        except XltError as error:
            _write(place, {"error": _plain(error)})
            raise
        _write(place, {"notes": list(found.notes), "systems": [_system(each) for each in found.systems]})
        columns = ["language", "gold"]
        for each in found.systems:
            columns += [
                each.name,
                *(_chances(each, task)),
                *([f"{each.name} known"] if each.overlaps is not None else []),
            ]
        rows = []
        for at, lang in enumerate(found.langs):
            row: list[Any] = [lang, task.names[found.gold[at]]]
            for each in found.systems:
                row.append(task.names[each.codes[at]] if each.codes[at] >= 0 else MISSING)
                if each.probabilities is not None:
                    row += [MISSING if np.isnan(value) else repr(float(value)) for value in each.probabilities[at]]
                if each.overlaps is not None:
                    row.append(int(at in each.overlaps))
            rows.append(row)
        write_rows(place.with_suffix(".csv"), columns, rows)
        return super().scored(runs, task)

    def mix(self, run: Run, task: Task) -> dict[tuple[str, int], float]:
        found = sorted((lang, task.names[at], int(count)) for (lang, at), count in self._of.mix(run, task).items())
        _write(self.folder / run.id / "texts-by-language.json", found)
        return super().mix(run, task)

    def _unit(self, unit: str) -> str:
        return hashed_unit(self._key, unit)


def write_task(deposit: Path, task: Task) -> None:
    """The task's own file: labels, prompt and codebook."""
    source = task.source or (BUILTIN / f"{task.name}.toml").read_text(encoding="utf-8")
    (deposit / "tasks").mkdir(exist_ok=True)
    write_text(deposit / "tasks" / f"{task.name}.toml", source)


def hashed_unit(key: bytes, unit: str) -> str:
    """A text key or post under which a deposit knows a hand-labelled unit."""
    from xlt.corpus.secret import hashed

    return hashed(key, f"unit:{unit}")


def _chances(system: System, task: Task) -> list[str]:
    return [] if system.probabilities is None else [f"{system.name} {label}" for label in task.names]


def _system(system: System) -> dict[str, Any]:
    said = system.predicted
    return {
        "name": system.name,
        "seen": None if system.seen is None else list(system.seen),
        "temperature": system.temperature,
        "given_at": system.given_at,
        "probabilities": system.probabilities is not None,
        "known": system.overlaps is not None,
        "missing": said.missing,
        "folded": dict(said.folded),
        "unknown": dict(said.unknown),
    }


def _scored(runs: Sequence[Run], task: Task) -> str:
    if len(runs) == 1:
        return f"{runs[0].id}/gold"
    return f"gold-{task.name}-{hashlib.sha256(' '.join(run.id for run in runs).encode()).hexdigest()[:6]}"


def _named(question: Question) -> str:
    if replace(question, by=()) != Question(by=()):
        raise ValueError("A deposit keeps breakdowns of everything only.")
    return "-".join(question.by) or "all"


def _record(answer: Answer) -> dict[str, Any]:
    def row(each: Row) -> dict[str, Any]:
        return {"keys": list(each.keys), "n": each.n, "top": each.top, "labels": dict(each.labels)}

    return {
        **{key: value for key, value in vars(answer).items() if key not in ("rows", "total")},
        "by": list(answer.by),
        "unknown_labels": dict(answer.unknown_labels),
        "rows": [row(each) for each in answer.rows],
        "total": row(answer.total),
    }


def _answer(found: dict[str, Any], task: Task) -> Answer:
    groups = groups_of(task.groups, task.names)

    def row(each: dict[str, Any]) -> Row:
        return replace(counted(tuple(each["keys"]), each["labels"], groups), n=each["n"], top=each["top"])

    rows = tuple(row(each) for each in found["rows"])
    return Answer(**{**found, "by": tuple(found["by"]), "rows": rows, "total": row(found["total"])})


def _plain(error: XltError) -> str:
    """The sentence without the folders of the paths in it."""
    return " ".join(str(without_paths(word)) for word in str(error).split(" "))


def _dated(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in record.items()}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _read(path: Path) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise XltError(f"{path} can't be read: {error}.") from None
    if isinstance(found, dict) and set(found) == {"error"}:
        raise XltError(found["error"])
    return found


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV as a deposit has it, its folder made."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, written.getvalue())
