"""A corpus whose truth is known: a classifier that errs one way, draws, and gold for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from duckdb import DuckDBPyConnection

from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, fill
from xlt.corpus import gate, schema
from xlt.corpus.drawing import Ask, make_draw
from xlt.corpus.draws import Draw

NAMES = (PRO, ANTI, NEUTRAL, UNRELATED)
WORDS = ("harbour", "lantern", "meadow", "orchard", "pebble", "river", "saddle", "thimble", "violet", "willow")


def text_of(at: int) -> str:
    rng = np.random.default_rng(at)
    return f"{at} " + " ".join(WORDS[each] for each in rng.integers(0, 10, 12))


def truth_of(at: int) -> str:
    return NAMES[int(np.random.default_rng([1, at]).choice(4, p=[0.15, 0.1, 0.15, 0.6]))]


def said_of(at: int) -> str:
    """A classifier that takes a fifth of the unrelated for pro."""
    truth = truth_of(at)
    return PRO if truth == UNRELATED and np.random.default_rng([2, at]).random() < 0.2 else truth


def true_share(*labels: str, n: int = 1200, step: int = 1) -> float:
    found = [truth_of(at) for at in range(0, n, step)]
    return sum(each in labels for each in found) / n * step


def make_corpus(folder: Path, order: Sequence[int] = range(1, 1200)) -> Path:
    """1,200 posts in two languages, each with a prediction, put in as ordered; no gold yet."""
    path = fill(folder, [Post("0", text_of(0), said_of(0), "de")])
    rest = order
    lists = [
        [str(at) for at in rest],
        [text_of(at) for at in rest],
        [said_of(at) for at in rest],
        ["en" if at % 4 else "de" for at in rest],
    ]
    key = schema.text_key("text")
    with gate.opened(path, write=True) as con:
        # Whole lists: row by row takes seconds.
        con.execute(
            "CREATE TEMP TABLE more AS SELECT unnest(?) AS id, unnest(?) AS text, unnest(?) AS said, unnest(?) AS lang",
            lists,
        )
        con.execute(
            f"INSERT INTO tweets BY NAME SELECT id, text, lang, 'x' AS platform, {key} AS text_key, 1 AS source "
            "FROM more"
        )
        con.execute(f"INSERT INTO predictions SELECT run, {key}, said, 0.9, p FROM more, predictions")
    return path


def drawn(corpus: Path, n: int = 300, code: float = 1.0, **options: Any) -> Draw:
    """A draw, its first part coded."""
    with gate.opened(corpus, write=True) as con:
        options = {"purpose": "estimate", **options}
        draw = make_draw(con, Ask(task=TASK.name, n=n, **options))
        units = con.execute(
            "SELECT d.text_key, t.id FROM drawn d JOIN tweets t ON t.text_key = d.text_key WHERE draw = ? "
            "ORDER BY position LIMIT ?",
            [draw.id, round(code * n)],
        ).fetchall()
        label(con, [key for key, _ in units], [truth_of(int(at)) for _, at in units], draw.id)
    return draw


def label(con: DuckDBPyConnection, keys: list[Any], labels: list[str], draw: str | None) -> None:
    con.execute(
        "INSERT INTO gold BY NAME SELECT unnest(?::UUID[]) AS text_key, unnest(?::VARCHAR[]) AS label, ? AS task, "
        "'A' AS coder, now()::TIMESTAMP AS coded_at, ?::VARCHAR AS draw",
        [keys, labels, TASK.name, draw],
    )
