"""The chapters of how good models are: scores, calibration, the most confident part, and models against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from xlt.corpus.labelled import Run, chosen
from xlt.errors import XltError
from xlt.languages import name
from xlt.science.bootstrap import DRAWS, LEAST_OF_A_LABEL, LEAST_ROWS
from xlt.science.wilson import wilson
from xlt.study import evaluate
from xlt.study.compare import pair_table
from xlt.study.confidence import calibration_table, reliability_table, risk_table
from xlt.study.evaluate import Table
from xlt.study.report.evidence import Evidence
from xlt.study.report.parts import Figure, Report, Section, Shown
from xlt.study.report.score_figures import Band, Difference, differences, reliability, risk_coverage
from xlt.study.rows import Rows
from xlt.tasks.spec import Task

MOST_MODELS = 6
"""In one chapter: more make more pairs than anybody reads."""
SEED = 0
_SCORES = (
    *("model", "slice", "n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low", "macro_f1_high"),
    *("weighted_f1", "kappa", "commonest_accuracy"),
)


def scored_sections(report: Report, evidence: Evidence, told: str | None, against: Sequence[str]) -> None:
    """The chapters of a corpus's runs on its gold; none where there is none that was not drawn for tuning."""
    runs = evidence.runs()
    if not runs:
        return
    first = chosen(runs, [told] if told else [])[0]
    others = (
        chosen(runs, [first.id, *against]) if against else [run for run in runs if run.task_hash == first.task_hash]
    )
    compared = list({run.id: run for run in (first, *others)}.values())
    left = len(compared) - MOST_MODELS
    task = evidence.task(first)
    try:
        rows = evidence.scored(compared[:MOST_MODELS], task)
    except XltError:
        return
    rows = renamed(rows, _model_names(compared[:MOST_MODELS]))
    score = score_section(rows, task)
    if left > 0:
        score.notes.append(f"{left:,} older runs of the task are left out; name those to compare with --run.")
    weights = {rows.systems[0].name: evidence.mix(first, task)}
    parts = [score, pair_section(rows, task), confidence_section(rows, task, weights=weights)]
    report.sections += [part for part in parts if part is not None]
    report.made["scored"] = {
        "texts": len(rows.gold),
        "runs": {system.name: run.id for system, run in zip(rows.systems, compared, strict=False)},
    }


def _model_names(runs: Sequence[Run]) -> list[str]:
    """Their models, with the run where two runs are of one model."""
    models = [run.model for run in runs]
    return [run.model if models.count(run.model) == 1 else f"{run.model} ({run.id})" for run in runs]


def score_section(rows: Rows, task: Task) -> Section:
    """Scores by language, of labels and of groups."""
    found = evaluate.score_table(rows, task, SEED)
    labels = _picked(found, _SCORES, measure=evaluate.LABELS)
    groups = _picked(found, ("model", "slice", "measure", "n", *_SCORES[3:9]), kind="all")
    groups = Table(groups.columns, [row for row in groups.rows if row[2] != evaluate.LABELS])
    section = Section("How good the models are here")
    models = ", ".join(system.name for system in rows.systems)
    section.words.append(f"{len(rows.gold):,} texts that people labelled, against what was predicted by {models}.")
    section.tables.append(Shown("scores", "Scores by language", named(labels)))
    if groups.rows:
        section.tables.append(Shown("scores-of-groups", "Topic, stance and other groups, all languages", named(groups)))
    section.notes += [*rows.notes, *evaluate.footnotes(found)]
    return section


