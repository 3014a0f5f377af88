"""A corpus of every older schema opens, keeps its rows, and has the tables of a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.workspaces import make_corpus, query
from xlt.corpus import gate, schema

GOLD_OF_1 = """
CREATE TABLE gold (
    text_key UUID NOT NULL, tweet_id VARCHAR, task VARCHAR NOT NULL, label VARCHAR, coder VARCHAR NOT NULL,
    coded_at TIMESTAMP NOT NULL, codebook VARCHAR, draw VARCHAR, note VARCHAR
);
"""
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal "
    "ORDER BY table_name, column_index"
)


@pytest.fixture
def of_version_1(tmp_path: Path) -> Path:
    corpus = make_corpus(tmp_path / "old", ["one", "two"])
    with gate.opened(corpus, write=True) as con:
        con.execute("DROP TABLE gold; DROP TABLE draws; DROP TABLE drawn;" + GOLD_OF_1)
        con.execute(
            "INSERT INTO gold SELECT text_key, id, 'immigration', 'neutral', 'A', '2024-05-01', NULL, 'by hand', NULL "
            "FROM tweets WHERE text = 'one'"
        )
        con.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    return corpus


@pytest.mark.parametrize("write", [False, True])
def test_version_1_becomes_the_present_one(of_version_1: Path, tmp_path: Path, write: bool) -> None:
    with gate.opened(of_version_1, write=write) as con:
        assert con.execute("SELECT label, coder, draw, role, blind FROM gold").fetchall() == [
            ("neutral", "A", "by hand", None, None)
        ]
    assert query(of_version_1, "SELECT value FROM meta WHERE key = 'schema'") == [(str(schema.VERSION),)]
    assert query(of_version_1, COLUMNS) == query(make_corpus(tmp_path / "new"), COLUMNS)
    assert query(of_version_1, "SELECT count(*) FROM tweets") == [(2,)]
