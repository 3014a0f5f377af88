"""Asks a workspace for everything that a report tells."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from xlt import __version__
from xlt.corpus.breakdown import Answer, Question
from xlt.corpus.footnotes import footnotes
from xlt.corpus.labelled import chosen
from xlt.corpus.shares import Row, groups_of
from xlt.errors import UsageError
from xlt.languages import name
from xlt.study.design import load_study
from xlt.study.evaluate import Table
from xlt.study.grid import Grid, Where
from xlt.study.report.corrected import ALL, LEAST, corrected_section, month_figure, told
from xlt.study.report.evidence import Evidence, of_corpus
from xlt.study.report.figures import Point, classes_of, stance_bars
from xlt.study.report.parts import Figure, Report, Section, Shown, slug, without_paths
from xlt.study.report.scored import scored_sections
from xlt.tasks.spec import Task


@dataclass(frozen=True)
class Wanted:
    """What a report is to be about."""

    corpus: Path | None
    run: str | None = None
    """Whose shares are told; the newest without one."""
    against: tuple[str, ...] = ()
    """Runs that are scored and compared beside it; without any, all of its task."""
    draw: str | None = None
    """The draw for estimates whose gold corrects shares; the newest without one."""
    random_sample: bool = False
    """Whether gold without a draw is stated to be a plain random sample of every cell."""
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
    with of_corpus(wanted.corpus, wanted.draw, random_sample=wanted.random_sample) as evidence:
        return tell(wanted, evidence, grids)


def tell(wanted: Wanted, evidence: Evidence | None, grids: Sequence[Grid]) -> Report:
    """The report, from evidence instead of the corpus and grids instead of the studies that are wanted."""
    from xlt.study.report.cost import bench_section
    from xlt.study.report.methods import methods_section
    from xlt.study.report.studies import study_sections

    report = Report(wanted.title, made={"xlt": __version__, "python": platform.python_version()})
    if evidence is not None:
        named = wanted.draw is not None or wanted.random_sample
        corpus_sections(report, evidence, wanted.run, insist=named)
        scored_sections(report, evidence, wanted.run, wanted.against)
    for grid in grids:
        study_sections(report, grid)
    if wanted.bench is not None:
        report.sections.append(bench_section(wanted.bench))
    if not report.sections:
        raise UsageError("There is nothing to report: no corpus, no --study and no --bench.")
    report.sections.append(methods_section(report))
    return report


def corpus_sections(report: Report, evidence: Evidence, wanted: str | None, *, insist: bool = False) -> None:
    """What a corpus holds and what the wanted run, else the newest, says of it; `insist` on corrected shares."""
    runs = evidence.runs()
    run = chosen(runs, [wanted] if wanted else [])[0] if wanted or runs else None
    task = evidence.task(run) if run else None
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
    corrected, report.made["corrected"] = corrected_section(evidence, run, task, insist=insist)
    report.sections += [corrected, _naive(answer, months, task, notes)]


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


def _naive(answer: Answer, months: Answer, task: Task, notes: list[str]) -> Section:
    section = Section("Naive shares: what the classifier alone says")
    rows = [*answer.rows, answer.total] if len(answer.rows) > 1 else list(answer.rows)
    section.words.append(
        "Shares of the classifier's own labels: biased wherever it errs more one way than the other, whatever their "
        "number. Not for reporting where there are corrected shares."
    )
    section.tables.append(_share_table("naive-by-language", "Naive shares by language", rows, task))
    for group, classes in told(task).items():
        if len(classes) > 1 and group in task.groups:
            says = "; ".join(_bar_words(row, group) for row in rows if row.bases.get(group))
            title = f"{group.capitalize()} by language, naive shares"
            section.figures.append(
                Figure(f"naive-{slug(group)}-by-language", title, says, partial(stance_bars, rows, task, group))
            )
        panels = _naive_panels(months, answer, group, classes)
        if len({point.at for row in panels.values() for points in row.values() for point in points}) > 1:
            section.figures.append(month_figure(f"naive-{slug(group)}-by-month", "naive", panels, task, group))
    section.tables.append(
        _share_table("naive-by-language-and-month", "Naive shares by language and month", months.rows, task,
                     ("language", "month"))
    )  # fmt: skip
    section.notes += notes
    section.classes = classes_of(task)
    return section


def _naive_panels(
    months: Answer, answer: Answer, group: str, classes: Iterable[str]
) -> dict[str, dict[str, list[Point]]]:
    """Language → class → months with enough posts in the base; first all languages together."""
    counts: dict[str, dict[str, list[Row]]] = {ALL: {}}
    counts.update((name(str(row.keys[0] or "und")), {}) for row in answer.rows)
    for row in months.rows:
        if row.keys[1]:
            for title in (ALL, name(str(row.keys[0] or "und"))):
                counts.setdefault(title, {}).setdefault(row.keys[1], []).append(row)
    found: dict[str, dict[str, list[Point]]] = {}
    for title, by_month in counts.items():
        for month, parts in sorted(by_month.items()):
            base = sum(part.bases[group] for part in parts)
            if base >= LEAST:
                for each in classes:
                    share = sum(part.counts[group][each] for part in parts) / base
                    found.setdefault(title, {}).setdefault(each, []).append(Point(month, share))
    return found


def _share_table(
    name_: str, title: str, rows: Sequence[Row], task: Task, keys: tuple[str, ...] = ("language",)
) -> Shown:
    columns: list[str] = [*keys, "n"]
    shares: list[str] = []
    for group, classes in told(task).items():
        shares += [f"{group}: {each}" for each in classes]
        columns += [f"n {group}", *shares[-len(classes) :]]
    table = Table(tuple(columns))
    for row in rows:
        first = [name(str(row.keys[0] or "und")), *row.keys[1:]] if row.keys else ["all"] + [None] * (len(keys) - 1)
        values: list[Any] = [*first, row.n]
        for group, classes in told(task).items():
            values += [row.bases[group], *(row.share(group, each) for each in classes)]
        table.rows.append(tuple(values))
    return Shown(name_, title, table, frozenset(shares))


def _bar_words(row: Row, group: str) -> str:
    parts = ", ".join(f"{each} {100 * (row.share(group, each) or 0):.0f} %" for each in row.counts[group])
    return f"{'all' if not row.keys else name(str(row.keys[0] or 'und'))}: {parts}"
