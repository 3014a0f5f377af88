from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, add_run, fill, key_of
from xlt.corpus import gate
from xlt.corpus.labelled import find_runs
from xlt.corpus.queries import FORMATS, Result, find, named, prepare, read, run, save, values_of, write
from xlt.errors import UsageError, XltError

POSTS = [
    Post("1", "welcome #Refugees all", PRO, "en", "en", author="a", country="GB"),
    Post("2", "go home #Refugees #now", ANTI, "en", "en", author="b", country="GB", confidence=0.5),
    Post("3", "go home #Refugees #now", ANTI, "en", "en", author="a", repost_of="2", country="US", confidence=0.5),
    Post("4", "go home #Refugees #now", ANTI, "en", "en", author="c", repost_of="2", country="US", confidence=0.5),
    Post("5", "ein Bericht", NEUTRAL, "de", "de", author="c", confidence=0.55, at="2026-04-01 00:00:00"),
    Post("6", "schönes Wetter", UNRELATED, "de", "nl", author="d", at=None),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = fill(tmp_path, POSTS)
    add_run(path, [Post(post.id, post.text, NEUTRAL) for post in POSTS], "2026-03-01-bbbbbbbb")
    with gate.opened(path, write=True) as con:
        con.execute("UPDATE runs SET merged_at = '2020-01-01' WHERE id = '2026-03-01-bbbbbbbb'")
        con.execute(
            "INSERT INTO gold (text_key, task, label, coder, coded_at) "
            "VALUES (?, 'immigration', ?, 'A', now()::TIMESTAMP)",
            [key_of(POSTS[0].text or ""), ANTI],
        )
    return path


def ask(corpus: Path, what: str, *given: str, cap: int | None = None) -> Result:
    query = find(what, corpus.parent)
    with gate.opened(corpus) as con:
        values = values_of(query, given) | prepare(con, find_runs(con)[0], TASK.groups)
        return run(con, query.sql, values, cap)


def records(corpus: Path, what: str, *given: str) -> list[dict[str, Any]]:
    result = ask(corpus, what, *given)
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def test_every_bundled_query_has_a_title_a_sentence_and_runs(corpus: Path) -> None:
    queries = named(corpus.parent)
    assert len(queries) >= 8
    for query in queries.values():
        assert query.title
        assert len(query.about) > 20, query.name
        assert not query.about.startswith("$")
        result = ask(corpus, query.name)
        assert result.columns
        assert not result.more


def test_stance_by_language(corpus: Path) -> None:
    found = records(corpus, "stance-by-language")
    assert [(row["language"], row["class"], row["posts"], row["percent"]) for row in found] == [
        ("en", "anti", 3, 75.0),
        ("en", "pro", 1, 25.0),
        ("de", "neutral", 1, 100.0),
    ]
    topic = records(corpus, "stance-by-language", "part=topic")
    assert {(row["language"], row["class"], row["posts"]) for row in topic} == {
        ("en", "related", 4),
        ("de", "related", 1),
        ("de", "unrelated", 1),
    }


def test_stance_by_month_and_by_country(corpus: Path) -> None:
    months = records(corpus, "stance-by-month")
    assert [(row["month"], row["class"], row["percent"]) for row in months] == [
        ("2026-03", "anti", 75.0),
        ("2026-03", "pro", 25.0),
        ("2026-04", "neutral", 100.0),
    ]
    countries = records(corpus, "stance-by-country", "least=2")
    assert [(row["country"], row["class"], row["posts"]) for row in countries] == [
        ("GB", "anti", 1),
        ("GB", "pro", 1),
        ("US", "anti", 2),
    ]
    assert records(corpus, "stance-by-country") == []


def test_hashtags_by_stance(corpus: Path) -> None:
    found = records(corpus, "hashtags-by-stance", "top=1")
    assert [(row["class"], row["hashtag"], row["posts"], row["percent_of_hashtag"]) for row in found] == [
        ("anti", "now", 3, 100.0),
        ("pro", "refugees", 1, 25.0),
    ]


def test_low_confidence_lists_each_text_once(corpus: Path) -> None:
    found = records(corpus, "low-confidence")
    assert [(row["confidence"], row["posts"], row["id"]) for row in found] == [
        (0.5, 3, "2"),
        (pytest.approx(0.55), 1, "5"),
    ]
    assert len(records(corpus, "low-confidence", "below=0.52")) == 1


def test_duplicates_and_most_reposted(corpus: Path) -> None:
    (row,) = records(corpus, "duplicates")
    assert (row["posts"], row["marked_as_reposts"], row["authors"]) == (3, 2, 3)
    (row,) = records(corpus, "most-reposted")
    assert (row["class"], row["reposts"], row["by_authors"], row["id"]) == ("anti", 2, 2, "2")
    assert row["text"] == "go home #Refugees #now"


def test_coverage_tags_and_authors(corpus: Path) -> None:
    english, german = records(corpus, "language-coverage")
    assert (english["language"], english["posts"], english["percent_tag_agrees"]) == ("en", 4, 100.0)
    assert (german["percent_tag_agrees"], english["posts_with_hand_label"]) == (50.0, 1)
    (pair,) = records(corpus, "tags-against-detection", "least=1")
    assert (pair["tag"], pair["detected"], pair["posts"]) == ("nl", "de", 1)
    loudest = records(corpus, "loudest-authors", "top=2")
    assert [(row["author"], row["posts_on_topic"], row["percent_mostly"]) for row in loudest] == [
        ("a", 2, 50.0),
        ("c", 2, 50.0),
    ]


def test_gold_runs_reposts_and_files(corpus: Path) -> None:
    (row,) = records(corpus, "gold-against-predictions")
    assert (row["language"], row["by_hand"], row["predicted"], row["percent_of_by_hand"]) == ("en", ANTI, PRO, 100.0)
    (pair,) = records(corpus, "runs-compared")
    assert (pair["texts_in_both"], pair["percent_same_label"]) == (4, 25.0)
    kinds = {(row["kind"], row["class"]): row["percent"] for row in records(corpus, "originals-and-reposts")}
    assert kinds["repost", "anti"] == 100
    (file,) = records(corpus, "imported-files")
    assert (file["rows"], file["rows_now"]) == (6, 6)


def test_a_query_of_the_workspace_wins_and_has_its_parameters(corpus: Path) -> None:
    folder = corpus.parent / "queries"
    folder.mkdir()
    (folder / "duplicates.sql").write_text(
        "-- Mine.\n-- What it tells.\n-- $least = 2: how many\n-- $word = 'x': a word\n\nSELECT $least, $word;\n",
        "utf-8",
    )
    query = named(corpus.parent)["duplicates"]
    assert (query.title, query.about, query.sql) == ("Mine", "What it tells.", "SELECT $least, $word;")
    assert ask(corpus, "duplicates").rows == [(2, "x")]
    assert ask(corpus, "duplicates", "least=7", "word=a b=c").rows == [(7, "a b=c")]


def test_a_time_with_its_zone_is_given_in_utc(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        sql = "SELECT TIMESTAMPTZ '2024-01-01 10:00:00+02' AS at, range FROM range(5000)"
        whole, part = (run(con, sql, {}, cap) for cap in (None, 3))
    assert (len(whole.rows), whole.more, len(part.rows), part.more) == (5000, False, 3, True)
    assert str(part.rows[0][0]) == "2024-01-01 08:00:00+00:00"
    with gate.opened(corpus, write=True):
        # Nothing holds it.
        pass


def test_a_cap_is_told(corpus: Path) -> None:
    capped = ask(corpus, "SELECT id FROM tweets ORDER BY id", cap=4)
    assert [row[0] for row in capped.rows] == ["1", "2", "3", "4"]
    assert capped.more
    assert not ask(corpus, "SELECT id FROM tweets", cap=6).more


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM tweets",
        "INSERT INTO gold SELECT * FROM gold",
        "CREATE TABLE x (a INT)",
        "COPY tweets TO 'out.csv'",
        "ATTACH 'other.duckdb'",
        "SELECT 1; DROP TABLE tweets",
        "SET memory_limit = '100GB'",
        "",
    ],
)
def test_sql_that_does_more_than_read_is_refused(corpus: Path, sql: str) -> None:
    with gate.opened(corpus) as con, pytest.raises(UsageError, match=r"only reads|one statement"):
        run(con, sql, {}, None)


