"""The chapter of shares corrected by hand labels: by language, by month, and by both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xlt.corpus.breakdown import Question
from xlt.corpus.labelled import Run
from xlt.corpus.shares import Groups, Row, groups_of
from xlt.errors import XltError
from xlt.languages import name
from xlt.science.prevalence import LEAST_GOLD, Share
from xlt.study.evaluate import Table
from xlt.study.prevalence import Asked, Estimates, Shares, estimate
from xlt.study.report.evidence import Evidence
from xlt.study.report.figures import Point, classes_of, dots, small_multiples
from xlt.study.report.parts import Figure, Section, Shown, slug
from xlt.tasks.spec import Task

ALL = "all languages"
MOST_PANELS = 15
LEAST = 20
"""Posts or texts in a month's denominator below which it has no point in a figure without an interval; the tables
have them all."""
OVER_LANGUAGES, OVER_MONTHS = "pooled over languages", "pooled over months"
ASSUMED = {
    OVER_MONTHS: "a text with a given prediction has each label as often in this month as in all months together, of "
    "the same language where the row is of a language",
    OVER_LANGUAGES: "a text with a given prediction has each label as often in this language as over all gold",
}
DAGGER = "†"
_ESTIMATES = ("corrected", "low", "high", "by", "more labels to halve")
_PERCENT = frozenset({"corrected", "low", "high"})


@dataclass(frozen=True)
class Cell:
    """A language in a month, or all languages in it, with a share of every class."""

    lang: str
    month: str
    row: Row
    shares: Shares
    pooled: Mapping[str, str]
    """Group → what a pooled share of it was pooled over here."""


def corrected_section(
    evidence: Evidence, run: Run, task: Task, *, insist: bool = False
) -> tuple[Section, dict[str, Any] | None]:
    """Shares to report, and what was used for them; None where there are none, and the chapter says why.

    With `insist` that is an error: somebody named the gold.
    """
    section = Section("Shares corrected by hand labels")
    try:
        asked = evidence.sample(run, Question(), task)
        by_lang = estimate(asked.answer, asked.rows, task, asked.notes)
        months = evidence.sample(run, Question(by=("month",)), task)
        both = evidence.sample(run, Question(by=("lang", "month")), task)
    except XltError as error:
        if insist:
            raise
        section.notes.append(f"No corrected shares: {error}")
        return section, None
    groups = told(task)
    section.words.append(
        "What to report: the classifier's shares less its errors, as hand labels of a random part show them. An "
        f"interval (95 %) stands where a cell has {LEAST_GOLD} hand labels or more of its own. The classifier's own "
        "shares, uncorrected, are in the chapter of naive shares."
    )
    section.tables += [_by_language(by_lang, groups), _compared(by_lang, groups)]
    section.figures += _language_figure(by_lang, task, groups)
    section.notes += by_lang.notes
    cells = list(_monthly(by_lang, months, both, task))
    if len({cell.month for cell in cells}) > 1:
        section.tables.append(_by_month(cells, groups))
        section.figures += _month_figures(cells, task, groups)
        section.notes += _reading(cells, groups)
    section.classes = classes_of(task)
    rules = {share.method for shares in by_lang.cells for classes in shares.values() for share in classes.values()}
    used = {
        "labels": len(asked.rows),
        "hash": _hash(asked),
        "draw": asked.notes[0] if all(row.probability is not None for row in asked.rows) else None,
        "pooled_languages": "pooled" in rules,
        "months": [
            said
            for said in ASSUMED
            if any(
                share.method == "pooled" and cell.pooled[group] == said
                for cell in cells
                for group, _, share in _classes(cell.shares, groups)
            )
        ],
    }
    return section, used


def told(task: Task) -> Groups:
    """The task's groups with the classes that are told: of two the first says it all."""
    return {
        group: {each: classes[each] for each in (list(classes)[:1] if len(classes) == 2 else classes)}
        for group, classes in groups_of(task.groups, task.names).items()
    }


def base_of(task: Task, group: str) -> str:
    """Of what a group's classes are shares, in words."""
    members = {label for labels in task.groups.get(group, {}).values() for label in labels}
    return f"of those with a {group}" if members and members < set(task.names) else "of all"


