"""Classifying a corpus: only what is new is scored, the file is free meanwhile, and a lock at the end loses nothing."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.workspaces import TASK, add_tweets, holder, let_go, make_corpus, query
from engine.conftest import Quiet, make_job, write_tweets
from xlt.corpus.rounds import rounds
from xlt.corpus.runs import catch_up
from xlt.corpus.stage import Selection
from xlt.engine.classify import classify
from xlt.engine.job import Job, Progress
from xlt.engine.plan import make_plan
from xlt.errors import Exit, UsageError, XltError

PREDICTIONS = "SELECT text_key, label, confidence, p FROM predictions ORDER BY text_key"
WORDS = ("the bus was late", "der Bus kam spät", "el pan es bueno", "il treno parte", "a vonat késik")


def texts(count: int, begin: int = 0) -> list[str | None]:
    return [f"{WORDS[n % len(WORDS)]} {n} {'again ' * (n % 9)}" for n in range(begin, begin + count)]


def corpus_job(model: Path, corpus: Path, output: Path | None = None, **changes: object) -> Job:
    selected = {key: changes.pop(key) for key in ("langs", "where", "limit") if key in changes}
    job = make_job(model, corpus, Path("unused.csv"), corpus.parent, **changes)
    selection = Selection((), corpus=corpus, **selected)  # type: ignore[arg-type]
    return dataclasses.replace(job, selection=selection, output=output)


def command(model: Path, corpus: Path, *more: str) -> list[str]:
    options = ["-m", str(model), "--backend", "torch", "--precision", "fp32", "--threads", "1", "--batch-tokens", "512"]
    return [sys.executable, "-m", "xlt", "classify", str(corpus), *options, *more]


def test_predictions_equal_those_of_a_file_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    """One engine behind both: the same texts in the same blocks give the same numbers."""
    import csv

    import pyarrow.parquet as pq

    source = write_tweets(tmp_path / "t.csv", 1200)
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    corpus = make_corpus(tmp_path / "w", [row["text"] for row in rows])
    outcome = classify(corpus_job(tiny_model, corpus), Quiet())
    classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "files"), Quiet())
    by_text = dict(query(corpus, "SELECT t.text, (p.label, p.p) FROM tweets t JOIN predictions p USING (text_key)"))
    expected = pq.read_table(tmp_path / "o.parquet").to_pydict()
    for at, text in enumerate(expected["text"]):
        assert by_text[text] == (expected["predicted"][at], [expected[TASK.column(name)][at] for name in TASK.names])
    assert (outcome.staged.rows, outcome.pending, outcome.complete) == (1200, None, True)
    assert [row.n for row in outcome.shares] == [600, 600, 1200]


def test_the_same_command_scores_what_is_new_and_nothing_else(tiny_model: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, texts(700))
    first = classify(corpus_job(tiny_model, corpus, langs=("de",)), Quiet())
    assert (first.scored, first.staged.distinct) == (350, 350)
    second = classify(corpus_job(tiny_model, corpus), Quiet())
    assert (second.run, second.scored, second.staged.known) == (first.run, 350, 350)
    before = query(corpus, PREDICTIONS)
    listener = Quiet()
    again = classify(corpus_job(tiny_model, corpus), listener)
    assert (again.scored, again.complete) == (0, True)
    assert not any("Model" in sentence for sentence in listener.said), "nothing to score needs no model"
    assert again.shares == second.shares
    add_tweets(corpus, [*texts(5), *texts(30, 700)])
    third = classify(corpus_job(tiny_model, corpus), Quiet())
    assert (third.run, third.scored, third.staged.rows) == (first.run, 30, 735)
    assert [row for row in query(corpus, PREDICTIONS) if row in before] == before
    assert query(corpus, "SELECT count(*), count(DISTINCT text_key) FROM predictions") == [(730, 730)]
    other = classify(corpus_job(tiny_model, corpus, batch_tokens=300), Quiet())
    assert other.run != first.run


def test_where_and_limit_choose_tweets_by_the_columns_of_the_corpus(tiny_model: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, texts(40))
    outcome = classify(corpus_job(tiny_model, corpus, where="id::INT <= 10 AND lang_tag = 'en'", limit=3), Quiet())
    assert (outcome.staged.rows, outcome.scored) == (3, 3)
    assert query(corpus, "SELECT t.id FROM tweets t JOIN predictions USING (text_key) ORDER BY 1") == [
        ("1",),
        ("3",),
        ("5",),
    ]
    assert [row.n for row in outcome.shares] == [3]
    for wrong, message in (
        ({"where": "nope = 1"}, "no condition on the columns of the corpus"),
        ({"where": "id = 'x'"}, "holds for no tweet of the corpus"),
        ({"langs": ("ko",)}, r"no tweet of the corpus fits; its languages are de \(20\), en \(20\)"),
        ({"limit": 0}, "--limit 0 leaves no tweet"),
    ):
        with pytest.raises(UsageError, match=message):
            classify(corpus_job(tiny_model, corpus, batch_tokens=99, **wrong), Quiet())
    assert len(list(tmp_path.glob("runs/*"))) == 1, "a command that was wrong leaves no run"
    with pytest.raises(XltError, match="holds no tweets yet"):
        classify(corpus_job(tiny_model, make_corpus(tmp_path / "empty")), Quiet())


class Intruder(Quiet):
    """While texts are scored, another process writes to the corpus."""

    def __init__(self, corpus: Path) -> None:
        super().__init__()
        self.corpus, self.wrote = corpus, False

    def progress(self, progress: Progress) -> None:
        if not self.wrote:
            code = f"from corpus.workspaces import add_tweets; from pathlib import Path; \
add_tweets(Path({str(self.corpus)!r}), ['written meanwhile'])"
            paths = f"import sys; sys.path[:0] = {sys.path!r}\n"
            assert subprocess.run([sys.executable, "-c", paths + code], check=False).returncode == 0
            self.wrote = True


def test_the_corpus_is_free_while_texts_are_scored(tiny_model: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, texts(60))
    listener = Intruder(corpus)
    outcome = classify(corpus_job(tiny_model, corpus), listener)
    assert listener.wrote
    assert outcome.pending is None
    assert query(corpus, "SELECT count(*) FROM tweets ANTI JOIN predictions USING (text_key)") == [(1,)]
    assert classify(corpus_job(tiny_model, corpus), Quiet()).scored == 1


class Locker(Quiet):
    """Once texts are scored, another process holds the corpus."""

    def __init__(self, corpus: Path) -> None:
        super().__init__()
        self.held = holder(corpus, "read")
        self.process: subprocess.Popen[str] | None = None

    def progress(self, progress: Progress) -> None:
        if self.process is None:
            self.process = self.held.__enter__()


def test_a_corpus_that_is_locked_at_the_end_gets_the_run_later(tiny_model: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, texts(60))
    listener = Locker(corpus)
    outcome = classify(corpus_job(tiny_model, corpus), listener)
    assert listener.process is not None
    assert outcome.complete
    assert outcome.pending is not None
    assert f"(process {listener.process.pid})" in outcome.pending
    assert "The predictions are safe in" in outcome.pending
    assert query(corpus, "SELECT count(*) FROM predictions") == [(0,)]
    let_go(listener.process)
    listener.held.__exit__(None, None, None)
    assert [each.added for each in catch_up(corpus)[0]] == [60]
    again = classify(corpus_job(tiny_model, corpus), Quiet())
    assert (again.scored, again.pending) == (0, None)


def test_an_output_has_every_selected_tweet(tiny_model: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    corpus = make_corpus(tmp_path, [*texts(20), None])
    output = tmp_path / "o.parquet"
    classify(corpus_job(tiny_model, corpus, output), Quiet())
    found = pq.read_table(output).to_pydict()
    assert found["id"] == [str(n) for n in range(1, 22)]
    assert [label is None for label in found["predicted"]] == [False] * 20 + [True]
    with pytest.raises(UsageError, match="must end in"):
        classify(corpus_job(tiny_model, corpus, tmp_path / "o.xls"), Quiet())


def test_parts_fill_one_round_and_the_command_without_shard_merges(tiny_model: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "parts", texts(1500))
    whole = make_corpus(tmp_path / "whole", texts(1500))
    for part in (3, 1, 2, 2):
        outcome = classify(corpus_job(tiny_model, corpus, shard=(part, 3)), Quiet())
        assert outcome.complete == (part == 2)
    assert len(rounds(outcome.run)) == 1
    assert query(corpus, "SELECT count(*) FROM predictions") == [(0,)]
    assert classify(corpus_job(tiny_model, corpus), Quiet()).scored == 0
    classify(corpus_job(tiny_model, whole), Quiet())
    assert query(corpus, PREDICTIONS) == query(whole, PREDICTIONS)


def test_a_plan_counts_what_is_left_and_leaves_nothing_behind(tiny_model: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, texts(100))
    plan = make_plan(corpus_job(tiny_model, corpus), Quiet())
    assert (plan.staged.rows, plan.staged.distinct) == (100, 100)
    assert not (tmp_path / "runs").exists()
    classify(corpus_job(tiny_model, corpus, langs=("en",)), Quiet())
    assert make_plan(corpus_job(tiny_model, corpus), Quiet()).staged.distinct == 50
    classify(corpus_job(tiny_model, corpus), Quiet())
    with pytest.raises(XltError, match="has classified all 100 texts before"):
        make_plan(corpus_job(tiny_model, corpus), Quiet())


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_in_the_same_bits(tiny_model: Path, tmp_path: Path) -> None:
    whole = make_corpus(tmp_path / "whole", texts(4000))
    assert subprocess.run(command(tiny_model, whole), check=False, capture_output=True).returncode == Exit.DONE
    corpus = make_corpus(tmp_path / "killed", texts(4000))
    runs = corpus.parent / "runs"
    moments: list[Callable[[], bool]] = [
        lambda: any(runs.glob("*/run.json")),
        lambda: any(runs.glob("*/rounds/*/texts.parquet")),
        lambda: len(list(runs.glob("*/rounds/*/shards/0*.parquet"))) >= 1,
        lambda: len(list(runs.glob("*/rounds/*/shards/0*.parquet"))) >= 5,
    ]
    killed = 0
    for moment in moments:
        process = subprocess.Popen(command(tiny_model, corpus), stderr=subprocess.DEVNULL)
        while process.poll() is None and not moment():
            time.sleep(0.002)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 3
    # Tweets that come while a round is unfinished wait for the next one.
    add_tweets(corpus, texts(10, 4000))
    ended = subprocess.run(command(tiny_model, corpus), check=False, capture_output=True, text=True)
    assert ended.returncode == Exit.DONE, ended.stderr
    assert query(corpus, PREDICTIONS) == query(whole, PREDICTIONS)
    assert len(list(runs.glob("*"))) == 1
    assert subprocess.run(command(tiny_model, corpus), check=False, capture_output=True).returncode == Exit.DONE
    assert query(corpus, "SELECT count(*) FROM predictions") == [(4010,)]
