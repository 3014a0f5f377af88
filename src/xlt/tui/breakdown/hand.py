"""Shares corrected by hand labels, as Breakdown shows them: under the same rules as `xlt breakdown --corrected`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Question
    from xlt.corpus.labelled import Run
    from xlt.corpus.leash import Connection
    from xlt.corpus.shares import Row
    from xlt.study.prevalence import Estimates
    from xlt.tui.breakdown.board import View


def corrected(con: Connection, view: View, run: Run, question: Question) -> Estimates:
    """Ask an open corpus. Raises UsageError, XltError with a sentence where nothing can be corrected."""
    from xlt.study.prevalence import of_corpus
    from xlt.tasks.load import task_of

    if view.second or view.by == "run":
        raise UsageError("Corrected shares are of one run: r chooses it; correct one after the other.")
    if view.unit == "authors":
        raise UsageError("Shares of authors can't be corrected: posts or texts were drawn; u counts those.")
    return of_corpus(con, run, question, task_of(run.task, run.labels))


def invitation(con: Connection, run: Run) -> list[str]:
    """A sentence about the newest draw for estimates, when some of it is coded."""
    from xlt.corpus.draws import draws

    coded = [each.coded for each in draws(con, run.task) if each.purpose == "estimate"]
    if not coded or not coded[-1]:
        return []
    there = (
        "1 hand label of a random draw exists"
        if coded[-1] == 1
        else f"{coded[-1]:,} hand labels of a random draw exist"
    )
    return [f"{there}: c corrects by them."]


def bounds(row: Row, group: str, name: str) -> str:
    """`20.1–27.4`, in per cent; empty where there is no interval."""
    found = row.intervals.get(group, {}).get(name)
    return f"{100 * found[0]:.1f}–{100 * found[1]:.1f}" if found else ""


def in_words(row: Row, group: str, name: str, short: str) -> str:
    """`anti 23.4 (20.1–27.4)`."""
    share = row.share(group, name)
    if share is None:
        return f"{short} not estimable"
    between = bounds(row, group, name)
    return f"{short} {100 * share:.1f} ({between or 'no interval'})"
