"""Corrected shares by language, period or any column: a breakdown, its hand-labelled part, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xlt.corpus.breakdown import Answer, Question, breakdown
from xlt.corpus.dimensions import Key
from xlt.corpus.draws import Draw, draws, find_draw
from xlt.corpus.estimates import GoldColumns, GoldRow, gold_in_corpus, gold_in_files, in_frame
from xlt.corpus.importing.gold import spellings
from xlt.corpus.labelled import Labelled, Run, from_corpus
from xlt.corpus.shares import Row, groups_of
from xlt.errors import UsageError, XltError
from xlt.science.labels import match
from xlt.science.metrics import Floats, Ints
from xlt.science.prevalence import LEAST_GOLD, Sample, Share, pooled_share, share
from xlt.study.evaluate import Table
from xlt.study.rows import known_in
from xlt.study.untouched import known_texts, untouched
from xlt.tasks.spec import Task

if TYPE_CHECKING:
    from xlt.corpus.leash import Connection

Shares = Mapping[str, Mapping[str, Share]]
"""Group → class → share."""


@dataclass(frozen=True)
class Estimates:
    """Corrected shares."""

    answer: Answer
    """The breakdown that they correct; its rows are the cells."""
    cells: tuple[Shares, ...]
    """One per row of the answer."""
    total: Shares
    notes: tuple[str, ...]

    def corrected(self) -> Answer:
        """The answer with corrected shares and their intervals in place of the classifier's own."""
        rows = [_corrected(row, each) for row, each in zip(self.answer.rows, self.cells, strict=True)]
        return replace(self.answer, rows=tuple(rows), total=_corrected(self.answer.total, self.total))

    def table(self) -> Table:
        """Every estimate of every share; the last cell, with empty keys, is all together."""
        table = Table(
            (
                *self.answer.by,
                *("group", "class", "n", "gold_n", "naive", "gold_only", "gold_low", "gold_high"),
                *("adjusted_count", "corrected", "low", "high", "method", "more_to_halve"),
            )
        )
        cells = [*zip(self.answer.rows, self.cells, strict=True), (self.answer.total, self.total)]
        for row, shares in cells if len(self.answer.rows) != 1 else cells[:1]:
            keys = row.keys or (None,) * len(self.answer.by)
            for group, classes in shares.items():
                for name, found in classes.items():
                    table.rows.append((*keys, group, name, row.n, *_values(found)))
        return table


def from_files(
    con: Connection,
    source: Labelled,
    question: Question,
    columns: GoldColumns,
    task: Task,
    *,
    random_sample: bool = False,
    model: Path | None = None,
) -> Estimates:
    """Estimate from labelled files that hold gold in some rows. Raises UsageError, XltError.

    `model` is the folder of the model that made the predictions: gold that it was tuned on is left out or refused.
    """
    if (columns.probability is None) != random_sample:
        raise UsageError(
            "Say how the gold rows were drawn: name the column with the chance that each had (--probability-column), "
            "or state that they are a plain random sample of every cell (--random-sample)."
        )
    if model is not None and columns.text is None:
        raise UsageError("Whether the model was tuned on the gold shows in the texts, and these files have none.")
    answer = breakdown(con, source, question, task.groups, task.names)
    rows = gold_in_files(con, source, question, columns)
    given = match([row.gold for row in rows], task.names, spellings(task))
    notes = []
    if wrong := int((given.codes < 0).sum()):
        unknown = ", ".join(sorted(given.unknown))
        notes.append(f"{wrong:,} gold labels are none of the task's and are left out: {unknown}.")
    kept = [
        replace(row, gold=task.names[code]) for row, code in zip(rows, given.codes.tolist(), strict=True) if code >= 0
    ]
    if model is None:
        notes.append(
            "Taken as stated: none of the gold tuned, calibrated or chose the model. --model NAME checks what it was "
            "tuned on."
        )
        return estimate(answer, kept, task, notes)
    known = known_in(model, [row.text for row in kept])
    kept, said = untouched(model.name, known, kept, tuned=True)
    return estimate(answer, kept, task, notes + said)


@dataclass(frozen=True)
class Asked:
    """What an estimate is made of."""

    answer: Answer
    rows: tuple[GoldRow, ...]
    notes: tuple[str, ...]


