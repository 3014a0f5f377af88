"""Draws of posts or texts for people to code, as the corpus keeps them, and how far they are coded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from xlt.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Part:
    """One stratum of a draw."""

    name: str
    size: int | None
    """Units that could have been drawn; None when it is read back (drawn over probability gives it)."""
    drawn: int
    coded: int
    """Units that someone gave a label or held uncodable."""


@dataclass(frozen=True)
class Draw:
    """A draw as the corpus keeps it."""

    id: str
    task: str
    purpose: str
    unit: str
    frame: str
    frame_size: int
    run: str | None
    seed: int
    created_at: datetime
    parts: tuple[Part, ...]

    @property
    def drawn(self) -> int:
        """Units in all."""
        return sum(part.drawn for part in self.parts)

    @property
    def coded(self) -> int:
        """Units that someone coded."""
        return sum(part.coded for part in self.parts)


def draws(con: DuckDBPyConnection, task: str | None = None) -> list[Draw]:
    """Every draw, the oldest first, with how much of it is coded."""
    rows = con.execute(
        "SELECT id, task, purpose, unit, frame, frame_size, run, seed, created_at FROM draws "
        "WHERE $task IS NULL OR task = $task ORDER BY created_at, id",
        {"task": task},
    ).fetchall()
    parts: dict[str, list[Part]] = {}
    for draw, stratum, drawn, coded in con.execute(
        "SELECT d.draw, d.stratum, count(*), count(g.text_key) FROM drawn d LEFT JOIN "
        "(SELECT DISTINCT draw, text_key FROM gold) g ON g.draw = d.draw AND g.text_key = d.text_key "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        parts.setdefault(draw, []).append(Part(stratum, None, drawn, coded))
    return [
        Draw(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], tuple(parts.get(row[0], ())))
        for row in rows
    ]


def find_draw(con: DuckDBPyConnection, wanted: str | None, task: str | None = None) -> Draw:
    """The draw of this id or of its unique beginning; the newest without one. Raises UsageError."""
    known = draws(con, task)
    if not known:
        raise UsageError("Nothing was drawn yet; draw texts to code with xlt sample draw.")
    if wanted is None:
        return known[-1]
    found = [draw for draw in known if draw.id == wanted] or [draw for draw in known if draw.id.startswith(wanted)]
    if len(found) != 1:
        wrong = f"{len(found)} draws begin so" if found else "there is no such draw"
        raise UsageError(f"{wanted}: {wrong}; there are {', '.join(draw.id for draw in known)}.")
    return found[0]


def remove_draw(con: DuckDBPyConnection, draw: Draw) -> None:
    """Take a draw back. Raises UsageError when somebody has coded of it: its labels would lose their probabilities."""
    if draw.coded:
        raise UsageError(
            f"{draw.coded:,} texts of the draw {draw.id} are coded, and their labels need to know how they were drawn; "
            "a draw can be taken back only before anyone codes it."
        )
    con.execute("BEGIN")
    con.execute("DELETE FROM drawn WHERE draw = ?", [draw.id])
    con.execute("DELETE FROM draws WHERE id = ?", [draw.id])
    con.execute("COMMIT")
