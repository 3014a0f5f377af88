"""What was erased is nowhere: not in a table, a run folder, a file of rejects, nor in the bytes of the corpus."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import duckdb
import pytest

from corpus.workspaces import TASK, make_run, query, score, stage_into
from xlt.corpus import forget as forgetting
from xlt.corpus import gate, runs
from xlt.corpus.exports import Selection, export
from xlt.corpus.forget import forget, read_ids
from xlt.corpus.importing.job import Import, Labels, Options, Report, run
from xlt.corpus.schema import words_key
from xlt.errors import UsageError, XltError
from xlt.locks import hold

SECRET = "an unmistakable sentence that somebody wants erased"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = [
        ["1", SECRET, "ann", "", "", "pro-immigration"],
        ["2", "RT @ann: an unmista…", "bob", "1", "", ""],
        ["3", "look at that", "bob", "", "1", "neutral"],
        ["4", "said by two", "ann", "", "", ""],
        ["5", "said by two", "eve", "", "", "neutral"],
        ["", f"{SECRET} again, without id", "ann", "", "", ""],
    ]
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text", "author_id", "retweet_of", "quote_of", "label"], *rows])
    bring(tmp_path, path)
    where = tmp_path / "corpus.duckdb"
    with gate.opened(where, write=True) as con:
        con.execute("UPDATE tweets SET quoted_text = ? WHERE id = '3'", [SECRET])
        con.execute(f"UPDATE tweets SET text_key = {words_key()}")
    return where


def bring(folder: Path, path: Path) -> Report:
    options = Options(labels="label")
    (report,) = run(Import([path], folder, folder / "corpus.duckdb", options, Labels(TASK)), lambda sentence: None)
    assert report.error is None
    return report


def traces(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and SECRET[:30].encode() in path.read_bytes()]


def test_a_post_is_erased_everywhere_and_does_not_come_back(corpus: Path) -> None:
    folder = corpus.parent
    made = make_run(corpus)
    each = stage_into(made, corpus)
    assert each is not None
    score(each)
    with gate.opened(corpus, write=True) as con:
        runs.merge(con, made)
    assert query(corpus, "SELECT count(*) FROM predictions") == [(3,)]
    export(folder, corpus, Selection(), folder / "out.csv")
    found = forget(folder, corpus, ["1"], normalise_of=lambda task: TASK.normalise)
    assert (found.tweets, found.reposts, found.quoted, found.predictions, found.gold) == (2, 1, 1, 1, 1)
    assert query(corpus, "SELECT id, quoted_text FROM tweets ORDER BY id") == [("3", None), ("4", None), ("5", None)]
    assert query(corpus, "SELECT count(*) FROM predictions") == [(2,)]
    (shard,) = each.shards
    assert duckdb.execute(f"SELECT count(*) FROM '{shard}'").fetchall() == [(2,)]
    # The imported file and the export are the user's: they are named.
    assert set(found.may_hold) == {folder / "a.csv", folder / "out.csv"}
    assert set(traces(folder)) == {folder / "a.csv", folder / "out.csv"}
    assert bring(folder, folder / "a.csv").added == 0
    assert query(corpus, "SELECT count(*) FROM tweets WHERE id IN ('1', '2')") == [(0,)]


def test_the_rewritten_corpus_is_whole_and_opens_in_older_duckdbs(corpus: Path) -> None:
    before = query(corpus, "SELECT table_name, column_name, data_type FROM duckdb_columns() ORDER BY ALL")
    forget(corpus.parent, corpus, ["1"])
    assert query(corpus, "SELECT table_name, column_name, data_type FROM duckdb_columns() ORDER BY ALL") == before
    assert query(corpus, "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL")[0][
        0
    ].startswith("v1.0.0")
    assert [path.name for path in corpus.parent.glob(".*.part")] == []


def test_a_prediction_stays_while_another_post_has_the_text(corpus: Path) -> None:
    found = forget(corpus.parent, corpus, ["4"])
    assert (found.tweets, found.predictions, found.gold) == (1, 0, 0)
    assert query(corpus, "SELECT count(*) FROM gold WHERE tweet_id = '5'") == [(1,)]


def test_all_posts_of_an_author(corpus: Path) -> None:
    found = forget(corpus.parent, corpus, [], ["ann"])
    assert query(corpus, "SELECT id FROM tweets ORDER BY id") == [("3",), ("5",)]
    assert found.tweets == 3


def test_ids_that_are_not_there_are_remembered(corpus: Path, tmp_path: Path) -> None:
    found = forget(tmp_path, corpus, ["77"])
    assert (found.tweets, found.unknown) == (0, ["77"])
    late = tmp_path / "b.csv"
    late.write_text("id,text,label\n77,too late,\n78,fine,\n")
    assert bring(tmp_path, late).added == 1


@pytest.mark.parametrize("lock", ["run.lock", "shard-1-of-3.lock"])
def test_a_run_that_is_being_worked_on_stops_it(corpus: Path, lock: str) -> None:
    made = make_run(corpus)
    with hold(made / lock, "The run"), pytest.raises(XltError, match="is being written by another xlt"):
        forget(corpus.parent, corpus, ["1"])
    assert query(corpus, "SELECT count(*) FROM tweets") == [(5,)]


@pytest.mark.parametrize(
    ("content", "ids"),
    [("1\n2\n\n2\n", ["1", "2"]), ("id\n12\n", ["12"]), ("id,text\n12,x\n", ["12"]), ('"5"\n', ["5"])],
)
def test_ids_from_files(tmp_path: Path, content: str, ids: list[str]) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(content)
    assert read_ids([str(path)]) == ids


def test_bad_lists_of_ids(tmp_path: Path) -> None:
    given: list[Any] = [[], [str(tmp_path / "none.txt")]]
    for each in given:
        with pytest.raises(UsageError):
            read_ids(each)


def test_an_erased_post_leaves_the_draws_too(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        con.execute("INSERT INTO drawn SELECT 'd', text_key, id, 'en', 0.5, 1, NULL FROM tweets WHERE id IN ('1', '3')")
    forget(corpus.parent, corpus, ids=["1"])
    assert query(corpus, "SELECT tweet_id FROM drawn") == [("3",)]


def test_a_run_that_waits_to_be_merged_does_not_bring_it_back(corpus: Path) -> None:
    made = make_run(corpus)
    each = stage_into(made, corpus)
    assert each is not None
    score(each)
    forget(corpus.parent, corpus, ["1"], normalise_of=lambda task: TASK.normalise)
    ((merged,), waiting) = runs.catch_up(corpus)
    assert (merged.texts, waiting) == (2, None)
    assert query(corpus, "SELECT count(*) FROM predictions WHERE text_key NOT IN (SELECT text_key FROM tweets)") == [
        (0,)
    ]


@pytest.mark.parametrize("where", ["_erase", "rewrite"])
def test_stopped_in_the_middle_the_same_command_finishes(
    corpus: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(corpus)
    each = stage_into(made, corpus)
    assert each is not None
    score(each)

    def stop(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gate if where == "rewrite" else forgetting, where, stop)
        with pytest.raises(KeyboardInterrupt):
            forget(corpus.parent, corpus, ["1"], normalise_of=lambda task: TASK.normalise)
    assert query(corpus, "SELECT count(*) FROM tweets") == [(3 if where == "rewrite" else 5,)]
    forget(corpus.parent, corpus, ["1"], normalise_of=lambda task: TASK.normalise)
    assert traces(corpus.parent) == [corpus.parent / "a.csv"]
    assert query(corpus, "SELECT count(*) FROM tweets") == [(3,)]
    assert query(corpus, "SELECT count(*) FROM meta WHERE key = 'traces'") == [(0,)]