def of_corpus(
    con: Connection,
    run: Run,
    question: Question,
    task: Task,
    draw: str | None = None,
    *,
    random_sample: bool = False,
) -> Estimates:
    """Estimate from an open corpus: a run's predictions and the gold of a draw for estimates, the newest by default.

    `random_sample` takes gold without a draw, stated to be a plain random sample of every cell. Raises UsageError when
    nothing was drawn for estimates, XltError when the model knows too many of the gold texts.
    """
    asked = ask_corpus(con, run, question, task, draw, random_sample=random_sample)
    return estimate(asked.answer, asked.rows, task, asked.notes)


def ask_corpus(
    con: Connection,
    run: Run,
    question: Question,
    task: Task,
    draw: str | None = None,
    *,
    random_sample: bool = False,
) -> Asked:
    """What `of_corpus` estimates from. Raises as it does."""
    source = from_corpus(con, [run])
    chosen = None if random_sample else estimate_draw(con, task, draw)
    question = in_frame(question, chosen, run) if chosen is not None else replace(question, unit="texts")
    answer = breakdown(con, source, question, task.groups, task.names)
    # Before anything is weighted: what is left of a stratum stands for all of it.
    known, said = known_texts(con, run, task, chosen)
    rows, notes = gold_in_corpus(con, source, question, task.name, chosen, known)
    if chosen is not None:
        size = answer.total.n + (answer.without_label or 0)
        notes.insert(0, f"Gold of the draw {chosen.id} (seed {chosen.seed}), {len(rows):,} {chosen.unit}.")
        if not question.langs and answer.total.n != chosen.frame_size and size != chosen.frame_size:
            notes.append(f"The draw was from {chosen.frame_size:,} {chosen.unit}; now {size:,} are asked for.")
    notes += said
    (others,) = con.execute("SELECT count(*) - 1 FROM runs WHERE task = ?", [run.task]).fetchone() or (0,)
    if others > 0:
        notes.append(
            f"Runs of this task: {others + 1:,}. Choose one before you look at its corrected shares: of several, the "
            "one picked by the gold that corrects it has too narrow an interval."
        )
    return Asked(answer, tuple(rows), tuple(notes))


def estimate(answer: Answer, rows: Sequence[GoldRow], task: Task, notes: Sequence[str] = ()) -> Estimates:
    """Every share of every cell, from a breakdown in the same unit and its gold rows."""
    labels = {name: at for at, name in enumerate(task.names)}
    usable = [row for row in rows if row.predicted in labels]
    said = [*notes]
    if len(usable) < len(rows):
        said.append(f"{len(rows) - len(usable):,} gold rows have no prediction and are left out.")
    if not usable:
        raise XltError(
            "There is no gold to correct by; code some of a draw (xlt sample draw 200 --purpose estimate), or name the "
            "column with gold."
        )
    cells = [row.keys for row in answer.rows] or [()]
    place = {keys: at for at, keys in enumerate(cells)}
    # In one order, so that sums have the same digits however the rows came.
    usable = sorted((row for row in usable if row.keys in place), key=lambda row: _order(row, place))
    at = np.array([place[row.keys] for row in usable], np.int64)
    populations = [_counts(row, task) for row in answer.rows or (answer.total,)]
    sample = _sample(usable, at, populations, labels)
    with_gold = np.unique(at)
    groups = groups_of(task.groups, task.names)
    found, pooled = [], []
    for number, population in enumerate(populations):
        own = sample.part(np.flatnonzero(at == number))
        shares = _shares(own, sample, population, groups, labels)
        found.append(shares)
        borrowed = [
            group for group, classes in shares.items() if any(each.method == "pooled" for each in classes.values())
        ]
        if borrowed:
            pooled.append(f"{', '.join(str(key) for key in cells[number])} ({', '.join(borrowed)})")
    known = all(row.probability is not None for row in usable)
    whole = np.sum(populations if known else [populations[each] for each in with_gold], axis=0)
    total = _shares(sample, sample, whole, groups, labels)
    said += _reading(pooled, cells, with_gold, known)
    return Estimates(answer, tuple(found) if answer.rows else (), total, tuple(said))


