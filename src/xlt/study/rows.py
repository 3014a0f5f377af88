"""Gold rows and what classifiers said of them: the same whether they come from files, models or a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xlt.corpus import gate
from xlt.corpus.columns import Cells, Source, opened
from xlt.corpus.draws import draws
from xlt.corpus.gold import gold_of, predictions_of
from xlt.corpus.importing.gold import spellings
from xlt.corpus.labelled import Run, run_record
from xlt.corpus.stage import LANG_COLUMNS, TEXT_COLUMNS
from xlt.errors import UsageError, XltError
from xlt.science.calibration import tempered
from xlt.science.labels import Matched, match
from xlt.science.metrics import Floats, Ints
from xlt.tasks.spec import Task
from xlt.training.signatures import FILE as SIGNATURES
from xlt.training.signatures import overlaps as overlaps_of

if TYPE_CHECKING:
    from xlt.corpus.leash import Connection

GOLD_COLUMNS = ("label", "gold", "gold_label")


@dataclass(frozen=True)
class System:
    """One classifier's answers, a row for each gold row."""

    name: str
    predicted: Matched
    probabilities: Floats | None = None
    """(n, labels), as given; NaN in rows without; None where the classifier gave none."""
    seen: tuple[str, ...] | None = None
    """Languages that it was tuned on; None where nobody said."""
    overlaps: Ints | None = None
    """Positions of rows whose text is nearly one of those that it was tuned on; None where nobody knows."""
    temperature: float = 1.0
    """The one that its card holds, which the probabilities were not given at."""
    given_at: float = 1.0
    """The temperature that the probabilities were given at."""

    @property
    def calibrated(self) -> Floats | None:
        """The probabilities that `xlt classify` would write: at the card's temperature where it holds one."""
        if self.probabilities is None or self.temperature == 1:
            return self.probabilities
        return tempered(self.probabilities, self.temperature)

    @property
    def codes(self) -> Ints:
        """Predicted labels as indices; -1 for a failure."""
        return self.predicted.codes


@dataclass(frozen=True)
class Rows:
    """Texts with a gold label."""

    gold: Ints
    langs: tuple[str, ...]
    texts: tuple[str, ...] | None
    systems: tuple[System, ...]
    notes: tuple[str, ...] = ()
    """What must be said about the labels."""


@dataclass(frozen=True)
class Columns:
    """The columns of gold files, as named on the command line; None: found by name."""

    label: str | None = None
    text: str | None = None
    lang: str | None = None
    encoding: str = "utf-8"


def from_files(
    files: Sequence[Path],
    predicted: Mapping[str, str],
    task: Task,
    columns: Columns,
    *,
    strict: bool = False,
    seen: Mapping[str, tuple[str, ...]] | None = None,
) -> Rows:
    """Rows of files that hold gold and predictions. `predicted` maps each system's name to its column.

    Raises UsageError, XltError.
    """
    with opened(files, columns.encoding) as source:
        text = source.find(columns.text, TEXT_COLUMNS, "--text-column")
        gold_column = source.need(columns.label, GOLD_COLUMNS, "--label-column", "gold labels")
        chosen = {
            name: source.need(column, (), "--pred-column", "the predictions") for name, column in predicted.items()
        }
        scores = {name: _score_columns(source, task, column) for name, column in chosen.items()}
        wanted = [gold_column, *chosen.values(), *(each for found in scores.values() for each in found)]
        cells = source.cells(wanted + ([text] if text else []))
        langs = source.languages(source.find(columns.lang, LANG_COLUMNS, "--lang-column"))
    systems = [
        System(
            name,
            match(cells[column], task.names, spellings(task), strict),
            _numbers({each: cells[each] for each in scores[name]}) if scores[name] else None,
            (seen or {}).get(name),
        )
        for name, column in chosen.items()
    ]
    texts = [each or "" for each in cells[text]] if text else None
    gold = match(cells[gold_column], task.names, spellings(task), strict)
    for system in systems:
        if len(gold.codes) and not (system.codes >= 0).any():
            odd = ", ".join(repr(each) for each in sorted(system.predicted.unknown)[:4]) or "nothing"
            raise UsageError(
                f"The predictions of {system.name} hold no label of the task {task.name} ({', '.join(task.names)}), "
                f"but {odd}; name the task with --task, or another column."
            )
    return labelled(gold, langs, texts, systems, str(files[0]), task)