def confidence_section(
    rows: Rows,
    task: Task,
    prefix: str = "",
    about: str = "",
    weights: Mapping[str, Mapping[tuple[str, int], float]] | None = None,
) -> Section | None:
    """What confidences are worth; None where no model gave any. `weights`: model → how often the corpus has a language
    and a predicted label, to which its calibration is reweighed too."""
    given = [s for s in rows.systems if s.probabilities is not None and np.isfinite(s.probabilities).any()]
    if not given:
        return None
    rows = replace(rows, systems=tuple(given))
    bands, risks = reliability_table(rows), risk_table(rows, task)
    each = [
        calibration_table(replace(rows, systems=(system,)), (weights or {}).get(system.name)) for system in rows.systems
    ]
    calibrated = Table(each[0].columns, [row for table in each for row in table.rows])
    section = Section(f"What a confidence is worth{about}")
    section.words.append(
        "A model is calibrated when of the texts that it is 80 % sure of, 80 % are right. ECE is the mean gap between "
        f"confidence and accuracy over ten bands (from {LEAST_ROWS} texts on)."
    )
    as_given = [row for row in bands.rows if row[1] == "as given"]
    points: dict[str, list[Band]] = {}
    for model, _, _, _, n, confidence, accuracy in as_given:
        points.setdefault(model, []).append(Band(confidence, accuracy, n, wilson(accuracy, n)))
    eces = {row[0]: row[4] for row in calibrated.rows if row[1] == "all" and row[2] == "as given"}
    section.figures.append(
        Figure(
            f"{prefix}reliability",
            "Reliability: accuracy of each band of confidence, with Wilson's 95 % intervals; on the dashed line a "
            "confidence is worth what it says",
            "; ".join(f"{model}: ECE {ece:.3f}" for model, ece in eces.items() if ece is not None),
            partial(reliability, points, eces),
        )
    )
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for model, share, _, _, accuracy, f1 in risks.rows:
        curves.setdefault(model, []).append((share, accuracy, f1))
    section.figures.append(
        Figure(
            f"{prefix}risk-coverage",
            "Risk and coverage: scores of the most confident part of the texts",
            "; ".join(f"{model}: accuracy {line[0][1]:.2f} of all texts" for model, line in curves.items()),
            partial(risk_coverage, curves),
        )
    )
    section.tables += [
        Shown(f"{prefix}calibration", "Calibration", named(calibrated)),
        Shown(f"{prefix}reliability", "Reliability", bands),
        Shown(f"{prefix}risk-coverage", "Risk and coverage", risks, frozenset({"most_confident"})),
    ]
    section.notes.append(
        "A share counted among confident predictions is biased: confidence differs by label and language."
    )
    return section


def pair_section(rows: Rows, task: Task, prefix: str = "", about: str = "") -> Section | None:
    """Every two models on the same texts; None for a single one."""
    if len(rows.systems) < 2:
        return None
    found = pair_table(rows, task, SEED)
    at = found.columns.index
    whole = [row for row in found.rows if row[at("slice")] == "all"]
    of_all = Table(found.columns, whole)
    by_lang = Table(found.columns, [row for row in found.rows if row[at("slice")] != "all"])
    section = Section(f"Models against each other{about}")
    section.words.append(
        f"Every two models on the same {len(rows.gold):,} texts. Only a right, only b right: texts that one of them "
        "got right. Differences are b less a."
    )
    panels = {}
    for score, label in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
        value, low, high = at(f"{score}_difference"), at(f"{score}_low"), at(f"{score}_high")
        panels[label] = [
            Difference(
                f"{row[at('b')]}\n− {row[at('a')]}", row[value], None if row[low] is None else (row[low], row[high])
            )
            for row in whole
        ]
    section.figures.append(
        Figure(
            f"{prefix}differences",
            "Differences between models over all languages, with paired bootstrap 95 % intervals",
            "; ".join(f"{each.title}: {each.value:+.3f}".replace("\n", " ") for each in next(iter(panels.values()))),
            partial(differences, panels),
        )
    )
    heads = {"p": "p (McNemar)", "p_holm": "p (Holm)"}
    section.tables += [
        Shown(f"{prefix}pairs", "Paired comparisons, all languages", named(of_all), heads=heads),
        Shown(f"{prefix}pairs-by-language", "Paired comparisons by language", named(by_lang), heads=heads),
    ]
    section.notes.append(
        "p: exact McNemar, two-sided. Holm's adjustment is over all languages of all pairs and, for all languages "
        f"together, over the {len(whole)} pair{'s' * (len(whole) != 1)}. Intervals: paired bootstrap, {DRAWS:,} draws "
        f"within language and gold label (seed {SEED}), none below {LEAST_ROWS} texts or {LEAST_OF_A_LABEL} of each "
        "label."
    )
    return section


def renamed(rows: Rows, names: Sequence[str]) -> Rows:
    """The rows with their systems under other names."""
    return replace(
        rows, systems=tuple(replace(system, name=each) for system, each in zip(rows.systems, names, strict=True))
    )


def named(table: Table) -> Table:
    """The table with languages by name; the row of all together, which has no language, is called all."""
    at = next(at for at, column in enumerate(table.columns) if column in ("lang", "language", "slice"))
    columns = tuple("language" if column in ("lang", "slice") else column for column in table.columns)
    pooled = (None, "all", "seen", "unseen", evaluate.APART)
    rows = [
        (*row[:at], (row[at] or "all") if row[at] in pooled else name(str(row[at])), *row[at + 1 :])
        for row in table.rows
    ]
    return Table(columns, rows)


def _picked(table: Table, columns: Sequence[str], **where: Any) -> Table:
    """Some columns of the rows in which columns have the values of `where`."""
    at = {column: place for place, column in enumerate(table.columns)}
    rows = [
        tuple(row[at[column]] for column in columns)
        for row in table.rows
        if all(row[at[column]] == value for column, value in where.items())
    ]
    return Table(tuple(columns), rows)
