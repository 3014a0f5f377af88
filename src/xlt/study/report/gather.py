"""Asks a workspace for everything that a report tells."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from xlt import __version__
from xlt.corpus.breakdown import Answer, Question
from xlt.corpus.footnotes import footnotes
from xlt.corpus.labelled import Run, chosen
from xlt.corpus.shares import Row, groups_of
from xlt.errors import UsageError, XltError
from xlt.languages import name
from xlt.study import evaluate, prevalence
from xlt.study.design import load_study
from xlt.study.evaluate import Table
from xlt.study.grid import Grid, Where
from xlt.study.report.evidence import Evidence, of_corpus
from xlt.study.report.figures import LEAST, enough, over_time, stance_bars
from xlt.study.report.parts import Figure, Report, Section, Shown, without_paths
from xlt.tasks.load import task_of
from xlt.tasks.spec import Task


@dataclass(frozen=True)
class Wanted:
    """What a report is to be about."""

    corpus: Path | None
    run: str | None = None
    """Whose shares are told; the newest without one."""
    studies: tuple[Path, ...] = ()
    bench: Path | None = None
    """What `xlt bench --format json` printed."""
    title: str = "What a corpus says, by language"
    workspace: Path = Path()


def gather(wanted: Wanted) -> Report:
    """The report. Raises UsageError when there is nothing to report, XltError when a part can't be read."""
    grids = [Grid(load_study(path), Where(wanted.workspace)) for path in wanted.studies]
    if wanted.corpus is None:
        return tell(wanted, None, grids)
    with of_corpus(wanted.corpus) as evidence:
        return tell(wanted, evidence, grids)


def tell(wanted: Wanted, evidence: Evidence | None, grids: Sequence[Grid]) -> Report:
    """The report, from evidence instead of the corpus and grids instead of the studies that are wanted."""
    from xlt.study.report.more import bench_section, methods_section, study_sections

    report = Report(wanted.title, made={"xlt": __version__, "python": platform.python_version()})
    if evidence is not None:
        corpus_sections(report, evidence, wanted.run)
    for grid in grids:
        study_sections(report, grid)
    if wanted.bench is not None:
        report.sections.append(bench_section(wanted.bench))
    if not report.sections:
        raise UsageError("There is nothing to report: no corpus, no --study and no --bench.")
    report.sections.append(methods_section(report))
    return report


def corpus_sections(report: Report, evidence: Evidence, wanted: str | None) -> None:
    """What a corpus holds and what the wanted run, else the newest, says of it."""
    runs = evidence.runs()
    run = chosen(runs, [wanted] if wanted else [])[0] if wanted or runs else None
    task = task_of(run.task, run.labels) if run else None
    report.sections.append(_data(evidence, task))
    files = [vars(each) | {"imported_at": str(each.imported_at)} for each in evidence.files()]
    report.made["files"] = without_paths(files)
    if run is None or task is None:
        return
    report.made["run"] = without_paths({key: value for key, value in evidence.record(run).items() if key != "command"})
    report.sections.append(_models(evidence))
    by_lang = Question()
    answer = evidence.answer(run, by_lang, task)
    months = evidence.answer(run, Question(by=("lang", "month")), task)
    notes = footnotes(answer, by_lang, groups_of(task.groups, task.names), (run,), evidence.undetected())
    report.sections.append(_shares(answer, months, task, notes))
    report.sections.append(_corrected_section(*_corrected(evidence, run, task)))
    score = _scores(evidence, run, task)
    if score is not None:
        report.sections.append(score)


def _data(evidence: Evidence, task: Task | None) -> Section:
    found = evidence.languages(task.name if task else "")
    table = Table(("language", "posts", "texts", "reposts", "authors", "first", "last", "hand-labelled texts"))
    for each in found:
        days = [f"{moment:%Y-%m-%d}" if moment else None for moment in (each.first, each.last)]
        shown = "all" if each.lang == "all" else name(each.lang)
        table.rows.append((shown, each.posts, each.texts, each.reposts, each.authors, *days, each.gold))
    total = found[-1]
    files = Table(("file", "rows", "added", "rejected", "layout", "SHA-256"))
    for part in evidence.files():
        files.rows.append((Path(part.file).name, part.rows, part.added, part.rejected, part.mapping, part.sha256[:16]))
    section = Section("Data")
    section.words.append(
        f"The corpus holds {total.posts:,} posts ({total.texts:,} distinct texts, {total.reposts:,} reposts) in "
        f"{len(found) - 1 or 1} languages, read from {len(files.rows):,} file{'s' * (len(files.rows) != 1)}."
    )
    section.tables += [Shown("data", "Posts by language", table), Shown("files", "Files", files)]
    section.notes.append("Texts and authors are not part of this report.")
    return section


def _models(evidence: Evidence) -> Section:
    table = Table(("run", "model", "task", "tuned on", "texts", "precision", "backend", "model hash"))
    for run in evidence.runs():
        record = evidence.record(run)
        loaded = record.get("loaded") or {}
        seen = ", ".join(name(lang) for lang in run.seen) or "not known"
        table.rows.append(
            (run.id, run.model, run.task, seen, run.texts, loaded.get("precision"), loaded.get("backend"),
             str((record.get("identity") or {}).get("model", ""))[:16])
        )  # fmt: skip
    section = Section("Models")
    section.words.append("Each run is one model applied to the corpus; a text is scored once.")
    section.tables.append(Shown("runs", "Runs", table))
    return section


