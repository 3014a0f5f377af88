"""Labels that people gave, brought in with the file that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xlt.corpus.importing.staging import STAGED
from xlt.corpus.rejects import Reject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Task

GOLD_ROWS = "gold_rows"


def spellings(task: Task) -> dict[str, str]:
    """What may stand in a file for each label: its name, its short name or its answer, in any case."""
    found: dict[str, str] = {}
    for label in task.labels:
        for spelt in (
            label.name,
            label.short,
            label.answer,
            label.name.replace("-", "_"),
            label.name.replace("-", " "),
        ):
            found.setdefault(spelt.strip().casefold(), label.name)
    return found


def stage_gold(con: DuckDBPyConnection, file: str, task: Task, coder: str) -> list[Reject]:
    """Fill `gold_rows` from `staged`, whose rows have their ids by now.

    Returns the rows whose label is none of the task's.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE label_names (spelt VARCHAR, label VARCHAR)")
    con.executemany("INSERT INTO label_names VALUES (?, ?)", [list(pair) for pair in spellings(task).items()])
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {GOLD_ROWS} AS SELECT s.nr, s.id, s.gold_label AS given, n.label, "
        "coalesce(s.gold_coder, ?) AS coder, try_cast(s.gold_coded_at AS TIMESTAMPTZ)::TIMESTAMP AS coded_at, "
        "s.gold_codebook AS codebook, s.gold_draw AS draw, s.gold_note AS note "
        f"FROM {STAGED} s LEFT JOIN label_names n ON n.spelt = "
        # A whole column with a gap in it leaves Python's tables as 1.0, 2.0 …
        "lower(regexp_replace(s.gold_label, '^(\\d+)\\.0+$', '\\1')) WHERE s.gold_label IS NOT NULL",
        [coder],
    )
    known = ", ".join(task.names)
    wrong = con.execute(f"SELECT nr, given FROM {GOLD_ROWS} WHERE label IS NULL ORDER BY nr").fetchall()
    con.execute(f"DELETE FROM {GOLD_ROWS} WHERE label IS NULL")
    return [
        Reject(file, number, f"the label {given!r} is none of the task {task.name} ({known}); the post itself is kept")
        for number, given in wrong
    ]


def merge_gold(con: DuckDBPyConnection, task: Task) -> tuple[int, int, int]:
    """Merge `gold_rows` into `gold`: one label per post, coder and draw; the last of a file counts.

    Returns how many were added, how many changed, and how many have no post with a text. Call after the posts are
    merged, inside the same transaction.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE gold_last AS SELECT g.*, t.text_key FROM "
        f"(SELECT * FROM {GOLD_ROWS} "
        "QUALIFY row_number() OVER (PARTITION BY id, coder, draw ORDER BY nr DESC) = 1) g "
        f"JOIN {STAGED} s ON s.id = g.id JOIN tweets t ON t.platform = s.platform AND t.id = s.id "
        "WHERE t.text_key IS NOT NULL"
    )
    before = _count(con, "SELECT count(*) FROM gold")
    given = _count(con, f"SELECT count(*) FROM (SELECT DISTINCT id, coder, draw FROM {GOLD_ROWS})")
    homeless = given - _count(con, "SELECT count(*) FROM gold_last")
    touched = _count(
        con,
        "MERGE INTO gold USING gold_last l ON gold.tweet_id = l.id AND gold.text_key = l.text_key "
        "AND gold.task = $task AND gold.coder = l.coder AND gold.draw IS NOT DISTINCT FROM l.draw "
        "WHEN MATCHED AND (gold.label IS DISTINCT FROM l.label OR gold.note IS DISTINCT FROM l.note) THEN UPDATE SET "
        "label = l.label, note = l.note, coded_at = coalesce(l.coded_at, now()::TIMESTAMP), "
        "codebook = coalesce(l.codebook, gold.codebook) "
        "WHEN NOT MATCHED THEN INSERT (text_key, tweet_id, task, label, coder, coded_at, codebook, draw, note) "
        "VALUES (l.text_key, l.id, $task, l.label, l.coder, coalesce(l.coded_at, now()::TIMESTAMP), l.codebook, "
        "l.draw, l.note)",
        {"task": task.name},
    )
    added = _count(con, "SELECT count(*) FROM gold") - before
    return added, touched - added, homeless


def _count(con: DuckDBPyConnection, query: str, parameters: dict[str, str] | None = None) -> int:
    row = con.execute(query, parameters or {}).fetchone()
    return int(row[0]) if row else 0
