"""A statement asked with a bound on its rows; stopped, it ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from corpus.workspaces import make_corpus
from xlt.corpus import gate
from xlt.corpus.asking import answer, count
from xlt.corpus.leash import Leash
from xlt.errors import Interrupted, UsageError, XltError

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path, [f"text {number}" for number in range(50)])


def test_rows_are_bounded_and_the_total_is_honest(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        few = answer(con, "SELECT id FROM tweets ORDER BY id::INT -- all of them;", {}, limit=50)
        assert (few.table.num_rows, few.total) == (50, 50)
        cut = answer(con, "SELECT id FROM tweets ORDER BY id::INT DESC;", {}, limit=10)
        assert (cut.table.num_rows, cut.total) == (10, None)
        assert cut.table.column("id").to_pylist()[:2] == ["50", "49"]
        assert count(con, cut) == 50


def test_a_billion_rows_cost_no_more_than_the_bound(corpus: Path) -> None:
    began = time.monotonic()
    with gate.opened(corpus, memory="64MB") as con:
        found = answer(con, "SELECT range AS n FROM range(1000000000)", {}, limit=100)
    assert found.table.num_rows == 100
    assert found.total is None
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "sql",
    [
        "EXPLAIN SELECT 1",
        "DESCRIBE tweets",
        "SUMMARIZE tweets",
        "SHOW TABLES",
        "FROM tweets",
        "VALUES (1), (2)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)",
        "SELECT 1 AS a, 2 AS a",
    ],
)
def test_everything_that_reads_is_answered(corpus: Path, sql: str) -> None:
    with gate.opened(corpus) as con:
        assert answer(con, sql, {}).table.num_rows


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM tweets", "only reads"),
        ("SELECT 1) ; DELETE FROM tweets; SELECT (1", "can't be read"),
        ("SELECT\n  txt\nFROM tweets", r'line 2: Referenced column "txt" .* Candidate bindings: "'),
        ("SELECT * FROM tweetz", r'Did you mean "tweets"\?$'),
        ("SELECT\n*\nFROM labelled", "no|none yet"),
        ("SELECT 'a'::INT", "Could not convert string 'a'"),
        ("SELECT $lack", r"-- \$lack = VALUE"),
        ("SELECT $run", "no run yet"),
    ],
)
def test_what_can_t_be_answered_is_told_in_a_sentence(corpus: Path, sql: str, said: str) -> None:
    with gate.opened(corpus) as con, pytest.raises(XltError, match=said) as raised:
        answer(con, sql, {})
    assert "\n" not in str(raised.value)
    assert "LINE" not in str(raised.value)


def test_parameters_are_given_by_name(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        found = answer(con, "SELECT id FROM tweets WHERE text LIKE $like", {"like": "text 4%", "other": 1}, limit=5)
        assert found.values == {"like": "text 4%"}
        assert count(con, found) == 11


def test_stopped_the_query_ends_and_the_corpus_is_free(corpus: Path) -> None:
    leash, seen = Leash(), []
    ended = threading.Event()

    def work() -> None:
        try:
            with leash.hold(), gate.opened(corpus) as con:
                answer(con, ENDLESS, {})
        except Interrupted as error:
            seen.append(error)
        finally:
            ended.set()

    threading.Thread(target=work, daemon=True).start()
    while leash.progress() is None:
        time.sleep(0.01)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before > 0.1, "the query should be at work"
    leash.stop()
    assert ended.wait(3)
    assert seen
    with gate.opened(corpus, write=True, patience=1) as con:
        con.execute("DELETE FROM tweets")
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1, "nothing should be at work any more"


def test_a_failed_query_is_a_usage_error_where_the_sql_is_wrong(corpus: Path) -> None:
    with gate.opened(corpus) as con, pytest.raises(UsageError):
        answer(con, "SELECT lack FROM tweets", {})