@pytest.mark.parametrize(
    ("what", "given", "part"),
    [
        ("no-such-query", [], "stance-by-language"),
        ("duplicates", ["top"], "name=value"),
        ("duplicates", ["bottom=1"], "it has top"),
        ("imported-files", ["top=1"], "it has none"),
        ("SELECT $nothing", [], "--param nothing"),
        ("SELECT * FROM nowhere", [], "nowhere"),
        ("SELEKT 1", [], "can't be read"),
        ("SELECT lack FROM tweets", [], "lack"),
        ("SELECT text::INT FROM tweets", [], "query failed"),
    ],
)
def test_a_query_that_cannot_be_run_says_why(corpus: Path, what: str, given: list[str], part: str) -> None:
    with pytest.raises(XltError, match=part) as raised:
        ask(corpus, what, *given)
    assert "\n" not in str(raised.value)


def test_without_runs_a_query_of_predictions_says_what_to_do(tmp_path: Path) -> None:
    path = fill(tmp_path, POSTS, run=None)
    with gate.opened(path) as con:
        assert run(con, find("duplicates", tmp_path).sql, {"top": 5}, None).rows
        for name in ("stance-by-language", "low-confidence"):
            query = find(name, tmp_path)
            with pytest.raises(XltError, match="xlt classify corpus"):
                run(con, query.sql, values_of(query, []), None)


