"""Agreement of the people who coded a corpus's gold, and of a model with them, language by language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xlt.science.agreement import LEAST_UNITS, agreement, as_ratings, beside_model, pairs
from xlt.science.metrics import Ints
from xlt.study.evaluate import Table
from xlt.tasks.spec import Task

Rating = tuple[str, str, str, str | None]
"""Text key, coder, label, language."""
EVERYTHING = "all"


def agreement_table(rows: Sequence[Rating], task: Task) -> Table:
    """Krippendorff's alpha by language and over all; intervals only where there are enough texts."""
    table = Table(("slice", "texts", "alpha", "alpha_low", "alpha_high", "agreement", "coders"))
    for name, ratings, coders in _slices(rows, task):
        found = agreement(ratings, len(task.names))
        low, high = found.alpha_interval or (None, None)
        if found.units:
            table.rows.append((name, found.units, _n(found.alpha), low, high, _n(found.agreement), len(coders)))
    return table


def pair_table(rows: Sequence[Rating], task: Task) -> Table:
    """Every two coders: texts that both coded, agreement, Cohen's kappa."""
    table = Table(("slice", "coder", "other", "texts", "agreement", "kappa"))
    for name, ratings, coders in _slices(rows, task):
        for pair in pairs(ratings, len(task.names)):
            table.rows.append((name, coders[pair.a], coders[pair.b], pair.units, pair.agreement, _n(pair.kappa)))
    return table


def model_table(rows: Sequence[Rating], predicted: Mapping[str, str], task: Task) -> Table:
    """Each coder with the other coders, and with the model, on the very same texts: alpha both ways."""
    table = Table(("slice", "coder", "texts", "alpha_with_people", "alpha_with_model"))
    for name, part in _by_language(rows):
        keys, coders, ratings = _ratings(part, task)
        model = np.array(
            [task.names.index(predicted[key]) if predicted.get(key) in task.names else -1 for key in keys], np.int64
        )
        for each in beside_model(ratings, model, len(task.names)):
            people, machine = _n(each.with_people), _n(each.with_model)
            table.rows.append((name, coders[each.coder], each.units, people, machine))
    return table


def footnotes() -> list[str]:
    """What must be known to read these tables."""
    return [
        "Krippendorff's alpha for nominal labels, over texts that two people or more coded; adjudicators' rows and "
        f"texts held uncodable are left out. Intervals draw texts anew and need {LEAST_UNITS} of them."
    ]


def _by_language(rows: Sequence[Rating]) -> list[tuple[str, list[Rating]]]:
    langs: dict[str, list[Rating]] = {}
    for row in rows:
        langs.setdefault(row[3] or "und", []).append(row)
    ordered = sorted(langs.items(), key=lambda item: (-len(item[1]), item[0]))
    return [*ordered, (EVERYTHING, list(rows))]


def _ratings(rows: Sequence[Rating], task: Task) -> tuple[list[str], list[str], Ints]:
    return as_ratings([(key, coder, task.names.index(label)) for key, coder, label, _ in rows if label in task.names])


def _slices(rows: Sequence[Rating], task: Task) -> list[tuple[str, Ints, list[str]]]:
    found = []
    for name, part in _by_language(rows):
        _, coders, ratings = _ratings(part, task)
        found.append((name, ratings, coders))
    return found


def _n(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
