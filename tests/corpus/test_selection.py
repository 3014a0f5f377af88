"""Selections, pages and trends: against the plainest SQL for the same."""

from __future__ import annotations

import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, fill
from xlt.corpus import gate
from xlt.corpus.breakdown import Question, breakdown
from xlt.corpus.filters import Filter
from xlt.corpus.labelled import find_runs, from_corpus
from xlt.corpus.leash import Leash
from xlt.corpus.overview import overview
from xlt.corpus.pages import page, post
from xlt.corpus.selection import ORDERS, Numbers, Wanted, holding, part, reversed_order, select
from xlt.corpus.trend import trend
from xlt.errors import Interrupted, UsageError

POSTS = [
    Post("1", "Border a", PRO, "en", at="2024-01-31 23:30:00", country="GB", confidence=0.6),
    Post("2", "border b", ANTI, "en", at="2024-02-01 00:30:00", confidence=0.7),
    Post("3", "GRENZE ÄÖ", ANTI, "de", at="2024-02-02 00:00:00", country="DE", confidence=0.8),
    Post("4", "a.*b (c", NEUTRAL, "de", at=None, confidence=0.9),
    Post("5", "nothing", UNRELATED, "fr", at="2024-03-01 12:00:00", confidence=0.95),
    Post("6", "not scored", None, "fr", at="2024-03-02 12:00:00"),
    Post("7", None, None, None, at="2024-03-03 12:00:00"),
    Post("8", "Border a", PRO, "en", at="2024-04-01 12:00:00", repost_of="1", confidence=0.6),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("selection"), POSTS)


def chosen(corpus: Path, wanted: Wanted) -> list[str]:
    with gate.opened(corpus) as con:
        run = find_runs(con)[0]
        numbers = select(con, wanted, run)
        rows = dict(con.execute("SELECT rowid, id FROM tweets").fetchall())
    return [rows[number] for number in part(numbers, 0, len(numbers))]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), "12345678"),
        (Wanted(descending=True), "87654321"),
        (Wanted(filter=Filter(langs=("de", "fr"))), "3456"),
        (Wanted(filter=Filter(since=date(2024, 2, 1), until=date(2024, 2, 1))), "2"),
        (Wanted(filter=Filter(zone="Europe/Berlin", since=date(2024, 2, 1), until=date(2024, 2, 1))), "12"),
        (Wanted(filter=Filter(contains="BORDER")), "128"),
        (Wanted(filter=Filter(contains="äö")), "3"),
        (Wanted(filter=Filter(contains=".*b (")), "4"),
        (Wanted(filter=Filter(least=0.6, most=0.7)), "128"),
        (Wanted(filter=Filter(where="country IS NOT NULL")), "13"),
        (Wanted(filter=Filter(originals_only=True, langs=("en",))), "12"),
        (Wanted(labels=(ANTI, NEUTRAL)), "234"),
        (Wanted(cell=(("lang", "en"),), labels=(PRO,)), "18"),
        (Wanted(cell=(("month", "2024-02"),)), "23"),
        (Wanted(cell=(("month", None),)), "4"),
        (Wanted(cell=(("week", "2024-W05"),), labels=TASK.names), "123"),
        (Wanted(cell=(("seen", "unseen"),), labels=TASK.names), "345"),
        (Wanted(cell=(("country", "DE"),)), "3"),
        (Wanted(order="confidence", labels=TASK.names), "182345"),
        (Wanted(order="confidence", labels=TASK.names, descending=True), "543218"),
        (Wanted(order="date"), "12356784"),
        (Wanted(order="length"), "45123867"),
    ],
)
def test_which_posts_in_which_order(corpus: Path, wanted: Wanted, ids: str) -> None:
    found = chosen(corpus, wanted)
    if wanted.order == "length":
        lengths = {each.id: len(each.text) if each.text is not None else 99 for each in POSTS}
        assert [lengths[each] for each in found] == sorted(lengths.values())
    else:
        assert "".join(found) == ids


def test_every_order_can_be_asked_both_ways(corpus: Path) -> None:
    for order in ORDERS:
        wanted = reversed_order(Wanted(), order)
        assert sorted(chosen(corpus, wanted)) == sorted(chosen(corpus, reversed_order(wanted, order)))


@pytest.mark.parametrize("by", ["lang", "month", "week", "year", "country", "seen", "platform", "run"])
def test_behind_every_bar_are_as_many_posts_as_it_counts(corpus: Path, by: str) -> None:
    with gate.opened(corpus) as con:
        run = find_runs(con)[0]
        answer = breakdown(con, from_corpus(con, [run]), Question(by=(by,)), TASK.groups, TASK.names)
        for row in answer.rows:
            for name, labels in TASK.groups["stance"].items():
                wanted = Wanted(cell=((by, row.keys[0]),), labels=labels)
                assert len(select(con, wanted, run)) == row.counts["stance"][name]
            assert len(select(con, Wanted(cell=((by, row.keys[0]),), labels=TASK.names), run)) == row.n