def _monthly(by_lang: Estimates, months: Asked, both: Asked, task: Task) -> Iterator[Cell]:
    """Every month of all languages, then of each language, in the order of the shares by language.

    Where a language has enough gold of its own for a group, the group is estimated from that alone, so that a thin
    month borrows its error rates from the language's other months and not from other languages.
    """
    if sum(row.keys[0] is not None for row in months.answer.rows) < 2:
        return
    of_all = estimate(months.answer, months.rows, task)
    for row, shares in zip(of_all.answer.rows, of_all.cells, strict=True):
        if row.keys[0] is not None:
            yield Cell(ALL, row.keys[0], row, shares, dict.fromkeys(shares, OVER_MONTHS))
    mixed = estimate(both.answer, both.rows, task)
    place = {row.keys: at for at, row in enumerate(mixed.answer.rows)}
    for row, shares in zip(by_lang.answer.rows, by_lang.cells, strict=True):
        lang = row.keys[0]
        alone = {group for group, classes in shares.items() if next(iter(classes.values())).interval}
        mine = tuple(each for each in both.answer.rows if each.keys[0] == lang)
        gold = [each for each in both.rows if each.keys[0] == lang]
        own = estimate(replace(both.answer, rows=mine), gold, task).cells if alone else [{}] * len(mine)
        for each, part in zip(mine, own, strict=True):
            if each.keys[1] is not None:
                other = mixed.cells[place[each.keys]]
                found = {group: part[group] if group in alone else other[group] for group in other}
                pooled = {group: OVER_MONTHS if group in alone else OVER_LANGUAGES for group in other}
                yield Cell(name(lang or "und"), each.keys[1], each, found, pooled)


def _by_language(found: Estimates, groups: Groups) -> Shown:
    table = Table(("language", "share of", "gold labels", *_ESTIMATES))
    for lang, shares in _rows(found):
        for _, each, share in _classes(shares, groups):
            table.rows.append((lang, each, share.n, *_estimate(share, OVER_LANGUAGES)))
    columns = ["language"]
    for group, classes in groups.items():
        columns += [f"hand labels, {group}", *(f"{each} % (95 % interval)" for each in classes)]
    compact = Table(tuple(columns))
    for lang, shares in _rows(found):
        row: list[Any] = [lang]
        for group, classes in groups.items():
            row += [next(iter(shares[group].values())).n, *(_words(shares[group][each]) for each in classes)]
        compact.rows.append(tuple(row))
    title = f"Corrected shares by language ({DAGGER}: {OVER_LANGUAGES}, no interval)"
    return Shown("corrected-by-language", title, table, _PERCENT, compact=compact)


def _compared(found: Estimates, groups: Groups) -> Shown:
    table = Table(
        ("language", "share of", "naive", "gold alone", "gold low", "gold high", "adjusted count", "corrected")
    )
    for lang, shares in _rows(found):
        for _, each, share in _classes(shares, groups):
            bounds = share.gold_interval or (None, None)
            table.rows.append((lang, each, share.naive, share.gold, *bounds, share.adjusted, share.corrected))
    title = "For comparison: the naive share (the classifier's own) and other estimates"
    return Shown("estimates-compared", title, table, frozenset(table.columns[2:]))


def _by_month(cells: Sequence[Cell], groups: Groups) -> Shown:
    table = Table(("language", "month", "share of", "n", "gold labels", *_ESTIMATES))
    for cell in cells:
        for group, each, share in _classes(cell.shares, groups):
            table.rows.append((cell.lang, cell.month, each, cell.row.n, share.n, *_estimate(share, cell.pooled[group])))
    return Shown("corrected-by-language-and-month", "Corrected shares by language and month", table, _PERCENT)


def _language_figure(found: Estimates, task: Task, groups: Groups) -> list[Figure]:
    """None where nothing can be estimated."""
    panels: dict[str, dict[str, list[Point]]] = {}
    says = []
    for lang, shares in _rows(found):
        row = {
            each: [Point(lang, share.corrected, share.interval, share.interval is None)]
            for _, each, share in _classes(shares, groups)
            if share.corrected is not None
        }
        if row:
            most = max(share.n for _, _, share in _classes(shares, groups))
            panels[f"{lang}  ({most:,})"] = row
            says.append(f"{lang}: " + ", ".join(f"{each} {100 * one[0].share:.0f} %" for each, one in row.items()))
    labels = {each: f"% {base_of(task, group)}" for group, classes in groups.items() for each in classes}
    figure = Figure(
        "corrected-by-language",
        "Corrected shares by language with 95 % intervals; in brackets the hand labels. Hollow: too few of them, so "
        "error rates are pooled over all languages and there is no interval",
        "; ".join(says),
        partial(dots, panels, task, labels),
    )
    return [figure] if panels else []


