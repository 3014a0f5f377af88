"""What must be said beside a breakdown so that nobody reads more into it than it tells."""

from __future__ import annotations

from collections.abc import Sequence

from xlt.corpus.bootstrap import LEAST_AUTHORS
from xlt.corpus.breakdown import Answer, Question
from xlt.corpus.labelled import Run
from xlt.corpus.shares import LABELS, Groups

_UNITS = {
    "posts": "n counts posts.",
    "texts": "n counts distinct texts; in a row each text counts once.",
    "authors": "n counts authors; each counts once, with the shares of their own posts.",
}


def footnotes(
    answer: Answer, question: Question, groups: Groups, runs: Sequence[Run] = (), undetected: tuple[int, int] = (0, 0)
) -> list[str]:
    """Sentences, the most needed first. `undetected`: posts without a detected language, of how many."""
    notes = [_about_runs(runs)] if runs else []
    notes.append(f"{_UNITS[answer.unit]} {_denominators(answer, groups)}")
    if answer.without_label:
        notes.append(f"{answer.without_label:,} posts have no prediction and are in no count.")
    if answer.unknown_labels:
        found = ", ".join(f"{label} ({count:,})" for label, count in sorted(answer.unknown_labels.items())[:8])
        notes.append(f"The task has no such labels, so posts with them are in no count: {found}.")
    notes += _about_time(answer) + _about_authors(answer, question)
    if "lang" in answer.by and undetected[0]:
        part = "no post has" if undetected[0] == undetected[1] else f"{undetected[0]:,} posts don't have"
        notes.append(f"Languages are the platform's tags where {part} a detected one (xlt detect).")
    notes.append(_about_intervals(question))
    return notes


def _about_runs(runs: Sequence[Run]) -> str:
    return "; ".join(f"Run {run.id}: {run.model} on the task {run.task}, {run.texts:,} texts" for run in runs) + "."


def _denominators(answer: Answer, groups: Groups) -> str:
    parts = []
    for group, classes in groups.items():
        if group == LABELS:
            continue
        parts.append(f"{group}: of the {answer.total.bases[group]:,} that are {_or(list(classes))}")
    return f"Denominators over all rows: {'; '.join(parts)}." if parts else "Every label is a share of n."


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _about_time(answer: Answer) -> list[str]:
    if answer.zone is None:
        return []
    weeks = "; weeks are ISO weeks and begin on Monday" if "week" in answer.by else ""
    shown = "periods without posts are shown" if answer.gaps_shown else "periods without posts are left out"
    return [f"Periods are in the time zone {answer.zone}{weeks}; {shown}."]


def _about_authors(answer: Answer, question: Question) -> list[str]:
    notes = []
    if answer.total.top is not None:
        notes.append(
            f"top 1 %: the share of a row's posts that its most active 1 % of authors (at least one) wrote; "
            f"{100 * answer.total.top:.1f} % over all."
        )
    if answer.without_author:
        left = "are in no count" if answer.unit == "authors" else "count, but not among the top 1 %"
        notes.append(f"{answer.without_author:,} posts have no known author and {left}.")
    if answer.excluded is not None:
        notes.append(
            f"{answer.excluded:,} of the authors named in --exclude-authors have posts here; they are left out."
        )
    if question.author_cap is not None:
        notes.append(f"At most {question.author_cap:,} posts of each author count, drawn by a hash: always the same.")
    return notes


def _about_intervals(question: Question) -> str:
    if question.bootstrap:
        return (
            f"Intervals: 95 %, percentiles of {question.bootstrap:,} draws of authors (seed {question.seed}), none "
            f"where too few authors (effectively under {LEAST_AUTHORS}) make them too narrow. They tell how much the "
            "shares hang on single authors, nothing about the classifier's errors."
        )
    return (
        "No intervals: these are a classifier's shares of what is here, not proportions of a sample, and its errors "
        "don't shrink with n. Hand labels of a random part correct them (xlt prevalence); --bootstrap 1000 tells how "
        "much they hang on single authors."
    )
