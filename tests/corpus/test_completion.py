from __future__ import annotations

from pathlib import Path

import pytest

from corpus.workspaces import make_corpus
from xlt.corpus import gate
from xlt.corpus.completion import Words, complete, word_before, words

KNOWN = Words(
    {
        "tweets": (("id", "VARCHAR"), ("text", "VARCHAR"), ("Odd Name", "INTEGER")),
        "runs": (("id", "VARCHAR"), ("model", "VARCHAR")),
    },
    ("count", "strftime"),
)


def texts(script: str) -> list[str]:
    """Candidates at the mark |."""
    return [each.text for each in complete(KNOWN, script.replace("|", ""), script.index("|"))]


@pytest.mark.parametrize(
    ("script", "first"),
    [
        ("SELECT te| FROM tweets", ["text"]),
        ("SELECT t.| FROM tweets t", ["id", "text", '"Odd Name"']),
        ("SELECT tweets.t| FROM tweets", ["text"]),
        ("SELECT * FROM t|", ["tweets"]),
        ("SELECT * FROM |", ["tweets", "runs"]),
        ("SELECT * FROM tweets JOIN r|", ["runs"]),
        ("SELECT * FROM tweets t, r|", ["runs"]),
        ("SELECT odd| FROM tweets", ['"Odd Name"']),
        ("SELECT * FROM tweets WHERE run = $r|", ["run"]),
        ("sel|", ["SELECT"]),
        ("SELECT cou|", ["count("]),
        ("SELECT 1; SELECT mo| FROM runs; SELECT 2", ["model"]),
    ],
)
def test_what_could_be_meant(script: str, first: list[str]) -> None:
    assert texts(script)[: len(first)] == first


@pytest.mark.parametrize(
    "script", ["|", "SELECT text FROM tweets WHERE |", "SELECT nothing.| FROM tweets", "SELECT text| FROM tweets"]
)
def test_where_nothing_is_offered(script: str) -> None:
    assert texts(script) == []


def test_columns_of_named_tables_come_before_others() -> None:
    assert texts("SELECT m| FROM runs")[0] == "model"
    assert "model" not in texts("SELECT m| FROM tweets")


def test_the_word_that_is_replaced() -> None:
    assert word_before("SELECT t.tex FROM", 12) == "tex"
    assert word_before("SELECT ", 7) == ""
    assert word_before("über", 4) == "über"


def test_the_corpus_tells_its_tables_and_functions(tmp_path: Path) -> None:
    with gate.opened(make_corpus(tmp_path, ["a"])) as con:
        found = words(con)
    assert {"tweets", "predictions", "gold", "runs", "imports"} <= set(found.tables)
    assert ("text", "VARCHAR") in found.tables["tweets"]
    assert "meta" not in found.tables
    assert found.functions[0] == "count"
    assert "strptime" in found.functions
    assert found.keywords[0] == "SELECT"
    assert {"WHERE", "OVER"} <= found.reserved
    assert not {"TEXT", "LABEL"} & found.reserved
    assert "LATERAL" in found.keywords
