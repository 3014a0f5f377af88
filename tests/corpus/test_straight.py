"""A file goes straight in when nothing is odd about it, and then its rows are those of the staged way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from corpus.test_exports_of_platforms import EXPECTED, EXPORTS
from corpus.test_importing import ask, bring, table
from xlt.corpus.importing import job, straight
from xlt.corpus.importing.straight import Straight

EVERYTHING = "SELECT * EXCLUDE (source) FROM tweets ORDER BY rowid"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each file that was looked at, whether it went straight in."""
    found: list[bool] = []

    def noted(*given: Any) -> Straight | None:
        answer = straight.look(*given)
        found.append(answer is not None)
        return answer

    monkeypatch.setattr(job, "look", noted)
    return found


def lines(path: Path, *posts: dict[str, Any] | str) -> Path:
    written = [post if isinstance(post, str) else json.dumps(post) for post in posts]
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", EXPECTED)
def test_both_ways_make_the_same_rows(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for way in ("straight", "staged"):
        folder = tmp_path / way
        folder.mkdir()
        path = Path(shutil.copy(EXPORTS / name, folder / name))
        # One key: hashes of authors are compared.
        (folder / ".xlt").mkdir()
        (folder / ".xlt" / "key").write_text("ab" * 32)
        if way == "staged":
            monkeypatch.setattr(job, "look", lambda *given: None)
        (report,), said = bring(folder, path)
        found.append(
            (report.rows, report.added, report.rejected, said.replace(str(folder), ""), ask(folder, EVERYTHING))
        )
    assert found[0] == found[1]


POST = {"id": "1", "text": "one", "created_at": "2024-05-01T10:00:00Z", "author_id": "7", "retweet_of": None}


@pytest.mark.parametrize(
    ("posts", "straight_in"),
    [
        ([POST, {**POST, "id": "2", "text": "RT for more"}], True),
        ([POST, {**POST, "id": "2", "text": None}], True),
        ([POST, POST], False),
        ([POST, {**POST, "id": None}], False),
        ([POST, {**POST, "id": "2", "created_at": "31.12.2024"}], False),
        ([POST, {**POST, "id": "2", "created_at": "no date"}], False),
        ([POST, {**POST, "id": "1.54E+18"}], False),
        ([POST, {**POST, "id": "2.0"}], False),
        ([POST, {**POST, "id": "2", "text": "RT @a: on…", "retweet_of": "1"}], False),
        ([POST, "{"], False),
        ([POST, "null"], False),
        ([POST, "[1]"], False),
        ([{"text": "without any id"}], None),
    ],
)
def test_what_is_odd_is_staged(tmp_path: Path, posts: list[Any], straight_in: bool | None, taken: list[bool]) -> None:
    (report,), _ = bring(tmp_path, lines(tmp_path / "a.jsonl", *posts))
    assert taken == ([] if straight_in is None else [straight_in])
    assert report.rows + report.rejected >= len({json.dumps(post) for post in posts})


def test_posts_that_are_known_or_forgotten_are_staged(tmp_path: Path, taken: list[bool]) -> None:
    first = table(tmp_path / "a.csv", ["id", "text"], ["1", "one"])
    bring(tmp_path, first)
    bring(tmp_path, first)
    bring(tmp_path, table(tmp_path / "b.csv", ["id", "text"], ["2", "two"]))
    assert taken == [True, False, True]
    from xlt.corpus.forget import forget

    forget(tmp_path, tmp_path / "corpus.duckdb", ["2"])
    (report,), said = bring(tmp_path, tmp_path / "b.csv")
    assert (taken[-1], report.added, report.rows) == (False, 0, 0)
    assert "erased on request" in said
    bring(tmp_path, table(tmp_path / "c.csv", ["id", "text"], ["3", "three"]))
    assert taken[-1]


def test_the_order_of_a_large_file_is_kept(tmp_path: Path, taken: list[bool]) -> None:
    rows = [[str(10**18 + number), f"text {number} @you", str(number % 97)] for number in range(300_000)]
    path = table(tmp_path / "a.csv", ["id", "text", "author_id"], *rows)
    bring(tmp_path, path)
    assert taken == [True]
    swapped = "SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY rowid) AS before FROM tweets) WHERE id < before"
    assert ask(tmp_path, swapped) == [(0,)]
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT author), min(length(author)) FROM tweets") == [
        (300_000, 97, 24)
    ]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "a.csv", ["id", "text"], ["1", "one"])

    def grown(*given: Any) -> Straight | None:
        answer = straight.look(*given)
        table(path, ["id", "text"], ["1", "one"], ["2", "two"])
        return answer

    monkeypatch.setattr(job, "look", grown)
    (report,), _ = bring(tmp_path, path)
    assert "changed while it was read" in str(report.error)
    assert ask(tmp_path, "SELECT count(*) FROM tweets") == [(0,)]
