"""What a classifier's confidence is worth: calibration, the most confident part, and its worst errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from xlt.science.bootstrap import LEAST_ROWS
from xlt.science.calibration import reliability, tempered
from xlt.science.metrics import Floats, Ints
from xlt.science.risk import risk_coverage
from xlt.study.evaluate import Table, slices
from xlt.study.rows import Rows, System
from xlt.tasks.spec import Task

Bools = npt.NDArray[np.bool_]
Cell = tuple[str, int]
"""A language and a predicted label."""


def calibration_table(rows: Rows, weights: Mapping[Cell, float] | None = None) -> Table:
    """Expected calibration error (from 50 texts on) by system and slice; tempered too, if the card has a temperature.

    `weights` are how often the corpus has each language and predicted label: rows are reweighed to that mix.
    """
    table = Table(("model", "slice", "probabilities", "n", "ece", "brier", "nll", "accuracy", "confidence"))
    for system, chances, usable in _with_chances(rows):
        weight = None if weights is None else to_mix(rows, chances, usable, weights)
        for each in slices(rows, system):
            at = each.rows[usable[each.rows]]
            for name, shown in _versions(system, chances[at]):
                if len(at):
                    found = _calibration(shown, rows.gold[at], None)
                    table.rows.append((system.name, each.name, name, len(at), *found))
                if weight is not None and weight[at].sum() > 0:
                    found = _calibration(shown, rows.gold[at], weight[at])
                    table.rows.append((system.name, each.name, f"{name}, corpus mix", len(at), *found))
    return table


def _calibration(chances: Floats, gold: Ints, weights: Floats | None) -> tuple[float | None, ...]:
    found = reliability(chances, gold, weights)
    # Of few texts the error comes out large whatever the model: every band then holds a handful.
    ece = found.ece if len(gold) >= LEAST_ROWS else None
    right = np.average(chances.argmax(axis=1) == gold, weights=weights)
    return ece, found.brier, found.nll, float(right), float(np.average(chances.max(axis=1), weights=weights))


def reliability_table(rows: Rows) -> Table:
    """Accuracy in each band of confidence, all languages together."""
    table = Table(("model", "probabilities", "above", "up_to", "n", "confidence", "accuracy"))
    for system, chances, usable in _with_chances(rows):
        for name, shown in _versions(system, chances[usable]):
            for each in reliability(shown, rows.gold[usable]).bins:
                table.rows.append((system.name, name, each.low, each.high, each.n, each.confidence, each.accuracy))
    return table


def risk_table(rows: Rows, task: Task) -> Table:
    """Scores of the most confident 100 %, 90 % … 10 % of all rows; a row without probabilities comes last."""
    table = Table(("model", "most_confident", "n", "least_confidence", "accuracy", "macro_f1"))
    for system, chances, usable in _with_chances(rows):
        shown = chances if system.calibrated is None else system.calibrated
        confidence = np.where(usable, np.nan_to_num(shown).max(axis=1), 0.0)
        for each in risk_coverage(confidence, rows.gold, system.codes, len(task.names)):
            table.rows.append((system.name, each.coverage, each.n, each.least_confidence, each.accuracy, each.macro_f1))
    return table


def error_table(rows: Rows, task: Task, most: int = 20) -> Table:
    """The errors a system was surest of; without probabilities, those that most systems made."""
    table = Table(("model", "lang", "gold", "predicted", "confidence", "wrong_systems", "text"))
    wrong = np.array([system.codes != rows.gold for system in rows.systems]).sum(axis=0)
    names = [*task.names, "failed"]
    for system in rows.systems:
        errors = np.flatnonzero(system.codes != rows.gold)
        chances = system.calibrated
        confidence = None if chances is None else np.nan_to_num(chances).max(axis=1)
        surest = wrong[errors] if confidence is None else confidence[errors]
        for at in errors[np.lexsort((errors, -surest))][:most]:
            sure = None if confidence is None else float(confidence[at])
            text = rows.texts[at] if rows.texts is not None else ""
            row = (system.name, rows.langs[at], names[rows.gold[at]], names[system.codes[at]], sure)
            table.rows.append((*row, int(wrong[at]), text))
    return table


def _with_chances(rows: Rows) -> list[tuple[System, Floats, Bools]]:
    """Systems with probabilities, and in which rows they have them."""
    return [
        (system, system.probabilities, np.asarray(np.isfinite(system.probabilities).all(axis=1)))
        for system in rows.systems
        if system.probabilities is not None
    ]


def _versions(system: System, chances: Floats) -> list[tuple[str, Floats]]:
    found = [("as given" if system.given_at == 1 else f"temperature {system.given_at:.3g}", chances)]
    if system.temperature != 1:
        found.append((f"temperature {system.temperature:.3g}", tempered(chances, system.temperature)))
    return found


def to_mix(rows: Rows, chances: Floats, usable: Bools, weights: Mapping[Cell, float]) -> Floats:
    """For each row how many of the corpus it stands for."""
    best = np.nan_to_num(chances).argmax(axis=1)
    cells = [(lang, int(label)) for lang, label in zip(rows.langs, best, strict=True)]
    sizes: dict[Cell, int] = {}
    for cell, use in zip(cells, usable, strict=True):
        sizes[cell] = sizes.get(cell, 0) + int(use)
    return np.array([weights.get(cell, 0.0) / sizes[cell] if sizes[cell] else 0.0 for cell in cells])
