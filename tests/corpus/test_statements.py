from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlt.corpus.statements import statement_at, statements, tokens

SCRIPT = (
    "-- Über alles; 한\nSELECT 'a;b', \"c;d\" FROM t; -- done; so\n\n/* none; */ SELECT $$ ; $$ ;;\nSELECT '👏' AS x"
)


def test_quotes_and_comments_part_nothing() -> None:
    found = statements(SCRIPT)
    assert [each.sql for each in found] == ["SELECT 'a;b', \"c;d\" FROM t", "SELECT $$ ; $$", "SELECT '👏' AS x"]
    assert [SCRIPT[each.start : each.end] for each in found] == [each.sql for each in found]


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        ("-- Über", "SELECT 'a;b'"),
        ("'a;b'", "SELECT 'a;b'"),
        (" FROM t; ", "SELECT 'a;b'"),
        ("done; so", "SELECT 'a;b'"),
        ("none; */", "SELECT $$"),
        (";\nSELECT", "SELECT $$"),
        ("👏", "SELECT '👏'"),
    ],
)
def test_the_statement_under_the_cursor(mark: str, expected: str) -> None:
    found = statement_at(SCRIPT, SCRIPT.index(mark) + 1)
    assert found is not None
    assert found.sql.startswith(expected)


def test_at_the_very_end_it_is_the_last_one() -> None:
    found = statement_at("SELECT 1;\nSELECT 2;\n\n", 22)
    assert found is not None
    assert found.sql == "SELECT 2"


@pytest.mark.parametrize("script", ["", "  \n", "-- nothing", ";;", "/* open"])
def test_where_there_is_no_statement(script: str) -> None:
    assert statements(script) == []
    assert statement_at(script, 0) is None


def test_broken_sql_is_parted_too() -> None:
    assert [each.sql for each in statements("SELEC 1; 'open ; SELECT 2")] == ["SELEC 1", "'open ; SELECT 2"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from(list(";'\"-\n\ud800$/*")), max_size=60))
def test_no_text_breaks_it(script: str) -> None:
    for each in statements(script):
        assert script[each.start : each.end] == each.sql
        assert each.sql.strip()
    for cursor in range(len(script) + 1):
        statement_at(script, cursor)


def test_what_can_be_told_apart_by_looks() -> None:
    script = "SELECT 'ü' , 12 AS \"한\" -- 👏 end\nFROM tweets /* x */"
    found = [(script[start:end], kind) for start, end, kind in tokens(script)]
    assert found == [
        ("SELECT", "keyword"),
        ("'ü'", "string"),
        ("12", "number"),
        ("AS", "keyword"),
        ("-- 👏 end", "comment"),
        ("FROM", "keyword"),
        ("/* x */", "comment"),
    ]
    assert tokens("") == []
