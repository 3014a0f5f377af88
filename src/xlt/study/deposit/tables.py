"""Every table of a deposit: those of the report, and of evaluate, prevalence and transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from xlt.corpus.breakdown import Question
from xlt.corpus.labelled import Run
from xlt.errors import XltError
from xlt.study import confidence, evaluate, prevalence
from xlt.study.compare import pair_table, seen_table
from xlt.study.evaluate import Table
from xlt.study.explain import explain, explain_table
from xlt.study.grid import Grid
from xlt.study.report.evidence import Evidence
from xlt.study.report.gather import Wanted, corpus_sections, tell
from xlt.study.report.parts import Report
from xlt.study.transfer import SCORES, curve_table, long_table, matrix, per_seed, within_language

PERIODS = (("lang",), ("month",), ("lang", "month"))
"""What corrected shares are by."""


def tables(evidence: Evidence | None, grids: Mapping[str, Grid], told: Wanted) -> dict[str, Table]:
    """Name → table. `grids` by the name of their part of the deposit; `told` is how the report is asked for.

    Raises UsageError, XltError.
    """
    found = _of(tell(told, evidence, list(grids.values())))
    if evidence is not None:
        found |= _runs(evidence, told.run)
    for name, grid in grids.items():
        found |= {f"transfer-{name}-{what}": table for what, table in _study(grid).items()}
    return found


def _of(report: Report) -> dict[str, Table]:
    return {shown.name: shown.table for section in report.sections for shown in section.tables}


def _runs(evidence: Evidence, told: str | None) -> dict[str, Table]:
    """What the report does not tell: the shares of its other runs, corrected shares by period, scores of all runs."""
    # The run that is told of comes first, as in the report, so that the same runs are asked for.
    runs = sorted(evidence.runs(), key=lambda run: run.id != told)
    found: dict[str, Table] = {}
    tasks: dict[str, list[Run]] = {}
    for run in runs:
        if run is not runs[0]:
            report = Report("")
            corpus_sections(report, evidence, run.id)
            of_all = {"data", "files", "runs"}
            found |= {f"{name}-{run.id}": table for name, table in _of(report).items() if name not in of_all}
        found |= {f"prevalence-{by}-{run.id}": table for by, table in _corrected(evidence, run).items()}
        tasks.setdefault(run.task_hash, []).append(run)
    for same in tasks.values():
        found |= {f"evaluate-{same[0].task}-{what}": table for what, table in _scores(evidence, same).items()}
    return found


def _corrected(evidence: Evidence, run: Run) -> dict[str, Table]:
    task = evidence.task(run)
    found = {}
    for by in PERIODS:
        try:
            asked = evidence.sample(run, Question(by=by), task)
            estimates = prevalence.estimate(asked.answer, asked.rows, task, asked.notes)
        except XltError:
            continue
        found["-".join(by)] = estimates.table()
    return found


def _scores(evidence: Evidence, runs: Sequence[Run]) -> dict[str, Table]:
    """The tables of `xlt evaluate --corpus` with these runs; without the errors, which are texts."""
    task = evidence.task(runs[0])
    try:
        rows = evidence.scored(runs, task)
    except XltError:
        return {}
    mix = evidence.mix(runs[0], task) if len(runs) == 1 else None
    found = {
        "scores": evaluate.score_table(rows, task),
        "labels": evaluate.label_table(rows, task),
        "confusion": evaluate.confusion_table(rows, task),
        "seen": seen_table(rows, task),
        "calibration": confidence.calibration_table(rows, mix),
        "reliability": confidence.reliability_table(rows),
        "risk": confidence.risk_table(rows, task),
        "pairs": pair_table(rows, task),
    }
    return {name: table for name, table in found.items() if table.rows}


def _study(grid: Grid) -> dict[str, Table]:
    """The tables of `xlt transfer table` and `explain`, and the points of `plot`'s curves."""
    cells = grid.finished()
    found = {"cells": per_seed(grid, cells)}
    for score in SCORES:
        of_all = matrix(grid, cells, score)
        found[f"table-{score}"] = long_table(of_all)
        found[f"within-{score}"] = within_language(of_all)
        found[f"curves-{score}"] = curve_table(grid, cells, score)
    # Not where no cell learns, or nothing differs.
    with suppress(XltError):
        found["explain"] = explain_table(explain(grid, cells))
    return {name: table for name, table in found.items() if table.rows}