def _corrected(evidence: Evidence, run: Run, task: Task) -> tuple[prevalence.Estimates | None, str]:
    """Corrected shares where there are hand labels for them; else why there are none."""
    try:
        asked = evidence.sample(run, Question(), task)
        return prevalence.estimate(asked.answer, asked.rows, task, asked.notes), ""
    except XltError as error:
        return None, str(error)


def _corrected_section(corrected: prevalence.Estimates | None, why: str) -> Section:
    """Shares to report, apart from the classifier's own: other notes hold for them."""
    section = Section("Shares corrected by hand labels")
    if corrected is None:
        section.notes.append(f"No corrected shares: {why}")
        return section
    table = named(corrected.table())
    percent = {"naive", "gold_only", "gold_low", "gold_high", "adjusted_count", "corrected", "low", "high"}
    title = "With 95 % intervals where they can be trusted"
    section.tables.append(Shown("corrected-shares", title, table, frozenset(percent)))
    section.notes += corrected.notes
    return section


def named(table: Table) -> Table:
    """The table with languages by name; the row of all together, which has no language, is called all."""
    at = next(at for at, column in enumerate(table.columns) if column in ("lang", "language", "slice"))
    columns = tuple("language" if column == "lang" else column for column in table.columns)
    pooled = (None, "all", "seen", "unseen", evaluate.APART)
    rows = [
        (*row[:at], (row[at] or "all") if row[at] in pooled else name(str(row[at])), *row[at + 1 :])
        for row in table.rows
    ]
    return Table(columns, rows)


def _shares(answer: Answer, months: Answer, task: Task, notes: list[str]) -> Section:
    section = Section("Topic and stance")
    rows = [*answer.rows, answer.total] if len(answer.rows) > 1 else list(answer.rows)
    section.tables.append(_share_table("shares-by-language", "The classifier's shares by language", rows, task))
    group = next((each for each, classes in task.groups.items() if len(classes) > 2), None)
    if group:
        says = "; ".join(_bar_words(row, group) for row in rows if row.bases.get(group))
        section.figures.append(
            Figure(
                "stance-by-language", f"{group.capitalize()} by language", says, partial(stance_bars, rows, task, group)
            )
        )
        if enough(months.rows, group):
            for each in task.groups[group]:
                section.figures.append(
                    Figure(
                        f"{group}-{each}-by-month",
                        f"{each} by month; months with fewer than {LEAST} posts on topic have no point",
                        f"The share of {each} by month; the figures are in the table shares-by-month.",
                        partial(over_time, months.rows, group, each),
                    )
                )
    section.tables.append(
        _share_table("shares-by-month", "By language and month", months.rows, task, ("language", "month"))
    )
    section.words.append("The classifier's own shares, which are biased wherever it errs more one way than the other.")
    section.notes += notes
    return section


def _share_table(
    name_: str, title: str, rows: Sequence[Row], task: Task, keys: tuple[str, ...] = ("language",)
) -> Shown:
    groups = groups_of(task.groups, task.names)
    columns: list[str] = [*keys, "n"]
    shares = []
    # Of two classes the first says it all.
    told = {group: list(classes)[:1] if len(classes) == 2 else list(classes) for group, classes in groups.items()}
    for group, classes in told.items():
        shares += [f"{group}: {each}" for each in classes]
        columns += [f"n {group}", *shares[-len(classes) :]]
    table = Table(tuple(columns))
    for row in rows:
        first = [name(str(row.keys[0] or "und")), *row.keys[1:]] if row.keys else ["all"] + [None] * (len(keys) - 1)
        values: list[Any] = [*first, row.n]
        for group, classes in told.items():
            values += [row.bases[group], *(row.share(group, each) for each in classes)]
        table.rows.append(tuple(values))
    return Shown(name_, title, table, frozenset(shares))


def _bar_words(row: Row, group: str) -> str:
    parts = ", ".join(f"{each} {100 * (row.share(group, each) or 0):.0f} %" for each in row.counts[group])
    return f"{'all' if not row.keys else name(str(row.keys[0] or 'und'))}: {parts}"


def _scores(evidence: Evidence, run: Run, task: Task) -> Section | None:
    """The run against gold, where there is some that was not drawn for tuning."""
    try:
        rows = evidence.scored([run], task)
    except XltError:
        return None
    table = evaluate.score_table(rows, task)
    at = {column: position for position, column in enumerate(table.columns)}
    kept = (
        *("slice", "n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low", "macro_f1_high"),
        *("weighted_f1", "kappa", "commonest_accuracy"),
    )
    main = Table(kept, [tuple(row[at[c]] for c in kept) for row in table.rows if row[at["measure"]] == evaluate.LABELS])
    section = Section("How good the model is here")
    section.words.append(f"The run {run.id} against {len(rows.gold):,} texts that people labelled.")
    section.tables.append(Shown("scores", "Scores by language", named(main)))
    section.notes += [*rows.notes, *evaluate.footnotes(table)]
    return section
