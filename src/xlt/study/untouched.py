"""Gold that did not tune the model which it is to correct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from xlt.corpus.draws import Draw
from xlt.corpus.gold import gold_of
from xlt.corpus.labelled import Run
from xlt.errors import XltError
from xlt.study.rows import known_to
from xlt.tasks.spec import Task

if TYPE_CHECKING:
    from xlt.corpus.leash import Connection

Row = TypeVar("Row")

MOST_KNOWN = 0.05
"""Share of gold texts that the model may have been tuned on; they are left out, and beyond it nothing is estimated."""


def untouched(model: str, known: Sequence[bool] | None, rows: list[Row], *, tuned: bool) -> tuple[list[Row], list[str]]:
    """The rows whose text the model was not tuned on, and sentences about the others."""
    if known is None:
        said = f"Taken as stated: none of the gold tuned the model {model}, which kept no signatures of its texts."
        return rows, [said] if tuned and rows else []
    left = [row for row, seen in zip(rows, known, strict=True) if not seen]
    count = len(rows) - len(left)
    if count > MOST_KNOWN * len(rows):
        raise XltError(
            f"The model {model} was tuned on {count:,} of the {len(rows):,} gold texts or on nearly the same, so "
            "they can't tell how it errs; draw texts that it does not know (xlt sample draw N --purpose estimate)."
        )
    said = f"{count:,} gold texts are left out: the model was tuned on them or on nearly the same."
    return left, [said] if count else []


def known_texts(con: Connection, run: Run, task: Task, draw: Draw | None) -> tuple[set[str], list[str]]:
    """Text keys of a draw's gold, or of that without a draw, that the run's model was tuned on, and sentences.

    Raises XltError for too many.
    """
    gold = gold_of(con, task.name, ("estimate",) if draw else (None,))
    rows = [row for row in gold.rows if draw is None or row.draw == draw.id]
    left, said = untouched(run.model, known_to(con, run, [row.text for row in rows]), rows, tuned=bool(run.seen))
    return {row.key for row in rows} - {row.key for row in left}, said
