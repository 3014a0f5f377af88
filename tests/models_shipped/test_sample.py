"""The demo corpus: the columns it promises, invented authors, gold labels only where xlt-mini never looked."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from xlt.bundled import bundled
from xlt.tasks.load import load_task
from xlt_mini.make_sample import COLUMNS, write
from xlt_mini.split import split
from xlt_mini.tweets import LANGUAGES

SAMPLE = bundled("models", "sample", "sample.parquet")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(SAMPLE).to_pylist()
    return found


def test_it_is_small_and_has_its_columns() -> None:
    assert SAMPLE.stat().st_size <= 400_000
    assert pq.read_schema(SAMPLE).names == COLUMNS.names


def test_it_is_made_from_the_tweets_that_are_here_now(tmp_path: Path) -> None:
    again = write(tmp_path / "sample.parquet")
    assert again.equals(pq.read_table(SAMPLE))


def test_its_size_and_its_languages(rows: list[dict[str, Any]]) -> None:
    assert 3000 <= len(rows) <= 4000
    assert {row["lang"] for row in rows} == set(LANGUAGES)
    assert len({row["id"] for row in rows}) == len(rows)


def test_retweets_repeat_an_earlier_row_word_for_word(rows: list[dict[str, Any]]) -> None:
    first = {row["id"]: row for row in rows}
    repeats = [row for row in rows if row["retweet_of"]]
    assert 0.35 < len(repeats) / len(rows) < 0.45
    for row in repeats:
        source = first[row["retweet_of"]]
        assert source["retweet_of"] is None
        assert (row["text"], row["lang"], row["label"]) == (source["text"], source["lang"], source["label"])
        assert row["created_at"] > source["created_at"]
        assert row["author"] != source["author"]
    assert max(Counter(row["retweet_of"] for row in repeats).values()) >= 10


def test_no_handle_belongs_to_anyone(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert set(re.findall(r"@\w+", row["text"])) <= {"@user"}
        assert re.fullmatch(r"a\d{4}", row["author"])
        assert all(link.startswith("https://example.org") for link in re.findall(r"https?://\S+", row["text"]))


def test_gold_labels_stand_only_at_tweets_that_the_model_never_saw(rows: list[dict[str, Any]]) -> None:
    seen = {tweet.text for tweet in split().train}
    distinct = {row["text"]: row for row in rows}
    labelled = [row for row in distinct.values() if row["label"]]
    assert 0.2 < len(labelled) / len(distinct) < 0.3
    assert {row["label"] for row in labelled} == set(load_task("immigration").names)
    for row in rows:
        assert (row["split"] == "train") == (row["text"] in seen)
        assert not (row["label"] and row["split"] == "train")


def test_two_years_with_bursts(rows: list[dict[str, Any]]) -> None:
    months = Counter(row["created_at"].strftime("%Y-%m") for row in rows)
    assert len(months) == 24
    counts = sorted(months.values())
    assert counts[-1] > 2.5 * counts[len(counts) // 2]
