"""What people coded and how it was drawn, without text, author or id: for a deposit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DRAWS = ("draw", "task", "purpose", "unit", "frame", "frame_size", "run", "seed", "drawn_at")
UNITS = ("unit", "draw", "language", "month", "stratum", "probability", "position")
CODINGS = (
    "unit",
    "draw",
    "task",
    "coder",
    "role",
    "label",
    "codebook",
    "coded_from",
    "competence",
    "blind",
    "coded_at",
)

# A unit is a text, or a post where posts were drawn.
_UNIT = "concat_ws(' ', {0}.text_key, {0}.tweet_id)"


def draws(con: DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Rows of DRAWS."""
    return con.execute(
        "SELECT id, task, purpose, unit, frame, frame_size, run, seed, created_at FROM draws ORDER BY created_at, id"
    ).fetchall()


def units(con: DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Rows of UNITS: what was drawn, and what was coded without a draw. Language and month are those of the first
    post with the text."""
    return con.execute(
        f"WITH wanted AS (SELECT {_UNIT.format('d')} AS unit, text_key, tweet_id, draw, stratum, probability, position "
        f"FROM drawn d UNION ALL SELECT DISTINCT {_UNIT.format('g')}, text_key, tweet_id, NULL, NULL, NULL, NULL "
        "FROM gold g WHERE draw IS NULL) "
        "SELECT unit, draw, arg_min(coalesce(lang, lang_tag, 'und'), t.id), strftime(min(created_at), '%Y-%m'), "
        "stratum, probability, position FROM wanted w LEFT JOIN tweets t ON t.text_key = w.text_key "
        "AND (w.tweet_id IS NULL OR w.tweet_id = t.id) GROUP BY ALL ORDER BY draw, position, unit"
    ).fetchall()


def codings(con: DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Rows of CODINGS, the oldest first; coders are numbered as they came, not named."""
    return con.execute(
        "WITH coders AS (SELECT coder, row_number() OVER (ORDER BY min(coded_at), coder) AS number FROM gold "
        f"GROUP BY coder) SELECT {_UNIT.format('g')}, draw, task, 'coder-' || number, coalesce(role, 'coder'), label, "
        "codebook, coded_from, competence, blind, coded_at FROM gold g JOIN coders USING (coder) "
        "ORDER BY coded_at, 1, number, label"
    ).fetchall()


def predictions(con: DuckDBPyConnection, run: str, labels: Sequence[str]) -> list[tuple[Any, ...]]:
    """(unit, label, probability of each label) of the units that a run labelled."""
    rows = con.execute(
        f"WITH wanted AS (SELECT {_UNIT.format('d')} AS unit, text_key FROM drawn d UNION "
        f"SELECT {_UNIT.format('g')}, text_key FROM gold g) "
        "SELECT unit, label, p FROM wanted JOIN predictions USING (text_key) WHERE run = ? ORDER BY unit",
        [run],
    ).fetchall()
    return [(unit, label, *chances) for unit, label, chances in rows if len(chances) == len(labels)]
