"""The corpus's gold as something to learn from: settled as evaluate does it, and what is for estimates kept out."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlt.corpus import gate
from xlt.corpus.coded import Coded, gold_tasks, read_gold
from xlt.corpus.store import ensure


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Six texts: agreed, split, uncodable, adjudicated, drawn for an estimate, drawn as dev."""
    path = tmp_path / "corpus.duckdb"
    ensure(path)
    voices = [
        ("agreed", "pro", "ann", "2024-01-01", None, None),
        ("agreed", "anti", "bo", "2024-01-01", None, None),
        ("agreed", "pro", "bo", "2024-01-02", None, None),
        ("split", "pro", "ann", "2024-01-01", None, None),
        ("split", "anti", "bo", "2024-01-01", None, None),
        ("uncodable", None, "ann", "2024-01-01", None, None),
        ("settled", "pro", "ann", "2024-01-01", None, None),
        ("settled", "pro", "bo", "2024-01-01", None, None),
        ("settled", "anti", "cy", "2024-01-03", "adjudicator", None),
        ("unsettled", "pro", "ann", "2024-01-01", None, None),
        ("unsettled", None, "cy", "2024-01-03", "adjudicator", None),
        ("estimated", "pro", "ann", "2024-01-01", None, "e1"),
        ("estimated", "pro", "bo", "2024-01-01", None, None),
        ("drawn only", "anti", "ann", "2024-01-01", None, None),
        ("developed", "pro", "ann", "2024-01-01", None, "d1"),
    ]
    with gate.opened(path, write=True) as con:
        for number, text in enumerate(dict.fromkeys(each[0] for each in voices)):
            con.execute(
                "INSERT INTO tweets (id, platform, text, text_key, lang_tag, lang, author, source) "
                "VALUES (?, 'x', ?, left(sha256(?), 32)::UUID, 'en', ?, 'a', 1)",
                [str(number), text, text, "de" if text == "agreed" else None],
            )
        for text, label, coder, at, role, draw in voices:
            con.execute(
                "INSERT INTO gold (text_key, task, label, coder, coded_at, role, draw) "
                "VALUES (left(sha256(?), 32)::UUID, 'immigration', ?, ?, ?::TIMESTAMP, ?, ?)",
                [text, label, coder, at, role, draw],
            )
        for name, purpose in (("e1", "estimate"), ("d1", "dev"), ("e2", "estimate")):
            con.execute(
                "INSERT INTO draws VALUES (?, 'immigration', ?, 'texts', 'true', 'h', 9, NULL, 0, now()::TIMESTAMP)",
                [name, purpose],
            )
        con.execute(
            "INSERT INTO drawn (draw, text_key, stratum, probability, position) "
            "VALUES ('e2', left(sha256('drawn only'), 32)::UUID, 's', 0.5, 1)"
        )
    return path


def test_gold_is_settled_and_sides_are_kept(corpus: Path) -> None:
    found = read_gold(corpus, ["immigration"])
    rows = {row.text: row for row in found.rows}
    assert rows["agreed"] == Coded("agreed", "pro", "de", 0, str(corpus), "0", author="a")
    assert {text: (row.label, row.side) for text, row in rows.items()} == {
        "agreed": ("pro", ""),
        "settled": ("anti", ""),
        "estimated": ("pro", "test"),
        "drawn only": ("anti", "test"),
        "developed": ("pro", "dev"),
    }
    assert found.left == {"coders are split": 1, "held uncodable": 2}


def test_gold_of_other_tasks_is_none_of_ours(corpus: Path) -> None:
    assert read_gold(corpus, ["sentiment"]).rows == []
    assert gold_tasks(corpus) == {"immigration": 7}