def estimate_draw(con: Connection, task: Task, wanted: str | None) -> Draw:
    """The draw of this id or the newest one for estimates. Raises UsageError when it is for anything else."""
    fit = [each for each in draws(con, task.name) if each.purpose == "estimate"]
    if wanted is not None:
        found = find_draw(con, wanted, task.name)
        if found.purpose != "estimate":
            raise UsageError(
                f"The draw {found.id} is for {found.purpose}: its labels tuned or chose a model and can't correct it; "
                "draw texts with xlt sample draw N --purpose estimate."
            )
        return found
    if not fit:
        raise UsageError(
            "No texts were drawn for estimates; draw some with xlt sample draw 200 --purpose estimate and code them, "
            "or, if the gold is a plain random sample of every cell, say so with --random-sample."
        )
    return fit[-1]


def _counts(row: Row, task: Task) -> Floats:
    """Predictions of a cell, (labels + 1,); posts without a label of the task are in no count."""
    return np.array([float(row.labels.get(name, 0)) for name in task.names] + [0.0])


def _order(row: GoldRow, place: Mapping[tuple[Key, ...], int]) -> tuple[Any, ...]:
    return place[row.keys], row.stratum, row.probability or 0.0, row.gold, row.predicted


def _sample(rows: Sequence[GoldRow], at: Ints, populations: Sequence[Floats], labels: Mapping[str, int]) -> Sample:
    """All gold rows. Without probabilities each cell is a stratum of its own, drawn plainly."""
    gold = np.array([labels[row.gold] for row in rows], np.int64)
    predicted = np.array([labels[str(row.predicted)] for row in rows], np.int64)
    if all(row.probability is not None for row in rows):
        chances = np.array([row.probability for row in rows], float)
        names = sorted({row.stratum for row in rows})
        strata = np.array([names.index(row.stratum) for row in rows], np.int64)
    else:
        sizes = np.array([population.sum() for population in populations])
        chances = np.minimum(1.0, np.bincount(at, minlength=len(sizes))[at] / np.maximum(sizes[at], 1.0))
        strata = at
    return Sample(gold, predicted, 1 / chances, strata, chances)


def _shares(
    own: Sample,
    pool: Sample,
    population: Floats,
    groups: Mapping[str, Mapping[str, tuple[str, ...]]],
    labels: Mapping[str, int],
) -> dict[str, dict[str, Share]]:
    found: dict[str, dict[str, Share]] = {}
    for group, classes in groups.items():
        base = [labels[name] for members in classes.values() for name in members]
        found[group] = {}
        for name, members in classes.items():
            inside = [labels[each] for each in members]
            each = share(own, population, inside, base)
            if each.method == "none" and len(own) < len(pool):
                each = pooled_share(own, pool, population, inside, base)
            found[group][name] = each
    return found


def _corrected(row: Row, shares: Shares) -> Row:
    return replace(
        row,
        corrected={
            group: {name: each.corrected for name, each in classes.items()} for group, classes in shares.items()
        },
        intervals={group: {name: each.interval for name, each in classes.items()} for group, classes in shares.items()},
    )


def _values(found: Share) -> tuple[Any, ...]:
    gold, bounds = found.gold_interval or (None, None), found.interval or (None, None)
    method = {"none": "not estimable"}.get(found.method, found.method)
    return found.n, found.naive, found.gold, *gold, found.adjusted, found.corrected, *bounds, method, found.more


def _reading(pooled: Sequence[str], cells: Sequence[tuple[Key, ...]], with_gold: Ints, known: bool) -> list[str]:
    notes = [
        "corrected: by ppi (prediction-powered inference), or by gold alone where the sample caught fewer than two "
        f"errors or predictions add nothing. Intervals: 95 %, from {LEAST_GOLD} gold labels on, also once unequal "
        "weights are allowed for; naive, adjusted and pooled shares have none. "
        "Every share is estimated by itself, so shares of one group need not add up to exactly 100 %.",
    ]
    if pooled:
        notes.append(
            f"Fewer than {LEAST_GOLD} gold labels of their own, so pooled: {'; '.join(pooled)}. Assumed: a text with a "
            "given prediction has each label as often there as over all gold."
        )
    if not known:
        notes.append("Taken as stated: the gold is a plain random sample of every cell.")
        missing = [", ".join(map(str, keys)) for at, keys in enumerate(cells) if at not in set(with_gold.tolist())]
        if missing:
            notes.append(f"Without gold, and so not in the row of all together: {'; '.join(missing)}.")
    return notes
