"""Merging a run: every prediction once, all or nothing, killed at any step; listed, removed, erased."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from pathlib import Path

import duckdb
import pytest

from corpus.workspaces import (
    TASK,
    add_tweets,
    holder,
    let_go,
    make_corpus,
    make_run,
    query,
    score,
    scored_run,
    stage_into,
)
from xlt.corpus import gate
from xlt.corpus.erase import Lost, clean_run
from xlt.corpus.rounds import rounds
from xlt.corpus.runlist import details, find_run, listing, unmerged
from xlt.corpus.runs import catch_up, merge_runs, pending, remove, write_output
from xlt.corpus.stage import Selection, read_block, text_key
from xlt.errors import UsageError, XltError

# Texts that normalise alike, repeat, are blank or missing.
TEXTS = ["one", "two", "@anna hi", "@user hi", "one", None, "   ", *(f"text {n}" for n in range(1500))]
DISTINCT = 1505
CLASSIFIED = 1504  # without the blank one
SCORED = 1503  # two of them become one
PREDICTIONS = "SELECT text_key, label, confidence, p FROM predictions ORDER BY text_key"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path, TEXTS)


def count(corpus: Path) -> tuple[int, int]:
    """Predictions, and runs."""
    return query(corpus, "SELECT (SELECT count(*) FROM predictions), (SELECT count(*) FROM runs)")[0]  # type: ignore[no-any-return]


def test_a_round_is_staged_from_the_distinct_texts_alone(corpus: Path) -> None:
    each = stage_into(make_run(corpus), corpus)
    assert each is not None
    staged = each.staged
    assert (staged.rows, staged.without_text, staged.distinct, staged.known) == (len(TEXTS), 1, SCORED, 0)
    assert staged.blocks == 3
    texts = [text for block in range(staged.blocks) for text in read_block(each.folder, block)[1]]
    assert len(texts) == len(set(texts)) == SCORED
    assert "@user hi" in texts
    with holder(corpus, "write"):
        pass


def test_every_text_gets_the_prediction_of_what_it_becomes(corpus: Path) -> None:
    run = scored_run(corpus)
    assert [(each.added, each.texts) for each in merge_runs(corpus, [run])] == [(CLASSIFIED, CLASSIFIED)]
    rows = query(
        corpus,
        "SELECT t.text, p.label, p.p, p.confidence FROM tweets t JOIN predictions p USING (text_key) ORDER BY t.text",
    )
    assert len(rows) == len(TEXTS) - 2
    by_text = {text: (label, p) for text, label, p, _ in rows}
    assert by_text["@anna hi"] == by_text["@user hi"]
    for text, label, p, confidence in rows:
        assert label == TASK.names[p.index(max(p))]
        assert confidence == max(p)
        assert sum(p) == pytest.approx(1, abs=1e-5)
        assert by_text[text] == (label, p)
    ((labels, seen, texts, created, model),) = query(
        corpus, "SELECT labels, seen, texts, created_at::VARCHAR, record ->> '$.model.name' FROM runs"
    )
    assert (tuple(labels), seen, texts, model) == (TASK.names, ["en"], CLASSIFIED, "tiny")
    assert created == "2026-01-01 09:00:00", "UTC"
    # The texts are gone from the run folder; its predictions are not.
    assert {path.name for path in rounds(run)[0].folder.iterdir()} == {"round.json", "join.parquet", "shards"}


def test_merging_again_adds_nothing(corpus: Path) -> None:
    run = scored_run(corpus)
    merge_runs(corpus, [run])
    before = query(corpus, PREDICTIONS)
    assert [(each.added, each.texts) for each in merge_runs(corpus, [run])] == [(0, CLASSIFIED)]
    assert query(corpus, PREDICTIONS) == before
    assert count(corpus) == (CLASSIFIED, 1)


def test_a_second_round_has_only_what_is_new(corpus: Path) -> None:
    run = scored_run(corpus)
    merge_runs(corpus, [run])
    assert stage_into(run, corpus) is None
    assert len(rounds(run)) == 1
    add_tweets(corpus, ["brand new", "one", "@otto hi", "another", "brand new", " "])
    each = stage_into(run, corpus)
    assert each is not None
    assert (each.staged.distinct, each.staged.known) == (2, DISTINCT)
    assert sorted(read_block(each.folder, 0)[1]) == ["another", "brand new"]
    score(each)
    assert [(each.added, each.texts) for each in merge_runs(corpus, [run])] == [(3, CLASSIFIED + 3)]
    ((new,), (old,)) = query(
        corpus,
        "SELECT p.p FROM tweets t JOIN predictions p USING (text_key) WHERE t.text IN ('@otto hi', '@anna hi')",
    )
    assert new == old


def test_rounds_of_several_selections_overlap_without_doubles(corpus: Path) -> None:
    run = make_run(corpus)
    german = stage_into(run, corpus, langs=("de",))
    everything = stage_into(run, corpus)
    assert german is not None
    assert everything is not None
    assert everything.staged.distinct == SCORED, "what is not scored yet is not known"
    score(everything)
    merge_runs(corpus, [run])
    score(german)
    assert [each.added for each in merge_runs(corpus, [run])] == [0]
    assert count(corpus) == (CLASSIFIED, 1)
    assert len(query(corpus, "SELECT DISTINCT text_key FROM predictions")) == CLASSIFIED


def test_half_a_round_is_not_merged(corpus: Path) -> None:
    run = make_run(corpus)
    each = stage_into(run, corpus)
    assert each is not None
    score(each, [0, 2])
    assert pending(corpus) == []
    assert [(merged.added, merged.texts) for merged in merge_runs(corpus, [run])] == [(0, 0)]
    assert (each.folder / "texts.parquet").exists()
    score(each, [1])
    assert pending(corpus) == [run]


def test_runs_live_side_by_side(corpus: Path) -> None:
    first, second = scored_run(corpus), scored_run(corpus, "2026-02-02-00000000", langs=("en",))
    merge_runs(corpus, [first, second])
    by_run = dict(query(corpus, "SELECT run, count(*) FROM predictions GROUP BY run"))
    assert by_run[first.name] == CLASSIFIED
    assert 0 < by_run[second.name] < CLASSIFIED
    before = query(corpus, f"SELECT * FROM predictions WHERE run = '{first.name}' ORDER BY text_key")
    assert remove(corpus, second.name) == by_run[second.name]
    assert not second.exists()
    assert query(corpus, "SELECT * FROM predictions ORDER BY text_key") == before
    assert [run.id for run in listing(corpus)[0]] == [first.name]


KILLED = """
import os, signal, sys
from pathlib import Path
from xlt.corpus import runs
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(runs, sys.argv[3], die)
runs.merge_runs(Path(sys.argv[1]), [Path(sys.argv[2])])
"""


@pytest.mark.parametrize(("at", "there"), [("_insert_run", 0), ("close_rounds", CLASSIFIED)])
def test_killed_while_merging_it_is_all_or_nothing(corpus: Path, at: str, there: int) -> None:
    run = scored_run(corpus)
    arguments = [sys.executable, "-c", KILLED, str(corpus), str(run), at]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert count(corpus) == (there, int(there > 0))
    assert pending(corpus) == [run]
    merged, waiting = catch_up(corpus)
    assert waiting is None
    assert [each.texts for each in merged] == [CLASSIFIED]
    assert count(corpus) == (CLASSIFIED, 1)
    assert pending(corpus) == []


@pytest.mark.slow
def test_killed_at_any_moment_of_a_merge(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [f"text number {n}" for n in range(60_000)])
    run = scored_run(corpus)
    code = "from xlt.corpus import gate, runs; import sys; from pathlib import Path; print('ready', flush=True); \
runs.merge_runs(Path(sys.argv[1]), [Path(sys.argv[2])])"
    killed, delay = 0, 0.0
    while True:
        process = subprocess.Popen([sys.executable, "-c", code, str(corpus), str(run)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            ended = process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            ended = process.wait()
        process.stdout.close()
        assert count(corpus) in ((0, 0), (60_000, 1))
        killed += ended != 0
        if ended == 0:
            break
        delay += 0.03
    assert killed >= 3
    assert count(corpus) == (60_000, 1)


def test_a_shard_that_is_damaged_leaves_the_corpus_as_it_was(corpus: Path) -> None:
    good, bad = scored_run(corpus), scored_run(corpus, "2026-02-02-00000000")
    shard = rounds(bad)[0].shards[1]
    shard.write_bytes(shard.read_bytes()[:50])
    with pytest.raises(XltError, match=r"2026-02-02-00000000 can't be merged: .*; remove the shard"):
        merge_runs(corpus, [good, bad])
    assert count(corpus) == (CLASSIFIED, 1), "the good one stays merged"
    merged, waiting = catch_up(corpus)
    assert merged == []
    assert waiting is not None
    assert "can't be merged" in waiting
    shard.unlink()
    assert not rounds(bad)[0].complete


def test_a_run_waits_while_the_corpus_is_in_use(corpus: Path) -> None:
    run = scored_run(corpus)
    with holder(corpus, "read") as process:
        with pytest.raises(gate.CorpusLockedError):
            merge_runs(corpus, [run], patience=0.1)
        merged, waiting = catch_up(corpus)
        assert merged == []
        assert waiting is not None
        assert f"(process {process.pid})" in waiting
        assert listing(corpus)[0][0].state == "complete, not in the corpus yet"
        let_go(process)
    assert [each.added for each in catch_up(corpus)[0]] == [CLASSIFIED]
    assert catch_up(corpus) == ([], None)


def test_a_corpus_made_anew_gets_its_predictions_back(corpus: Path) -> None:
    run = scored_run(corpus)
    merge_runs(corpus, [run])
    before = query(corpus, PREDICTIONS)
    corpus.unlink()
    make_corpus(corpus.parent, TEXTS)
    assert listing(corpus)[0][0].state == "not in this corpus"
    assert unmerged(corpus) == [run]
    merge_runs(corpus, [run])
    assert query(corpus, PREDICTIONS) == before
    assert unmerged(corpus) == []


def test_what_a_listing_says(corpus: Path) -> None:
    run = make_run(corpus)
    each = stage_into(run, corpus)
    assert each is not None
    score(each, [0])
    (found,) = listing(corpus)[0]
    assert (found.state, found.texts, found.total, found.source) == ("unfinished", 0, SCORED, "corpus")
    score(each)
    merge_runs(corpus, [run])
    (found,) = listing(corpus)[0]
    assert (found.state, found.texts, found.in_corpus, found.seen) == ("in the corpus", CLASSIFIED, True, ("en",))
    assert find_run(corpus, "2026-01").id == find_run(corpus, "abcdef12").id == run.name
    with pytest.raises(UsageError, match=rf"nope is no run; there are: {run.name}"):
        find_run(corpus, "nope")
    told = details(corpus, found)
    assert sum(told["labels"].values()) == CLASSIFIED
    assert told["record"]["rounds"][0]["staged"]["rows"] == len(TEXTS)
    # Of a run whose folder is gone the corpus still knows all that.
    for path in sorted(run.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run.rmdir()
    (found,) = listing(corpus)[0]
    assert (found.state, found.folder) == ("in the corpus", None)
    assert details(corpus, found)["record"]["rounds"][0]["staged"]["rows"] == len(TEXTS)
    with holder(corpus, "write"):
        runs, trouble = listing(corpus)
        assert runs == []
        assert trouble is not None
        assert "not shown" in trouble


def test_output_has_the_selected_tweets_in_order_with_their_predictions(corpus: Path, tmp_path: Path) -> None:
    run = scored_run(corpus)
    merge_runs(corpus, [run])
    output = tmp_path / "o.parquet"
    with gate.opened(corpus) as con:
        write_output(con, run.name, Selection((), corpus=corpus, langs=("en",), limit=5), TASK, output)
    rows = duckdb.execute(f"SELECT id, text, predicted, confidence, p_neutral FROM '{output}'").fetchall()
    assert [(row[0], row[1]) for row in rows] == [(str(at + 1), TEXTS[at]) for at in range(0, 10, 2)]
    assert [row[2] is None for row in rows] == [False, False, False, True, False]


def test_erased_texts_are_in_no_file_of_a_run(corpus: Path) -> None:
    run = scored_run(corpus)
    other = make_run(corpus, "2026-02-02-00000000")
    unfinished = stage_into(other, corpus)
    assert unfinished is not None
    erased = ["two", "@anna hi", "text 7"]
    gone = Lost(erased, [str(uuid.UUID(bytes=text_key(each))) for each in erased])

    def clean() -> int:
        return sum(clean_run(folder, gone, lambda task: TASK.normalise) for folder in (run, other))

    assert clean() > 0
    texts = [text for block in range(3) for text in read_block(unfinished.folder, block)[1]]
    assert len(texts) == SCORED - 2, "@user hi is still somebody's"
    assert "two" not in texts
    assert "@user hi" in texts
    score(unfinished)
    for each, merged in zip((run, other), merge_runs(corpus, [run, other]), strict=True):
        assert merged.texts == CLASSIFIED - 3
        assert rounds(each)[0].complete
    assert not query(corpus, f"SELECT 1 FROM tweets JOIN predictions USING (text_key) WHERE text IN {tuple(erased)}")
    assert clean() == 0
