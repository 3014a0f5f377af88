"""What SQL takes for normal is what Python leaves as it is: every character, and texts made to be difficult."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from xlt.corpus import normal
from xlt.corpus.normal import untouched
from xlt.tasks.load import load_task
from xlt.tasks.spec import Normalisation

TASK = load_task("immigration").normalise
WAYS = [TASK, Normalisation(), replace(TASK, handles=None), replace(TASK, handles="<user>"), replace(TASK, strip=False)]
SET = re.compile(f"[{normal._LETTERS}{normal._SIGNS}]")
VIRAMA = "\u094d"


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def verdicts(con: duckdb.DuckDBPyConnection, way: Normalisation, texts: list[str]) -> list[bool]:
    query = f"SELECT {untouched(way)} FROM (SELECT unnest(?::VARCHAR[]) AS text)"
    return [bool(row[0]) for row in con.execute(query, [texts]).fetchall()]


def test_each_listed_character_is_normal_and_keeps_its_place() -> None:
    pairs = [unicodedata.decomposition(chr(code)).split() for code in range(0x110000)]
    second = {chr(int(parts[1], 16)) for parts in pairs if len(parts) == 2 and not parts[0].startswith("<")}
    second |= {chr(code) for code in range(0x1160, 0x1200)}
    listed = [each for code in range(0x110000) if SET.match(each := chr(code)) and unicodedata.category(each) != "Cn"]
    assert len(listed) > 30_000
    for each in listed:
        assert unicodedata.is_normalized("NFC", each)
        assert each not in second
        assert each == VIRAMA or not unicodedata.combining(each)
        assert not each.isspace()
        # Where a handle ends is told by this.
        assert bool(re.match(r"\w", each)) == bool(re.match(f"[{normal._LETTERS}]", each)), each


@pytest.mark.parametrize("way", WAYS)
def test_what_sql_takes_for_normal_python_leaves(con: duckdb.DuckDBPyConnection, way: Normalisation) -> None:
    pieces = ["@user", "@userж", "@user@x.y", "@users", "@", "＠", "a", "é", "e\u0301", "न", "\u093c", VIRAMA, "한", "ᆨ"]
    pieces += [" ", "\n", "\t", "\u00a0", "\u2003", "\x1c", "http://a.b", "HTTPS://x", "httpſ://x", "www.", "WWW.a"]
    pieces += [
        "://",
        "/",
        ".",
        "👏",
        "🏽",
        "\u200d",
        "\ufe0f",
        "\u0344",
        "\u212b",
        "\0",
        "'",
        "\\",
        "]",
        "^",
        "-",
        "_",
        "9",
    ]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(st.lists(st.lists(st.one_of(st.sampled_from(pieces), st.characters(codec="utf-8"))), min_size=1))
    def attempt(lists: list[list[str]]) -> None:
        texts = ["".join(parts) for parts in lists]
        for text, normal_by_sql in zip(texts, verdicts(con, way, texts), strict=True):
            assert way(text) == text or not normal_by_sql, ascii(text)

    attempt()


def test_most_tweets_are_normal(con: duckdb.DuckDBPyConnection, shared_data: Path) -> None:
    read = f"read_csv('{shared_data / 'immigration' / 'train.csv'}', all_varchar=true)"
    texts = [row[0].replace("://", "") for row in con.execute(f"SELECT text FROM {read}").fetchall()]
    taken = verdicts(con, TASK, texts)
    assert sum(taken) > 0.8 * len(texts)
    assert all(TASK(text) == text for text, one in zip(texts, taken, strict=True) if one)


def test_another_way_to_normalise_is_left_to_python(con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute(f"SELECT {untouched(str.lower)} FROM (SELECT 'a' AS text)").fetchall() == [(False,)]
