"""Scores of classifiers on gold: by language, seen and unseen, pooled; labels, topic, stance; and side by side.

Every result is a table with named columns, so that the terminal, CSV, JSON and a report show the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xlt.science.bootstrap import (
    DRAWS,
    LEAST_OF_A_LABEL,
    LEAST_ROWS,
    LEAST_ROWS_STANDARDISED,
    Interval,
    allows_interval,
    allows_standardised,
    drawn,
    interval,
)
from xlt.science.labels import regroup
from xlt.science.metrics import Floats, Ints, accuracy_of, confusion, f1_of, scores, to_mix
from xlt.study.rows import Rows, System
from xlt.tasks.spec import Task

LABELS = "labels"
END_TO_END = "end to end"
APART = "all but overlaps"
"""All texts but those that are nearly one that a system was tuned on."""


@dataclass
class Table:
    """Named columns and rows. Missing numbers are None."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Measure:
    """One way to look at the labels: all of them, or a group's classes."""

    name: str
    classes: tuple[str, ...]
    gold: Ints
    """Indices of classes; -2 in rows that are not scored."""
    outside: bool = False
    """Whether the last class is "none of them": it takes part in precision and recall but not in the mean."""

    @property
    def counted(self) -> int:
        """Classes in the mean."""
        return len(self.classes) - self.outside


@dataclass(frozen=True)
class Slice:
    """Some rows, under a name."""

    name: str
    rows: Ints
    """Their positions."""
    kind: str
    """language, seen, unseen, all, or all without overlap."""


def measures(task: Task, gold: Ints) -> list[tuple[Measure, dict[str, tuple[str, ...]]]]:
    """All labels, each group among the rows that gold puts into it, and groups that leave labels out end to end."""
    alone: dict[str, tuple[str, ...]] = {name: (name,) for name in task.names}
    found = [(Measure(LABELS, task.names, gold), alone)]
    for name, classes in task.groups.items():
        found.append((Measure(name, tuple(classes), regroup(gold, task.names, classes)), classes))
        rest = tuple(each for each in task.names if all(each not in members for members in classes.values()))
        if rest:
            whole = {**classes, "none": rest}
            codes = regroup(gold, task.names, whole)
            found.append((Measure(f"{name} {END_TO_END}", tuple(whole), codes, outside=True), whole))
    return found


def slices(rows: Rows, system: System) -> list[Slice]:
    """Each language, the commonest first; seen and unseen together; all; and all that was not trained on."""
    langs = np.array(rows.langs)
    names, sizes = np.unique(langs, return_counts=True)
    order = sorted(range(len(names)), key=lambda at: (-sizes[at], names[at]))
    found = [Slice(str(names[at]), np.flatnonzero(langs == names[at]), "language") for at in order]
    everything = np.arange(len(langs))
    if system.seen is not None:
        known = np.isin(langs, list(system.seen))
        if known.any() and not known.all():
            found += [Slice(name, np.flatnonzero(mask), name) for name, mask in (("seen", known), ("unseen", ~known))]
    found.append(Slice("all", everything, "all"))
    if system.overlaps is not None and len(system.overlaps):
        found.append(Slice(APART, np.setdiff1d(everything, system.overlaps), "without overlap"))
    return found


SCORES = (
    "model",
    "slice",
    "kind",
    "measure",
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "macro_f1",
    "macro_f1_low",
    "macro_f1_high",
    "weighted_f1",
    "kappa",
    "commonest_accuracy",
    "commonest_macro_f1",
    "same_mix_accuracy",
    "same_mix_accuracy_low",
    "same_mix_accuracy_high",
    "same_mix_macro_f1",
    "same_mix_macro_f1_low",
    "same_mix_macro_f1_high",
    "failed",
    "overlap",
    "absent",
)


_BOUNDED = ("accuracy", "macro-F1", "same mix accuracy", "same mix macro-F1")


def score_table(rows: Rows, task: Task, seed: int = 0, draws: int = DRAWS) -> Table:
    """One row per system, slice and measure. `same_mix_*` is standardised to the label mix of all rows together."""
    table = Table(SCORES)
    for system in rows.systems:
        for measure, classes in measures(task, rows.gold):
            predicted = regroup(system.codes, task.names, classes)
            mix = _mix(measure)
            for each in slices(rows, system):
                table.rows.append(_score_row(rows, system, measure, predicted, each, mix, seed, draws))
    return table


def footnotes(table: Table) -> list[str]:
    """What must be known to read a table of scores."""
    at = {name: position for position, name in enumerate(table.columns)}
    main = [row for row in table.rows if row[at["measure"]] == LABELS]
    notes = [
        f"No interval below {LEAST_ROWS} texts or {LEAST_OF_A_LABEL} of each label. same mix: accuracy if every row "
        "had the label mix of all texts together (no interval where that is no surer than of "
        f"{LEAST_ROWS_STANDARDISED} texts); commonest: accuracy of always saying the commonest label."
    ]
    absent: dict[str, dict[str, None]] = {}
    for row in table.rows:
        # End to end a group lacks what the group lacks.
        if row[at["absent"]] and not row[at["measure"]].endswith(END_TO_END):
            absent.setdefault(row[at["measure"]], {})[f"{row[at['slice']]} ({row[at['absent']]})"] = None
    if absent:
        lacking = "; ".join(f"{measure}: {', '.join(where)}" for measure, where in absent.items())
        notes.append(f"Macro-F1 counts a label that gold lacks as 0. {lacking}.")
    overlaps = {row[0]: row[at["overlap"]] for row in main if row[at["kind"]] == "all" and row[at["overlap"]]}
    for system, count in overlaps.items():
        notes.append(f"{system}: {count:,} texts are nearly the same as one that it was tuned on.")
    return notes


