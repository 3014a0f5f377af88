"""The shares of a board in a file: what `xlt breakdown -o FILE` writes, its rows in the order of the screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.tui.breakdown import hand
from xlt.tui.breakdown.board import Board, asked, ordered

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Answer
    from xlt.corpus.leash import Connection


def write(con: Connection, board: Board, path: Path) -> int:
    """Ask an open corpus for the board's shares and write them; returns the rows. Raises UsageError, XltError."""
    from xlt.corpus.written import format_of, write_answer

    format_of(path)
    answer, notes, task = _asked(con, board)
    places = {pair.key: at for at, pair in enumerate(ordered(board)) if pair is not board.total}
    rows = sorted(answer.rows, key=lambda row: (places.get(row.keys[-1], len(places)), row.keys[:-1] != _first(board)))
    write_answer(replace(answer, rows=tuple(rows)), notes, task, board.runs, path)
    return len(rows)


def _first(board: Board) -> tuple[str, ...]:
    """The keys before the last one in a line of the first run."""
    return (board.run.id,) if board.run and board.second else ()


def _asked(con: Connection, board: Board) -> tuple[Answer, list[str], str]:
    # With everything that the command line has, such as the most active authors' share, which the screen leaves out.
    from xlt.corpus.breakdown import Answer, breakdown
    from xlt.corpus.detection import undetected
    from xlt.corpus.footnotes import footnotes
    from xlt.corpus.labelled import from_corpus

    question = asked(board.view)
    if board.run is None or board.scheme is None:
        rows = tuple(pair.first for pair in board.rows)
        return Answer(question.by, "posts", None, rows, board.total.first, None, None), list(board.notes), ""
    if board.view.corrected:
        found = hand.corrected(con, board.view, board.run, question)
        return found.corrected(), list(found.notes), board.run.task
    if board.second:
        question = replace(question, by=("run", *question.by))
    answer = breakdown(con, from_corpus(con, board.runs), question, board.scheme.groups, board.scheme.labels)
    missing = undetected(con) if "lang" in answer.by else (0, 0)
    return answer, footnotes(answer, question, board.scheme.groups, board.runs, missing), board.run.task
