from __future__ import annotations

import csv
import random
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, add_run, fill
from xlt.corpus import duck, gate
from xlt.corpus.bootstrap import LEAST_AUTHORS, Patterns, effective, intervals
from xlt.corpus.breakdown import Answer, Question, breakdown
from xlt.corpus.dimensions import Columns, Dimension, dimension, filled, language_sql, shown
from xlt.corpus.footnotes import footnotes
from xlt.corpus.labelled import FileColumns, find_runs, from_corpus, from_files
from xlt.corpus.shares import Row, top_share
from xlt.errors import UsageError, XltError

POSTS = [
    Post("1", "welcome all", PRO, "en", author="a", at="2026-01-31 23:30:00", country="GB"),
    Post("2", "go home", ANTI, "en", author="b", at="2026-02-01 10:00:00", country="GB"),
    Post("3", "go home", ANTI, "en", author="a", at="2026-02-02 10:00:00", repost_of="2", country="US"),
    Post("4", "go home", ANTI, "en", author="a", at="2026-04-02 10:00:00", repost_of="2", country="US"),
    Post("5", "a report", NEUTRAL, "de", author="c", at="2026-04-30 23:30:00"),
    Post("6", "nice weather", UNRELATED, "de", author=None, at=None),
    Post("7", "good evening", UNRELATED, None, tag="de", author="c", at="2026-04-01 00:00:00"),
    Post("8", "new words", None, "de", author="d"),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return fill(tmp_path, POSTS)


def ask(corpus: Path, question: Question, runs: tuple[str, ...] = ()) -> Answer:
    with gate.opened(corpus) as con:
        return breakdown(con, from_corpus(con, find_runs(con, runs)), question, TASK.groups, TASK.names)


def counts(answer: Answer) -> dict[tuple[str | None, ...], int]:
    return {row.keys: row.n for row in answer.rows}


def test_shares_by_language_stand_on_their_own_denominators(corpus: Path) -> None:
    answer = ask(corpus, Question())
    english, german = answer.rows
    assert (english.keys, english.n, english.bases) == (("en",), 4, {"topic": 4, "stance": 4})
    assert english.share("stance", "anti") == 0.75
    assert (german.keys, german.n, german.bases) == (("de",), 3, {"topic": 3, "stance": 1})
    assert german.share("topic", "related") == pytest.approx(1 / 3)
    assert german.share("stance", "neutral") == 1
    assert (answer.total.n, answer.total.bases) == (7, {"topic": 7, "stance": 5})
    assert answer.without_label == 1
    assert answer.without_author == 1
    assert answer.zone is None


def test_a_denominator_of_nothing_gives_no_share(corpus: Path) -> None:
    answer = ask(corpus, Question(by=(), where="label = 'unrelated'"))
    assert answer.rows == ()
    assert answer.total.share("topic", "related") == 0
    assert answer.total.share("stance", "pro") is None


def test_empty_months_are_rows_and_the_time_zone_moves_the_borders(corpus: Path) -> None:
    utc = ask(corpus, Question(by=("month",)))
    assert counts(utc) == {("2026-01",): 1, ("2026-02",): 2, ("2026-03",): 0, ("2026-04",): 3, (None,): 1}
    assert utc.rows[2].share("topic", "related") is None
    berlin = ask(corpus, Question(by=("month",), zone="Europe/Berlin"))
    assert counts(berlin) == {("2026-02",): 3, ("2026-03",): 0, ("2026-04",): 2, ("2026-05",): 1, (None,): 1}
    assert (utc.zone, berlin.zone) == ("UTC", "Europe/Berlin")


def test_crossed_with_language_every_language_has_every_month(corpus: Path) -> None:
    found = counts(ask(corpus, Question(by=("lang", "month"))))
    months = ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert [key for key in found if key[0] == "en"] == [("en", month) for month in months]
    assert found["de", "2026-01"] == 0
    assert list(found)[-1] == ("de", None)
    assert list(counts(ask(corpus, Question(by=("month", "lang")))))[:2] == [("2026-01", "en"), ("2026-01", "de")]


def test_weeks_are_iso_weeks() -> None:
    week = Dimension("week", "", "week")
    assert shown(date(2024, 12, 30), week) == "2025-W01"
    keys, complete = filled([week], [(date(2024, 12, 23),), (date(2025, 1, 6),)])
    assert complete
    assert [shown(key[0], week) for key in keys] == ["2024-W52", "2025-W01", "2025-W02"]


def test_years_and_days_are_filled_across_their_borders() -> None:
    year, day, month = (Dimension(name, "", name) for name in ("year", "day", "month"))
    assert len(filled([year], [(date(2020, 1, 1),), (date(2026, 1, 1),)])[0]) == 7
    assert len(filled([day], [(date(2024, 2, 28),), (date(2024, 3, 1),)])[0]) == 3
    assert [key[0].month for key in filled([month], [(date(2025, 11, 1),), (date(2026, 2, 1),)])[0]] == [11, 12, 1, 2]


def test_a_date_far_off_does_not_make_a_million_rows() -> None:
    day = Dimension("day", "", "day")
    keys = [(date(1, 1, 1),), (date(9999, 12, 31),)]
    assert filled([day], keys) == (keys, False)
    assert len(filled([Dimension("month", "", "month")], [(date(9999, 11, 1),), (date(9999, 12, 1),)])[0]) == 2


def test_texts_count_once_in_a_row_and_once_over_all(corpus: Path) -> None:
    answer = ask(corpus, Question(by=("country",), unit="texts", where="country IS NOT NULL"))
    assert counts(answer) == {("GB",): 2, ("US",): 1}
    assert answer.total.n == 2
    assert answer.total.share("stance", "anti") == 0.5


def test_authors_count_once_with_the_shares_of_their_posts(corpus: Path) -> None:
    answer = ask(corpus, Question(unit="authors"))
    english = answer.rows[0]
    assert english.n == 2
    # a: 1 pro and 2 anti; b: 1 anti.
    assert english.share("stance", "anti") == pytest.approx((2 / 3 + 1) / 2)
    assert answer.total.n == 3
    # c is on topic with one of two posts.
    assert answer.total.share("topic", "related") == pytest.approx((1 + 1 + 0.5) / 3)
    assert answer.total.bases == {"topic": 3, "stance": 3}


def test_shares_of_authors_have_the_same_digits_in_every_order(tmp_path: Path) -> None:
    lines = [f"{author},{PRO if at % 3 else UNRELATED}\n" for author in range(20_000) for at in range(1 + author % 5)]
    found = []
    for name, order in (("a.csv", lines), ("b.csv", lines[::-1])):
        (tmp_path / name).write_text("author,predicted\n" + "".join(order), "utf-8")
        with duck.job(tmp_path) as con:
            source = from_files(con, [tmp_path / name], FileColumns(), tmp_path)
            found.append(breakdown(con, source, Question(by=(), unit="authors"), TASK.groups, TASK.names).total.counts)
    assert repr(found[0]) == repr(found[1])


def test_reposts_authors_and_more_than_so_many_can_be_left_out(corpus: Path) -> None:
    assert ask(corpus, Question(by=(), originals_only=True)).total.n == 5
    assert ask(corpus, Question(by=(), exclude_authors=("a", "nobody"))).total.n == 4
    capped = ask(corpus, Question(by=(), author_cap=1))
    assert capped.total.n == 4
    assert capped.total == ask(corpus, Question(by=(), author_cap=1)).total
    assert ask(corpus, Question(by=(), langs=("de",))).total.n == 3


def test_what_the_most_active_authors_wrote() -> None:
    assert top_share([(1, 99), (101, 1)]) == pytest.approx(101 / 200)
    assert top_share([(2, 3)]) == pytest.approx(1 / 3)
    assert top_share([(1, 150), (10, 50)]) == pytest.approx(20 / 650)
    assert top_share([]) is None


def test_two_runs_are_compared_and_the_newest_is_the_default(corpus: Path) -> None:
    others = [Post(post.id, post.text, PRO) for post in POSTS if post.text]
    add_run(corpus, others, "2026-03-03-bbbbbbbb")
    assert ask(corpus, Question(by=())).total.share("stance", "pro") == 1
    both = ask(corpus, Question(by=("run",)), ("2026-03-02", "2026-03-03"))
    assert counts(both) == {("2026-03-03-bbbbbbbb",): 8, ("2026-03-02-aaaaaaaa",): 7}
    assert both.without_label == 1


@pytest.mark.parametrize(
    ("question", "part"),
    [
        (Question(by=("planet",)), "--by planet"),
        (Question(by=("lang", "language ")), "twice"),
        (Question(by=("lang", "lang")), "twice"),
        (Question(zone="Mars/Olympus"), "--tz Mars/Olympus"),
        (Question(where="nonsense >"), "--where"),
        (Question(where="lack = 1"), "--where"),
        (Question(unit="texts", bootstrap=10), "--bootstrap"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(corpus: Path, question: Question, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        ask(corpus, question)


def test_an_unknown_run_lists_those_that_are_there(corpus: Path) -> None:
    with pytest.raises(UsageError, match="2026-03-02-aaaaaaaa"):
        ask(corpus, Question(), ("1999",))


def test_a_corpus_without_runs_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="xlt classify corpus"):
        ask(fill(tmp_path, POSTS, run=None), Question())


def test_footnotes_name_denominators_zone_and_what_is_missing(corpus: Path) -> None:
    question = Question(by=("lang", "week"), zone="Europe/Berlin")
    said = " ".join(footnotes(ask(corpus, question), question, TASK.groups, (), (1, 8)))
    for part in ("of the 5 that are pro, neutral or anti", "1 posts have no prediction", "Europe/Berlin", "ISO weeks"):
        assert part in said
    assert "No intervals" in said
    assert "95 %" in " ".join(footnotes(ask(corpus, question), Question(bootstrap=9), TASK.groups))


# Files


def write_file(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def ask_file(path: Path, question: Question, columns: FileColumns | None = None) -> Answer:
    with duck.job(path.parent / "spill") as con:
        source = from_files(con, [path], columns or FileColumns(), path.parent)
        return breakdown(con, source, question, TASK.groups, TASK.names)


def test_a_labelled_file_gives_what_the_corpus_gives(corpus: Path, tmp_path: Path) -> None:
    rows = [
        {
            "text": post.text or "",
            "lang": post.lang or post.tag,
            "user_id": post.author or "",
            "created_at": (post.at or "").replace(" ", "T"),
            "retweet_of": post.repost_of or "",
            "predicted": post.label or "",
        }
        for post in POSTS
    ]
    path = write_file(tmp_path / "labelled.csv", rows)
    for question in (
        Question(),
        Question(by=("lang", "month"), zone="Europe/Berlin"),
        Question(unit="authors"),
        Question(unit="texts"),
        Question(by=("day",), originals_only=True),
    ):
        in_file, in_corpus = ask_file(path, question), ask(corpus, question)
        assert (in_file.rows, in_file.total) == (in_corpus.rows, in_corpus.total)
        assert in_file.without_author == in_corpus.without_author


def test_old_tags_regions_and_old_dates_of_a_file_are_understood(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "lang": "in", "date": "Wed Oct 10 20:19:24 +0000 2018", "predicted": PRO},
        {"text": "b", "lang": "id-ID", "date": "2018-10-10T23:30:00-05:00", "predicted": PRO},
        {"text": "c", "lang": "qme", "date": "not a date", "predicted": PRO},
    ]
    path = write_file(tmp_path / "f.csv", rows)
    assert counts(ask_file(path, Question())) == {("id",): 2, ("und",): 1}
    assert counts(ask_file(path, Question(by=("day",)))) == {("2018-10-10",): 1, ("2018-10-11",): 1, (None,): 1}


def test_reposts_of_a_file_without_such_a_column_begin_with_rt(tmp_path: Path) -> None:
    rows = [{"text": text, "predicted": PRO} for text in ("RT @who: yes", "no RT @who", "plain")]
    assert ask_file(write_file(tmp_path / "f.csv", rows), Question(by=(), originals_only=True)).total.n == 2


def test_labels_that_the_task_has_not_are_told_and_not_counted(tmp_path: Path) -> None:
    rows = [{"text": "a", "predicted": PRO}, {"text": "b", "predicted": "maybe"}]
    answer = ask_file(write_file(tmp_path / "f.csv", rows), Question(by=()))
    assert answer.total.n == 1
    assert answer.unknown_labels == {"maybe": 1}


@pytest.mark.parametrize(
    ("question", "part"),
    [
        (Question(), "--lang-column"),
        (Question(by=("month",)), "--date-column"),
        (Question(by=(), unit="authors"), "--author-column"),
        (Question(by=(), bootstrap=5), "--author-column"),
        (Question(by=(), langs=("en",)), "--lang-column"),
    ],
)
def test_a_column_that_a_file_lacks_is_named_with_its_option(tmp_path: Path, question: Question, part: str) -> None:
    path = write_file(tmp_path / "f.csv", [{"text": "a", "predicted": PRO}])
    with pytest.raises(UsageError, match=part):
        ask_file(path, question)


def test_a_file_without_labels_says_how_to_get_them(tmp_path: Path) -> None:
    path = write_file(tmp_path / "f.csv", [{"text": "a"}])
    with pytest.raises(UsageError, match="xlt classify"):
        ask_file(path, Question(by=()))


def test_language_sql_is_what_canonical_is() -> None:
    import duckdb

    from xlt.languages import canonical

    tags = ["in", "iw", "pt-BR", "zh_Hant", " EN ", "qme", "", "und", "xx", "ja"]
    found = [duckdb.execute(f"SELECT {language_sql('$1')}", [tag]).fetchall()[0][0] for tag in tags]
    assert found == [canonical(tag) for tag in tags]


def test_a_column_named_like_a_period_does_not_hide_the_period() -> None:
    columns = Columns("label", "label", created_at="created_at", named=(("Month", '"Month"'),))
    assert dimension("month", columns, "UTC").period == "month"


# The bootstrap


def simple(authors: list[int], parts: list[list[float]]) -> Patterns:
    return Patterns(
        np.array(authors, np.int64),
        np.arange(len(authors)),
        np.zeros(len(authors), np.int64),
        np.array(parts, np.float64),
        1,
    )


def test_authors_of_one_post_give_the_interval_of_a_proportion() -> None:
    [[[low_high, _]]] = [intervals(simple([300, 700], [[1, 0], [0, 1]]), [[0, 1]], 4000, 1)[0]]
    assert low_high is not None
    half = 1.96 * (0.3 * 0.7 / 1000) ** 0.5
    assert low_high == pytest.approx((0.3 - half, 0.3 + half), abs=0.004)


def test_posts_of_few_authors_make_the_interval_wide() -> None:
    one_each = intervals(simple([50, 50], [[1, 0], [0, 1]]), [[0, 1]], 2000, 1)[0][0][0]
    ten_each = intervals(simple([50, 50], [[10, 0], [0, 10]]), [[0, 1]], 2000, 1)[0][0][0]
    assert one_each == ten_each
    assert one_each is not None
    assert one_each[1] - one_each[0] == pytest.approx(2 * 1.96 * 0.05, abs=0.03)


def test_over_too_few_authors_there_is_no_interval() -> None:
    assert intervals(simple([LEAST_AUTHORS - 1], [[1, 1]]), [[0, 1]], 100, 0) == [[[None, None]]]
    assert intervals(simple([LEAST_AUTHORS], [[1, 1]]), [[0, 1]], 100, 0) != [[[None, None]]]


def test_one_author_who_writes_most_leaves_no_interval() -> None:
    loud = simple([100, 100, 1], [[1, 0], [0, 1], [500, 500]])
    assert intervals(loud, [[0, 1]], 100, 0) == [[[None, None]]]
    assert effective(np.array([1.0, 1000.0]), np.array([200.0, 1.0])) == pytest.approx(1.44, abs=0.01)


def test_a_class_that_is_too_rare_has_no_interval() -> None:
    rare = intervals(simple([3, 100, 100], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]), [[0, 1, 2]], 200, 0)[0][0]
    assert rare[0] is None
    assert rare[1] is not None


def test_the_seed_decides_the_intervals_and_they_hold_the_share(tmp_path: Path) -> None:
    rng = random.Random(5)
    posts = [
        Post(str(i), f"t{i}", rng.choice(TASK.names), rng.choice(["en", "de"]), author=f"a{rng.randint(0, 190)}")
        for i in range(600)
    ]
    path = fill(tmp_path, posts)
    first = ask(path, Question(bootstrap=200, seed=3))
    assert first == ask(path, Question(bootstrap=200, seed=3))
    assert first != ask(path, Question(bootstrap=200, seed=4))
    rows: list[Row] = [*first.rows, first.total]
    for row in rows:
        for group, classes in row.intervals.items():
            for name, interval in classes.items():
                share = row.share(group, name)
                assert interval is not None
                assert share is not None
                assert interval[0] <= share <= interval[1]
    by_author = ask(path, Question(bootstrap=200, unit="authors")).total
    low, high = by_author.intervals["topic"]["related"] or (1, 0)
    assert low <= (by_author.share("topic", "related") or 0) <= high


def test_too_many_draws_for_the_memory_are_refused(corpus: Path) -> None:
    with pytest.raises(UsageError, match="at most"):
        ask(corpus, Question(bootstrap=10_000_000))