def labelled(
    gold: Matched, langs: Sequence[str], texts: Sequence[str] | None, systems: Sequence[System], where: str, task: Task
) -> Rows:
    """The rows that have a gold label, with sentences about what was folded, failed or missing. Raises XltError."""
    _check_numbers(gold, "gold", "--label-column", task)
    for system in systems:
        _check_numbers(system.predicted, system.name, "--pred-column", task)
    kept = np.flatnonzero(gold.codes >= 0)
    if not len(kept):
        found = ", ".join(sorted(gold.unknown)[:8]) or "nothing"
        raise XltError(
            f"{where} has no gold label of the task {task.name} ({', '.join(task.names)}), but {found}; name the task "
            "with --task, or the column with --label-column."
        )
    notes = []
    if gold.missing:
        notes.append(f"{gold.missing:,} rows without a gold label are left out.")
    if gold.unknown:
        notes.append(f"Gold: no label of the task, left out: {_listed(gold.unknown)}.")
    if gold.folded:
        notes.append(f"Gold: taken for labels though spelt otherwise: {_listed(gold.folded)}.")
    for system in systems:
        answers = system.predicted
        if answers.folded:
            notes.append(f"{system.name}: taken for labels though spelt otherwise: {_listed(answers.folded)}.")
        if answers.unknown:
            notes.append(f"{system.name}: no label of the task, counted as errors: {_listed(answers.unknown)}.")
        if answers.missing:
            notes.append(f"{system.name}: {answers.missing:,} predictions are missing and count as errors.")
    return Rows(
        gold.codes[kept],
        tuple(langs[int(row)] for row in kept),
        tuple(texts[int(row)] for row in kept) if texts is not None else None,
        tuple(_kept(system, kept) for system in systems),
        tuple(notes),
    )


def from_corpus(corpus: Path, runs: Sequence[Run], task: Task) -> Rows:
    """The gold of a corpus against runs; gold drawn for training or for choosing a model is not scored.

    Raises XltError where there is none.
    """
    with gate.opened(corpus) as con:
        return from_open(con, corpus, runs, task)


def from_open(con: Connection, corpus: Path, runs: Sequence[Run], task: Task, *, dev: bool = False) -> Rows:
    """`from_corpus` of a corpus that is open already; `dev`: the gold that was drawn for dev alone, to fit on."""
    gold = gold_of(con, task.name, ("dev",) if dev else (None, "estimate"))
    if dev and not gold.rows:
        raise XltError(
            f"The corpus {corpus} has no gold of the task {task.name} that was drawn for dev; draw some with xlt "
            "sample draw --purpose dev and code it."
        )
    others = 0 if dev else len(gold_of(con, task.name, ("train", "dev")).rows)
    if not gold.rows:
        reserved = f" but {others:,} texts drawn to train or choose a model, which measure nothing" if others else ""
        raise XltError(
            f"The corpus {corpus} has no gold of the task {task.name}{reserved}; draw some with xlt sample draw "
            "and code it, or bring some with xlt import FILE --labels COLUMN."
        )
    keys = [row.key for row in gold.rows]
    found = {run.id: predictions_of(con, run.id, keys) for run in runs}
    known = {run.id: known_to(con, run, [row.text for row in gold.rows]) for run in runs}
    temperatures = {run.id: _temperature(run_record(con, run.id)) for run in runs}
    drawn = bool(draws(con, task.name))
    systems = []
    for run in runs:
        answers = found[run.id]
        order = [run.labels.index(name) if name in run.labels else None for name in task.names]
        nothing = [float("nan")] * len(order)
        given: Cells = [answers[key][0] if key in answers else None for key in keys]
        chances = [
            [answers[key][1][at] if at is not None else 0.0 for at in order] if key in answers else nothing
            for key in keys
        ]
        overlaps = None if known[run.id] is None else np.flatnonzero(known[run.id] or [])
        at = temperatures[run.id]
        systems.append(System(run.id, match(given, task.names, {}), np.array(chances), run.seen, overlaps, given_at=at))
    rows = labelled(
        match([row.label for row in gold.rows], task.names, {}),
        [row.lang for row in gold.rows],
        [row.text for row in gold.rows],
        systems,
        str(corpus),
        task,
    )
    notes = [*rows.notes]
    if gold.split:
        notes.append(f"{gold.split:,} texts are left out: their coders are split and nobody has settled them.")
    if others:
        notes.append(f"{others:,} texts drawn for training or for choosing a model are not scored.")
    if drawn:
        notes.append(
            "Every text counts once: what a draw took more of weighs more in the rows of several languages than it "
            "does in the corpus."
        )
    return Rows(rows.gold, rows.langs, rows.texts, rows.systems, tuple(notes))