def _month_figures(cells: Sequence[Cell], task: Task, groups: Groups) -> list[Figure]:
    found = []
    for group, classes in groups.items():
        panels: dict[str, dict[str, list[Point]]] = {}
        for cell in cells:
            for each in classes:
                share = cell.shares[group][each]
                if share.corrected is not None and (share.interval or cell.row.bases[group] >= LEAST):
                    point = Point(cell.month, share.corrected, share.interval, share.interval is None)
                    panels.setdefault(cell.lang, {}).setdefault(each, []).append(point)
        if any(len(points) > 1 for row in panels.values() for points in row.values()):
            found.append(month_figure(f"corrected-{slug(group)}-by-month", "corrected", panels, task, group))
    return found


def month_figure(name_: str, what: str, panels: dict[str, dict[str, list[Point]]], task: Task, group: str) -> Figure:
    """Small multiples of a group's classes; `what` the shares are: corrected, or naive."""
    # One month alone is no course of time.
    lines = {
        title: row for title, row in panels.items() if len({each.at for part in row.values() for each in part}) > 1
    }
    shown = dict(list(lines.items())[:MOST_PANELS])
    left = len(panels) - len(shown)
    rest = f"; {left:,} more {'languages are' if left > 1 else 'language is'} in the table alone" if left else ""
    intervals = ", with 95 % intervals" if what == "corrected" else ", without intervals: not for reporting"
    return Figure(
        name_,
        f"{group.capitalize()} by language and month, {what} shares{intervals}. No point below {LEAST} posts{rest}",
        f"{what.capitalize()} shares by month in {len(shown)} panels; their figures are in the table by month.",
        partial(small_multiples, shown, task, f"{what} share, % {base_of(task, group)}"),
    )


def _reading(cells: Sequence[Cell], groups: Groups) -> list[str]:
    """How much of the table by month is measured and how much assumed."""
    counts: dict[str, int] = {}
    for cell in cells:
        for group, _, share in _classes(cell.shares, groups):
            said = "with an interval" if share.interval else str(_estimate(share, cell.pooled[group])[3])
            counts[said] = counts.get(said, 0) + 1
    parts = ", ".join(f"{count:,} {said}" for said, count in counts.items())
    notes = [f"By language and month there are {sum(counts.values()):,} shares: {parts}."]
    if any(said in counts for said in ASSUMED):
        notes.append(
            "A pooled share leans towards the mix of the gold that it borrows from, the more the weaker the "
            "classifier: that pooled shares look alike is no finding."
        )
    return notes + [f"{said.capitalize()}: assumed that {what}." for said, what in ASSUMED.items() if said in counts]


def _rows(found: Estimates) -> list[tuple[str, Shares]]:
    rows = [(name(str(row.keys[0] or "und")), part) for row, part in zip(found.answer.rows, found.cells, strict=True)]
    return [*rows, ("all", found.total)] if len(rows) > 1 else rows


def _classes(shares: Shares, groups: Groups) -> Iterator[tuple[str, str, Share]]:
    for group, classes in groups.items():
        for each in classes:
            yield group, each, shares[group][each]


def _estimate(share: Share, pooled: str) -> tuple[Any, ...]:
    by = {"none": "not estimable", "pooled": pooled}.get(share.method, share.method)
    return share.corrected, *(share.interval or (None, None)), by, share.more


def _words(share: Share) -> str:
    """A share in per cent with its interval."""
    if share.corrected is None:
        return "not estimable"
    if share.interval is None:
        return f"{100 * share.corrected:.1f}{DAGGER}"
    return f"{100 * share.corrected:.1f} ({100 * share.interval[0]:.1f} to {100 * share.interval[1]:.1f})"


def _hash(asked: Asked) -> str:
    """SHA-256 over texts, labels and chances of the gold, 16 hexadecimal digits."""
    lines = sorted(f"{row.text}\t{row.gold}\t{row.probability}" for row in asked.rows)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]