def test_a_condition_that_is_none_is_a_sentence(corpus: Path) -> None:
    with pytest.raises(UsageError, match="is no condition on posts"):
        chosen(corpus, Wanted(filter=Filter(where="nonsense >")))
    with pytest.raises(UsageError, match="no such time zone"):
        chosen(corpus, Wanted(filter=Filter(zone="Mars", since=date(2024, 1, 1))))


def test_erased_posts_leave_no_holes(tmp_path: Path) -> None:
    corpus = fill(tmp_path, POSTS)
    with gate.opened(corpus, write=True) as con:
        con.execute("DELETE FROM tweets WHERE id = '3'")
    assert "".join(chosen(corpus, Wanted())) == "1245678"


def test_places_of_matches(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        run = find_runs(con)[0]
        numbers: Numbers = select(con, Wanted(order="confidence", labels=TASK.names, descending=True), run)
        assert holding(con, numbers, "border").tolist() == [3, 4, 5]
        assert holding(con, range(len(POSTS)), "border").tolist() == [0, 1, 7]
        assert holding(con, range(len(POSTS) - 1, -1, -1), "border").tolist() == [0, 6, 7]
        assert holding(con, range(len(POSTS)), "absent").tolist() == []


def test_a_page_keeps_the_order_and_leaves_out_what_is_gone(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        run = find_runs(con)[0]
        lines = page(con, [4, 0, 999, 6], run.id)
        assert [line.number for line in lines] == [4, 0, 6]
        assert [line.label for line in lines] == [UNRELATED, PRO, None]
        assert lines[2].text is None
        assert page(con, [0], None)[0].label is None
        found = post(con, 0, run.id)
        assert found is not None
        assert (found.times, found.label, found.country) == (2, PRO, "GB")
        assert found.p == pytest.approx((0.6, 0.4 / 3, 0.4 / 3, 0.4 / 3))
        assert post(con, 999, run.id) is None


def test_a_trend_counts_every_dated_post_once(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        source = from_corpus(con, find_runs(con))
        found = trend(con, source, Question(), (PRO, ANTI), points=3)
        assert found is not None
        assert found.period == "week"
        assert found.periods[0] == "2024-W05"
        assert {key: sum(counts) for key, counts in found.counts.items()} == {"en": 3, "de": 1}
        assert all(len(counts) == len(found.periods) for counts in found.counts.values())
        assert trend(con, source, Question(by=("month",)), (PRO,)) is None
        assert trend(con, source, Question(langs=("xx",)), (PRO,)) is None


def test_an_overview(corpus: Path, tmp_path: Path) -> None:
    with gate.opened(corpus) as con:
        found = overview(con)
    assert (found.posts, found.gold, [run.id for run in found.runs]) == (8, 0, ["2026-03-02-aaaaaaaa"])
    assert found.run("absent") is found.runs[0]
    with gate.opened(fill(tmp_path, [], run=None)) as con:
        assert overview(con).run(None) is None


def test_a_stopped_leash_ends_the_query_and_lets_no_other_begin(corpus: Path) -> None:
    leash, caught = Leash("100MB"), []

    def work() -> None:
        with leash.hold():
            try:
                with gate.opened(corpus) as con:
                    assert con.execute("SELECT current_setting('memory_limit')").fetchall() == [("95.3 MiB",)]
                    con.execute("SELECT count(*) FROM range(100_000_000) a, range(100_000_000) b").fetchall()
            except Interrupted as error:
                caught.append(str(error))
            try:
                with gate.opened(corpus):
                    caught.append("opened")
            except Interrupted as error:
                caught.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    leash.stop()
    thread.join(5)
    assert caught == ["Stopped.", "Stopped."]
    with gate.opened(corpus, write=True, patience=0):
        pass


def test_a_leash_that_waits_is_told_who_holds_the_corpus(corpus: Path) -> None:
    from corpus.workspaces import holder, let_go

    heard: list[str] = []
    found: list[Any] = []
    leash = Leash(waiting=heard.append)

    def work() -> None:
        with leash.hold(), gate.opened(corpus) as con:
            found.extend(con.execute("SELECT count(*) FROM tweets").fetchall())

    with holder(corpus, "write") as process:
        thread = threading.Thread(target=work)
        thread.start()
        while not heard:
            time.sleep(0.01)
        assert f"process {process.pid}" in heard[0]
        let_go(process)
        thread.join(10)
    assert found == [(8,)]