@pytest.mark.parametrize(("content", "part"), [("SELECT 1", "title"), ("-- Title only\n", "then SQL"), ("", "title")])
def test_a_file_that_is_no_query_is_refused(tmp_path: Path, content: str, part: str) -> None:
    path = tmp_path / "q.sql"
    path.write_text(content, "utf-8")
    with pytest.raises(XltError, match=part):
        read(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_are_written_whole_and_the_corpus_is_free_after(corpus: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    with gate.opened(corpus) as con:
        assert write(con, "SELECT id, text_key, created_at, text FROM tweets ORDER BY id", {}, output) == 6
        assert write(con, "SELECT id FROM tweets;", {}, tmp_path / f"two{suffix}", cap=2) == 2
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE tweets SET place = 'x'")
    import duckdb

    query = f"SELECT id, text, text_key::VARCHAR, created_at::VARCHAR FROM '{output}' ORDER BY id"
    rows = duckdb.execute(query).fetchall()
    assert [str(row[0]) for row in rows] == [post.id for post in POSTS]
    assert rows[4][1] == "ein Bericht"
    assert rows[5][2] == str(key_of("schönes Wetter"))
    assert rows[5][3] in (None, "")
    assert str(rows[4][3]).startswith("2026-04-01")


def test_a_failing_query_leaves_no_file_and_no_lock(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    with gate.opened(corpus) as con, pytest.raises(XltError):
        write(con, "SELECT text::INT FROM tweets", {}, output)
    assert not list(tmp_path.glob("*out*"))
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE tweets SET place = 'x'")


def test_results_are_json_that_others_read(corpus: Path, tmp_path: Path) -> None:
    with gate.opened(corpus) as con:
        write(
            con,
            "SELECT ['a'] AS list, 1.5 AS x, NULL AS nothing, {'k': 1} AS s, DATE '2026-01-02' AS d",
            {},
            tmp_path / "o.json",
        )
    content = json.loads((tmp_path / "o.json").read_text("utf-8"))
    assert content == [{"list": ["a"], "x": 1.5, "nothing": None, "s": {"k": 1}, "d": "2026-01-02"}]


def test_a_query_is_saved_under_its_title_and_found_again(corpus: Path) -> None:
    title = "-- Long posts\n-- Posts of some length.\n-- $least = 20: characters\n"
    content = f"{title}SELECT id FROM tweets WHERE length(text) >= $least"
    saved = save(corpus.parent, "long-posts", content)
    assert (saved.title, saved.about) == ("Long posts", "Posts of some length.")
    assert named(corpus.parent)["long-posts"].path == corpus.parent / "queries" / "long-posts.sql"
    assert len(ask(corpus, "long-posts").rows) == 4
    with pytest.raises(UsageError, match="another name"):
        save(corpus.parent, "long-posts", content)
    save(corpus.parent, "long-posts", content.replace("20", "0"), replace=True)
    assert len(ask(corpus, "long-posts").rows) == 6


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a/b", "-- T\nSELECT 1", "no name"),
        ("", "-- T\nSELECT 1", "no name"),
        ("q", "SELECT 1", "begins with a comment"),
        ("q", "-- T", "no SQL"),
    ],
)
def test_what_is_no_query_is_not_saved(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        save(tmp_path, name, content)
    assert not (tmp_path / "queries").exists()
