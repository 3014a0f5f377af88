"""A task says which words of a post it codes: its own, those that it quotes, or both."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.test_importing import bring, table
from corpus.workspaces import TASK, make_run, query, score
from xlt.corpus import gate, runs, schema
from xlt.corpus.forget import forget
from xlt.corpus.rounds import Round, stage_round
from xlt.corpus.stage import Selection, read_block, stage
from xlt.disk import write_json
from xlt.errors import UsageError
from xlt.tasks.spec import Words

HEADER = ["id", "text", "quoted_text", "quote_of"]
ROWS = [
    ["1", "This.", "Let them stay.", "8"],
    ["2", "This.", "Send them home.\nAll of them.", "9"],
    ["3", "This.", "", ""],
    ["4", "", "Let them stay.", "8"],
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    bring(tmp_path, table(tmp_path / "a.csv", HEADER, *ROWS))
    return tmp_path / "corpus.duckdb"


def staged(corpus: Path, coded: Words, name: str = "2026-01-01-abcdef12") -> tuple[Round, list[str], int]:
    run = make_run(corpus, name)
    each, found = stage_round(run, Selection((), corpus=corpus), TASK.normalise, coded)
    assert each is not None
    texts = [text for block in range(found.blocks) for text in read_block(each.folder, block)[1]]
    return each, sorted(texts), found.without_text


@pytest.mark.parametrize(
    ("coded", "texts", "without"),
    [
        ("own", ["This."], 1),
        ("quoted", ["Let them stay.", "Send them home.\nAll of them."], 2),
        ("own and quoted", ["This.", "This.\n> Let them stay.", "This.\n> Send them home.\n> All of them."], 1),
    ],
)
def test_what_is_scored(corpus: Path, coded: Words, texts: list[str], without: int) -> None:
    each, found, without_text = staged(corpus, coded)
    assert (found, without_text) == (texts, without)
    score(each)
    runs.merge_runs(corpus, [each.folder.parents[1]])
    # A post with no words of its own has no key; one that quotes nothing has nothing quoted to code.
    labelled = {("1",), ("2",)} if coded == "quoted" else {("1",), ("2",), ("3",)}
    assert set(query(corpus, "SELECT id FROM tweets JOIN predictions USING (text_key)")) == labelled


def test_keys_follow_the_words_when_posts_change(corpus: Path, tmp_path: Path) -> None:
    expected = f"SELECT count(*) FROM tweets WHERE text_key IS DISTINCT FROM {schema.words_key()}"
    assert query(corpus, "SELECT count(DISTINCT text_key) FROM tweets") == [(3,)]
    # One file knows nothing of quotes, the other gives another one.
    bring(tmp_path, table(tmp_path / "b.csv", ["id", "text"], ["1", "This!"], ["2", "This."]))
    (report,), _ = bring(tmp_path, table(tmp_path / "c.csv", HEADER, ["2", "This.", "Send them home.", "9"]))
    assert (report.changed, query(corpus, expected)) == (1, [(0,)])
    assert query(corpus, "SELECT text, quoted_text FROM tweets WHERE id IN ('1', '2') ORDER BY id") == [
        ("This!", "Let them stay."),
        ("This.", "Send them home."),
    ]


def test_what_is_quoted_can_be_forgotten(corpus: Path) -> None:
    own, _, _ = staged(corpus, "own")
    both, _, _ = staged(corpus, "own and quoted", "2026-01-02-abcdef12")
    for each, coded in ((own, "own"), (both, "own and quoted")):
        score(each)
        run = each.folder.parents[1]
        record = runs.record_of(run)
        record["task"]["coded"] = coded
        write_json(run / "run.json", record)
        runs.merge_runs(corpus, [run])
    forget(corpus.parent, corpus, ["8"], normalise_of=lambda task: TASK.normalise)
    found = query(corpus, "SELECT t.id, p.run[:10] FROM tweets t JOIN predictions p USING (text_key) ORDER BY ALL")
    # The first post's own words keep their prediction; what was said of both together is gone, but for what equals it.
    assert found == [
        ("1", "2026-01-01"),
        ("1", "2026-01-02"),
        ("2", "2026-01-01"),
        ("2", "2026-01-02"),
        ("3", "2026-01-01"),
        ("3", "2026-01-02"),
    ]
    assert query(
        corpus,
        "SELECT count(*) FROM predictions WHERE text_key NOT IN (SELECT text_key FROM tweets "
        "WHERE text_key IS NOT NULL)",
    ) == [(0,)]
    with gate.opened(corpus) as con:
        shards = [str(path) for each in (own, both) for path in each.shards]
        # "This." of both runs, and "This." with the quote that stays.
        assert con.execute("SELECT count(*) FROM read_parquet(?)", [shards]).fetchall() == [(3,)]


def test_of_files_one_column_is_coded(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", HEADER, *ROWS)
    with pytest.raises(UsageError, match="which a file keeps in two columns"):
        stage(Selection((path,)), tmp_path / "run", TASK.normalise, "own and quoted")
    found = stage(Selection((path,)), tmp_path / "run", TASK.normalise, "quoted")
    assert (found.text_column, found.distinct, found.without_text) == ("quoted_text", 2, 1)
    named = Selection((path,), text_column="text")
    assert stage(named, tmp_path / "other", TASK.normalise, "own and quoted").text_column == "text"


def test_version_2_gets_the_new_keys(corpus: Path) -> None:
    each, _, _ = staged(corpus, "own")
    score(each)
    run = each.folder.parents[1]
    with gate.opened(corpus, write=True) as con:
        con.execute(f"UPDATE tweets SET text_key = {schema.text_key('text')}")
        key = con.execute("SELECT DISTINCT text_key::VARCHAR FROM tweets WHERE text_key IS NOT NULL").fetchall()
        gold = (
            "SELECT text_key, id, 'immigration', 'neutral', 'A', '2024-05-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL"
        )
        con.execute(f"INSERT INTO gold {gold} FROM tweets WHERE id = '1'")
        con.execute("INSERT INTO predictions SELECT ?, ?::UUID, 'neutral', 0.5, [0.5]", [run.name, key[0][0]])
        con.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")
    assert len(key) == 1
    expected = f"SELECT count(*) FROM tweets WHERE text_key IS DISTINCT FROM {schema.words_key()}"
    assert query(corpus, expected) == [(0,)]
    assert query(corpus, "SELECT id FROM tweets JOIN predictions USING (text_key) ORDER BY 1") == [
        ("1",),
        ("2",),
        ("3",),
    ]
    assert query(corpus, "SELECT t.id FROM tweets t JOIN gold g USING (text_key)") == [("1",)]
