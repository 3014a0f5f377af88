"""Labels of drawn texts from a file that was coded elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus.coding import Coding, Role, code
from xlt.corpus.columns import opened
from xlt.corpus.importing.gold import spellings
from xlt.corpus.rejects import Reject
from xlt.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Task

COLUMNS = ("draw", "key", "label")
SKIPPED = "-"
"""What stands for a text that can't be coded."""


def read_codings(
    file: Path, draws: Mapping[str, Task], coder: str | None, role: Role
) -> tuple[list[Coding], list[Reject]]:
    """The labelled rows of a file that `xlt sample export` wrote, and those that can't be used.

    Raises UsageError when it is no such file, or when nobody says who coded.
    """
    with opened((file,)) as source:
        missing = [name for name in COLUMNS if name not in source.names]
        if missing:
            raise UsageError(
                f"{file} has no column {', '.join(missing)}; read back a file that xlt sample export wrote, with its "
                "columns as they were."
            )
        wanted = [*COLUMNS, *(name for name in ("note", "coder") if name in source.names)]
        cells = source.cells(wanted)
    codings: list[Coding] = []
    rejects: list[Reject] = []
    for number in range(len(cells["key"])):
        row = {name: (cells[name][number] or "").strip() for name in wanted}
        if not row["label"]:
            continue
        who = row.get("coder") or coder
        if not who:
            raise UsageError(f"{file} does not say who coded; name them with --coder.")
        task = draws.get(row["draw"])
        if task is None:
            rejects.append(Reject(str(file), number + 1, f"the corpus has no draw {row['draw']!r}"))
            continue
        label = None if row["label"] == SKIPPED else spellings(task).get(row["label"].casefold())
        if label is None and row["label"] != SKIPPED:
            known = ", ".join(task.names)
            rejects.append(
                Reject(str(file), number + 1, f"{row['label']!r} is no label of {task.name} ({known}; - for none)")
            )
            continue
        book = task.codebook.hash if task.codebook else None
        codings.append(
            Coding(row["key"], task.name, label, who, row["draw"], None, book, row.get("note") or None, role)
        )
    return codings, rejects


def write_codings(con: DuckDBPyConnection, codings: Sequence[Coding]) -> int:
    """Add the labels that say something new; how many. Raises UsageError for a text that was not drawn."""
    drawn = {
        (draw, key): post
        for draw, key, post in con.execute("SELECT draw, text_key::VARCHAR, tweet_id FROM drawn").fetchall()
    }
    said = {
        tuple(row[:4]): row[4:]
        for row in con.execute(
            "SELECT draw, text_key::VARCHAR, coder, coalesce(role, 'coder'), label, note FROM gold "
            "WHERE draw IS NOT NULL QUALIFY row_number() OVER "
            "(PARTITION BY draw, text_key, coder, coalesce(role, 'coder') ORDER BY coded_at DESC) = 1"
        ).fetchall()
    }
    fresh = []
    for each in codings:
        if (each.draw, each.text_key) not in drawn:
            raise UsageError(f"The text {each.text_key} does not belong to the draw {each.draw}; nothing was read.")
        if said.get((each.draw, each.text_key, each.coder, each.role)) != (each.label, each.note):
            fresh.append(each)
    if fresh:
        code(con, fresh)
    return len(fresh)
