"""Reads what there is to learn from: labelled files, the corpus's gold, or the bundled sample."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from xlt.bundled import bundled
from xlt.corpus.coded import Coded, CodedColumns, CodedRows, Side, gold_tasks, read_coded, read_gold
from xlt.corpus.importing.gold import spellings
from xlt.corpus.journal import catch_up
from xlt.corpus.rejects import Reject
from xlt.corpus.store import corpus_path
from xlt.errors import UsageError, XltError
from xlt.languages import canonical
from xlt.tasks.load import builtin_names, load_task
from xlt.tasks.spec import Task
from xlt.training.examples import Example, Left

SAMPLE = ("models", "sample", "sample.parquet")


@dataclass(frozen=True)
class Source:
    """Where labelled texts come from, as the user said it."""

    files: tuple[Path, ...] = ()
    """None: the corpus's gold labels; where there are none either, the bundled sample."""
    workspace: Path = Path()
    columns: CodedColumns = field(default_factory=CodedColumns)
    detect: bool = False
    """Find the language of rows that have none."""
    skip_labels: tuple[str, ...] = ()
    """Labels that are no label of the task and are left aside."""


@dataclass
class Material:
    """Labelled examples, checked one by one, and what is to be said of them."""

    examples: list[Example] = field(default_factory=list)
    sides: list[Side] = field(default_factory=list)
    """What each example is meant for, where the data says so."""
    left: list[Left] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences about where they come from and how they were read."""
    has_authors: bool = False


def read_material(source: Source, task: Task) -> Material:
    """All labelled examples of a source. Raises UsageError, XltError."""
    rows, notes = _rows(source, task)
    found = Material(rejects=rows.rejects, notes=notes, has_authors="author" in rows.columns)
    found.left += [Left(f"gold without a label to learn: {why}", count) for why, count in rows.left.items()]
    coded = _labelled(rows.rows, source, task, found)
    langs = _langs(coded, source, rows, found)
    unspoken: Counter[str] = Counter()
    for row, lang in zip(coded, langs, strict=True):
        text = task.normalise(row.text)
        if not text:
            found.rejects.append(Reject(row.file, row.row, "nothing is left of the text when it is normalised"))
        elif lang == "und":
            unspoken["und"] += 1
        else:
            name = row.id or f"row {row.row}"
            found.examples.append(
                Example(text, row.label, lang, name, row.file, row.row, row.group, row.author, row.original)
            )
            found.sides.append(row.side)
    if unspoken:
        found.left.append(Left("no language", unspoken["und"], dict(unspoken)))
    if not found.examples:
        raise XltError(f"There is no labelled text to learn from in {_named(source)}.")
    return found


def _rows(source: Source, task: Task) -> tuple[CodedRows, list[str]]:
    if source.files:
        rows = read_coded(source.files, source.columns)
        where = ", ".join(f"{what} from {column!r}" for what, column in rows.columns.items() if what != "id")
        return rows, [f"Data: {_named(source)} ({where})."]
    corpus = corpus_path(source.workspace)
    # Labels of a session that was killed belong to it.
    waited = catch_up(corpus)
    there = gold_tasks(corpus) if corpus.exists() else {}
    if there:
        tasks = _alike(task)
        if not set(tasks) & set(there):
            others = ", ".join(f"{name} ({count:,} texts)" for name, count in there.items())
            raise UsageError(
                f"The corpus {corpus} has no gold labels of the task {task.name}, only of {others}; name one with "
                "--task, or a file with --data."
            )
        notes = [*([waited] if waited else []), f"Data: the gold labels of {corpus}."]
        return read_gold(corpus, tasks, task.coded), notes
    if task.name not in _alike(load_task("immigration")):
        raise UsageError(
            f"There is nothing labelled for the task {task.name}: give a file with --data, or import one with "
            "xlt import FILE --labels COLUMN."
        )
    note = (
        "Data: the sample that ships with xlt, invented tweets for trying things out; give your own with --data FILE."
    )
    return _sample(), [note]


def _sample() -> CodedRows:
    """The labelled rows of the bundled sample; its column `split` is about xlt-mini and says nothing here."""
    found = read_coded([bundled(*SAMPLE)], CodedColumns())
    return CodedRows([replace(row, side="") for row in found.rows], columns=found.columns)


def _alike(task: Task) -> list[str]:
    """Names of this task and of built-in ones with the same labels: another prompt for the same question."""
    return sorted({task.name, *(name for name in builtin_names() if load_task(name).names == task.names)})


def _named(source: Source) -> str:
    if not source.files:
        return "the corpus"
    names = ", ".join(path.name for path in source.files[:3])
    return names if len(source.files) <= 3 else f"{names} and {len(source.files) - 3} more files"


def _labelled(rows: Sequence[Coded], source: Source, task: Task, found: Material) -> list[Coded]:
    """The rows with their labels as the task names them. Raises UsageError, listing labels that it has not."""
    known = {_folded(spelt): name for spelt, name in spellings(task).items()}
    skipped = {label.casefold() for label in source.skip_labels}
    given = Counter(row.label for row in rows)
    # Spelt as it is first, so that a task whose labels differ in case alone keeps them apart.
    meaning = {
        label: label if label in task.names else known.get(_folded(label), "")
        for label in given
        if label.casefold() not in skipped
    }
    if unknown := {label: count for label, count in given.most_common() if meaning.get(label) == ""}:
        listed = ", ".join(f"{label!r} ({count:,})" for label, count in list(unknown.items())[:12])
        more = f" and {len(unknown) - 12} more" if len(unknown) > 12 else ""
        skip = f", or leave these rows aside with --skip-labels {','.join(list(unknown)[:3])}"
        if any(map(str.isdecimal, map(_folded, unknown))):
            # Numbers that count from 0 would be taken for others that count from 1: nothing to be skipped lightly.
            skip = f"; numbers mean {', '.join(f'{label.answer} {label.name}' for label in task.labels)} here"
        raise UsageError(
            f"{_named(source)} has labels that the task {task.name} does not know: {listed}{more}; it knows "
            f"{', '.join(task.names)}. Mend them, name another --label-column or --task{skip}."
        )
    folded: defaultdict[str, list[str]] = defaultdict(list)
    for label, name in meaning.items():
        if label != name:
            folded[name].append(f"{label!r} ({given[label]:,})")
    for name, spelt in folded.items():
        found.notes.append(f"Read as {name}: {', '.join(sorted(spelt))}.")
    if aside := sum(count for label, count in given.items() if label not in meaning):
        found.left.append(Left("labels to be skipped", aside))
    return [replace(row, label=meaning[row.label]) for row in rows if row.label in meaning]


def _folded(label: str) -> str:
    """A label without differences of case, spacing, - and _, or the point that a table of numbers adds."""
    label = re.sub(r"[\s_-]+", "-", label.strip()).casefold()
    return re.sub(r"^(\d+)\.0$", r"\1", label)


def _langs(rows: Sequence[Coded], source: Source, read: CodedRows, found: Material) -> list[str]:
    """The canonical code of each row's language, `und` where there is none."""
    if "lang" not in read.columns and not source.detect:
        raise UsageError(
            f"{_named(source)} has no column of languages; name it with --lang-column, or let xlt find the languages "
            "out with --detect."
        )
    langs = [canonical(row.lang) for row in rows]
    missing = [here for here, lang in enumerate(langs) if lang == "und"]
    if missing and source.detect:
        from xlt.languages.detect import detect

        for here, (lang, _) in zip(missing, detect(rows[here].text for here in missing), strict=True):
            langs[here] = lang
        found.notes.append(
            f"Languages found out for {len(missing):,} rows: {_listed(langs[here] for here in missing)}."
        )
    elif missing:
        found.notes.append(f"{len(missing):,} rows have no language and are left aside; --detect finds it out.")
    return langs


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in Counter(names).most_common())