def _score_row(
    rows: Rows, system: System, measure: Measure, predicted: Ints, each: Slice, mix: Floats, seed: int, draws: int
) -> tuple[Any, ...]:
    chosen = each.rows[measure.gold[each.rows] >= 0]
    strata = _strata(rows, measure, predicted, chosen)
    counts = np.sum(strata, axis=0) if strata else np.zeros((len(measure.classes), len(measure.classes) + 1))
    found = scores(counts)
    bounds = _intervals(strata, counts, measure, mix, seed, draws)
    same = to_mix(counts, mix)
    overlap = None if system.overlaps is None else int(np.isin(each.rows, system.overlaps).sum())
    return (
        system.name,
        each.name,
        each.kind,
        measure.name,
        found.n,
        None if measure.outside else _number(found.accuracy),
        *bounds["accuracy"],
        _macro(counts, measure) if found.n else None,
        *bounds["macro-F1"],
        _weighted(counts, measure),
        _number(found.kappa),
        None if measure.outside else _number(found.commonest_accuracy),
        None if measure.outside else _number(found.commonest_macro_f1),
        None if measure.outside else _number(float(accuracy_of(same))),
        *bounds["same mix accuracy"],
        _macro(same, measure),
        *bounds["same mix macro-F1"],
        int((system.codes[chosen] < 0).sum()),
        overlap,
        "; ".join(name for name, size in zip(measure.classes, found.gold, strict=True) if not size) or None,
    )


def _strata(rows: Rows, measure: Measure, predicted: Ints, chosen: Ints) -> list[Floats]:
    """A confusion for each language among the chosen rows."""
    langs = np.array(rows.langs)[chosen]
    found = []
    for lang in np.unique(langs):
        inside = chosen[langs == lang]
        found.append(confusion(measure.gold[inside], np.maximum(predicted[inside], -1), len(measure.classes)))
    return found


def _intervals(
    strata: Sequence[Floats], counts: Floats, measure: Measure, mix: Floats, seed: int, draws: int
) -> dict[str, Interval | tuple[None, None]]:
    """Of each score that has one, all from the same draws."""
    found: dict[str, Interval | tuple[None, None]] = dict.fromkeys(_BOUNDED, (None, None))
    if not allows_interval(counts):
        return found
    resampled = drawn(strata, seed, draws)
    versions = {"": resampled}
    if allows_standardised(counts, mix):
        versions["same mix "] = to_mix(resampled, mix)
    for of, each in versions.items():
        if not measure.outside:
            # Rows that neither gold nor the prediction puts into a group would fill an accuracy with what is not asked.
            found[f"{of}accuracy"] = interval(accuracy_of(each)) or (None, None)
        found[f"{of}macro-F1"] = interval(f1_of(each)[:, : measure.counted].mean(axis=1)) or (None, None)
    return found


def _mix(measure: Measure) -> Floats:
    inside = measure.gold[measure.gold >= 0]
    counted = np.bincount(inside, minlength=len(measure.classes)).astype(float)
    return np.asarray(counted / max(1, len(inside)))


def _macro(counts: Floats, measure: Measure) -> float | None:
    return _number(float(f1_of(counts)[: measure.counted].mean()))


def _weighted(counts: Floats, measure: Measure) -> float | None:
    meant = counts.sum(axis=1)[: measure.counted]
    return float(np.average(f1_of(counts)[: measure.counted], weights=meant)) if meant.sum() else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def label_table(rows: Rows, task: Task) -> Table:
    """Precision, recall and F1 of every label, by system, slice and measure; recall with a Wilson interval."""
    from xlt.science.wilson import wilson

    table = Table(
        (
            *("model", "slice", "kind", "measure", "label", "gold", "predicted"),
            *("precision", "recall", "recall_low", "recall_high", "f1"),
        )
    )
    for system in rows.systems:
        for measure, classes in measures(task, rows.gold):
            predicted = regroup(system.codes, task.names, classes)
            for each in slices(rows, system):
                chosen = each.rows[measure.gold[each.rows] >= 0]
                counts = confusion(measure.gold[chosen], np.maximum(predicted[chosen], -1), len(measure.classes))
                found = scores(counts)
                for at, name in enumerate(measure.classes[: measure.counted]):
                    meant = int(found.gold[at])
                    bounds = wilson(float(found.recall[at]), meant) if meant else (None, None)
                    given = int(counts[:, at].sum())
                    row = (system.name, each.name, each.kind, measure.name, name, meant, given)
                    precise = float(found.precision[at]) if given else None
                    table.rows.append((*row, precise, _number(found.recall[at]), *bounds, float(found.f1[at])))
    return table


def confusion_table(rows: Rows, task: Task) -> Table:
    """How often each gold label was taken for each label, by system and slice; `failed` is no label."""
    table = Table(("model", "slice", "kind", "gold", "predicted", "n"))
    for system in rows.systems:
        for each in slices(rows, system):
            counts = confusion(rows.gold[each.rows], system.codes[each.rows], len(task.names))
            for gold, row in zip(task.names, counts, strict=True):
                for predicted, count in zip([*task.names, "failed"], row, strict=True):
                    table.rows.append((system.name, each.name, each.kind, gold, predicted, int(count)))
    return table