def known_to(con: Connection, run: Run, texts: Sequence[str]) -> list[bool] | None:
    """For each text whether the run's model was tuned on it or nearly it; None when it kept no signatures."""
    folder = folder_of_run(run_record(con, run.id))
    return None if folder is None else known_in(folder, texts)


def known_in(folder: Path, texts: Sequence[str]) -> list[bool] | None:
    """The same of the model in a folder."""
    if not texts or not (folder / SIGNATURES).is_file():
        return None
    return [bool(each) for each in overlaps_of(folder, texts)]


def _check_numbers(found: Matched, what: str, option: str, task: Task) -> None:
    """Raise UsageError for labels numbered from 0, which would be read as the task's answers, each one off."""
    answers = {label.answer.strip() for label in task.labels}
    count = len(task.labels)
    numbers = {each.strip() for each in (*found.folded, *found.unknown) if each.strip().isdecimal()}
    from_zero = {str(number) for number in range(count)}
    if answers == {str(number) for number in range(1, count + 1)} and "0" in numbers and numbers <= from_zero:
        raise UsageError(
            f"The column of {what} numbers labels from 0 ({', '.join(sorted(numbers))}), and the task {task.name} "
            f"counts its answers from 1; name a column that holds the labels' names with {option}."
        )


def folder_of_run(record: Mapping[str, Any]) -> Path | None:
    """The folder that holds the card of a run's model; None where the run does not say."""
    model = record.get("model")
    files = model.get("files", {}) if isinstance(model, dict) else {}
    found = files.get("adapter") or files.get("weights")
    if not found:
        return None
    return Path(found).parent if found.endswith(".gguf") else Path(found)


def _temperature(record: Mapping[str, Any]) -> float:
    """The temperature that a run's probabilities were given at."""
    what = record.get("identity")
    return float(what.get("temperature", 1.0)) if isinstance(what, dict) else 1.0


def _kept(system: System, rows: Ints) -> System:
    predicted = system.predicted
    place = {int(row): at for at, row in enumerate(rows)}
    overlaps = system.overlaps
    return replace(
        system,
        predicted=replace(predicted, codes=predicted.codes[rows]),
        probabilities=None if system.probabilities is None else system.probabilities[rows],
        overlaps=None
        if overlaps is None
        else np.array([place[int(row)] for row in overlaps if int(row) in place], np.int64),
    )


def _score_columns(source: Source, task: Task, predicted: str) -> list[str]:
    """The probability columns that `xlt classify` wrote beside its predictions; none for another column."""
    if not predicted.startswith("predicted"):
        return []
    suffix = predicted.removeprefix("predicted")
    names = [task.column(label) + suffix for label in task.names]
    return names if all(name in source.names for name in names) else []


def _numbers(columns: Mapping[str, Cells]) -> Floats:
    """Probabilities of columns, (n, labels). Raises UsageError for what is none."""
    try:
        found = np.array([[float(cell) if cell else np.nan for cell in column] for column in columns.values()]).T
    except ValueError as error:
        raise UsageError(f"The columns {', '.join(columns)} hold what is no number: {error}.") from None
    given = np.isfinite(found).all(axis=1)
    wrong = given & ((found < 0).any(axis=1) | (np.abs(np.nan_to_num(found).sum(axis=1) - 1) > 0.01))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"The columns {', '.join(columns)} are no probabilities in row {row + 1} "
            f"({', '.join(f'{value:g}' for value in found[row])}): they must be 0 to 1 and sum to 1."
        )
    return found


def _listed(counts: Mapping[str, int], most: int = 6) -> str:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    parts = [f"{spelt!r} ({count:,})" for spelt, count in ordered[:most]]
    return ", ".join(parts) + (f" and {len(ordered) - most} more spellings" if len(ordered) > most else "")
