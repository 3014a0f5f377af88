from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Xlt
from filled import Post, fill

POSTS = [
    Post("1", "The weather is really bad today", tag="en"),
    Post("2", "Das Wetter ist heute wirklich schlecht", tag="en"),
    Post("3", "😀", tag="und"),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return fill(tmp_path, POSTS, run=None)


def test_the_documented_example(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("detect", "--candidates", "en,de")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == ["de", "en", "und"]
    assert "3 posts" in ran.err
    assert "50.0 % of the 2" in ran.err


def test_the_same_command_again_has_nothing_to_do(xlt: Xlt, corpus: Path) -> None:
    xlt("detect", "-q")
    ran = xlt("detect", "--format", "json")
    assert "already" in ran.err
    assert {each["lang"]: each["posts"] for each in json.loads(ran.out)} == {"de": 1, "en": 1, "und": 1}
    assert "3 posts" in xlt("detect", "--again").err
    assert xlt("detect", "-q", "--format", "csv").err == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--candidates", "en,klingon"], "klingon"),
        (["--candidates", ","], "no language"),
        (["tweets.csv"], "xlt import tweets.csv"),
        (["other.duckdb"], "There is no corpus"),
        (["--format", "xml"], "--format xml"),
    ],
)
def test_a_mistake_is_one_sentence(xlt: Xlt, corpus: Path, arguments: list[str], part: str) -> None:
    ran = xlt("detect", *arguments)
    assert ran.code == 2
    assert part in ran.sentence
    assert ran.out == ""
