"""`xlt classify corpus` and `xlt runs` as a person types them."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Xlt
from corpus.workspaces import holder, let_go, make_corpus, query, scored_run
from xlt.corpus import gate

FAST = ("--backend", "torch", "--threads", "1", "--batch-tokens", "512")
TEXTS = ["hello there", "guten Tag", "hello there", "ciao", None]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path, TEXTS)


def test_the_corpus_of_the_workspace_and_one_by_its_name(xlt: Xlt, corpus: Path, tiny: str) -> None:
    ran = xlt("classify", "corpus", "-m", tiny, *FAST)
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert "5 tweets, 3 new distinct texts." in ran.err
    assert "1 tweets have no text" in ran.err
    assert "In the corpus as run 20" in ran.err
    assert "English" in ran.err
    again = xlt("classify", "corpus.duckdb", "-m", tiny, *FAST, "-o", "o.csv")
    assert again.code == 0
    assert "0 new distinct texts, 3 known before." in again.err
    assert "Written: o.csv" in again.err
    assert len(list(csv.DictReader(io.StringIO(Path("o.csv").read_text(encoding="utf-8"))))) == 5
    assert query(corpus, "SELECT count(*) FROM runs") == [(1,)]
    plan = xlt("classify", "corpus", "-m", tiny, *FAST, "--plan")
    assert "has classified all 3 texts before" in plan.sentence


def test_mistakes_are_one_sentence(xlt: Xlt, tmp_path: Path, tiny: str) -> None:
    ran = xlt("classify", "corpus", "-m", tiny, *FAST)
    assert (ran.code, ran.sentence[:32]) == (2, "xlt: There is no corpus corpus.d")
    make_corpus(tmp_path, TEXTS)
    for arguments, message in (
        (("corpus", "tweets.csv"), "can't be mixed with other sources"),
        (("corpus", "--text-column", "body"), "--text-column is for files"),
        (("corpus", "--where", "colour = 1"), "no condition on the columns of the corpus"),
        (("corpus", "--langs", "ko"), "its languages are en (3), de (2)"),
    ):
        ran = xlt("classify", *arguments, "-m", tiny, *FAST)
        assert ran.code == 2
        assert message in ran.sentence


def test_a_locked_corpus_is_a_sentence_and_the_next_command_merges(
    xlt: Xlt, corpus: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(corpus, "write") as process:
        ran = xlt("classify", "corpus", "-m", tiny, *FAST)
        assert ran.code == 1
        assert "in use by python" in ran.sentence
        assert f"(process {process.pid})" in ran.sentence
    run = scored_run(corpus)
    with holder(corpus, "read") as process:
        ran = xlt("runs", "list")
        assert ran.code == 0
        assert "complete, not in the corpus yet" in ran.out
        assert "A finished run is not in the corpus yet" in ran.err
        let_go(process)
    ran = xlt("runs", "list", "--format", "csv")
    assert f"Merged the run {run.name} into the corpus: 3 predictions." in ran.err
    (row,) = csv.DictReader(io.StringIO(ran.out))
    assert (row["run"], row["state"], row["texts"]) == (run.name, "in the corpus", "3")


@pytest.mark.parametrize("output", [(), ("-o", "o.csv")])
def test_a_corpus_that_is_locked_when_its_run_ends(
    xlt: Xlt, corpus: Path, tiny: str, monkeypatch: pytest.MonkeyPatch, output: tuple[str, ...]
) -> None:
    from xlt.engine import blocks
    from xlt.engine import corpus as engine

    monkeypatch.setitem(gate.opened.__wrapped__.__kwdefaults__, "patience", 0.2)  # type: ignore[attr-defined]
    score = blocks.score_missing
    with ExitStack() as held:

        def score_and_lock(*given: Any) -> Any:
            done = score(*given)
            held.enter_context(holder(corpus, "read"))
            return done

        monkeypatch.setattr(engine, "score_missing", score_and_lock)
        ran = xlt("classify", "corpus", "-m", tiny, *FAST, *output)
        waits = "in use by python" in ran.err and "the next command on this corpus merges them." in ran.err
        # What was asked for is there, but for the file.
        assert (ran.code, waits, "o.csv was not written" in ran.sentence) == (int(bool(output)), True, bool(output))
        merge = xlt("runs", "merge")
        assert (merge.code, "in use by python" in merge.sentence) == (1, True)
    monkeypatch.setattr(engine, "score_missing", score)
    ran = xlt("query", "SELECT count(*) AS n FROM predictions", "--format", "csv")
    assert (ran.code, ran.out.split()) == (0, ["n", "3"])
    if output:
        assert xlt("classify", "corpus", "-m", tiny, *FAST, *output).code == 0
        assert len(Path("o.csv").read_text(encoding="utf-8").splitlines()) == 6


def test_runs_are_listed_shown_merged_and_removed(xlt: Xlt, corpus: Path, tiny: str) -> None:
    ran = xlt("runs", "list")
    assert (ran.code, ran.out) == (0, "")
    assert "No runs yet" in ran.err
    assert xlt("classify", "corpus", "-m", tiny, *FAST).code == 0
    Path("t.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    assert xlt("classify", "t.csv", "-m", tiny, *FAST).code == 0
    rows = json.loads(xlt("runs", "list", "--format", "json").out)
    assert sorted((row["source"], row["state"], row["texts"]) for row in rows) == [
        ("corpus", "in the corpus", 3),
        ("t.csv", "complete", 1),
    ]
    name = next(row["run"] for row in rows if row["source"] == "corpus")
    other = next(row["run"] for row in rows if row["source"] == "t.csv")
    shown = xlt("runs", "show", name)
    assert shown.code == 0
    assert "round 1" in shown.out
    assert "3 new texts of all tweets" in shown.out
    assert json.loads(xlt("runs", "show", name, "--format", "json").out)["record"]["model"]["name"] == tiny
    assert xlt("runs", "show", other).code == 0
    assert "has the predictions of every finished run" in xlt("runs", "merge").err
    assert "0 predictions added, 3 in the corpus" in xlt("runs", "merge", name).err
    assert xlt("runs", "merge", other).code == 2
    assert xlt("runs", "show", "nope").code == 2
    refused = xlt("runs", "remove", name)
    assert refused.code == 2
    assert "add --yes" in refused.sentence
    assert xlt("runs", "remove", name, "--yes").code == 0
    assert query(corpus, "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM predictions)") == [(0, 0)]
    assert xlt("runs", "remove", other, "--yes").code == 0
    assert not list(Path("runs").iterdir())
    assert query(corpus, "SELECT count(*) FROM tweets") == [(5,)]


def test_without_a_corpus_the_runs_over_files_are_listed(xlt: Xlt, tmp_path: Path, tiny: str) -> None:
    Path("t.csv").write_text("id,text\n1,hello\n", encoding="utf-8")
    assert xlt("classify", "t.csv", "-m", tiny, *FAST).code == 0
    assert "t.csv" in xlt("runs", "list").out
    assert "There is no corpus" in xlt("runs", "merge").sentence
    assert not (tmp_path / "corpus.duckdb").exists()


@pytest.mark.slow
def test_the_demo_makes_a_workspace_to_go_on_with(xlt: Xlt, repository: Path, tmp_path: Path) -> None:
    if not (repository / "models" / "sample" / "sample.parquet").exists():
        pytest.skip("the sample is not built in yet")
    first = xlt("demo", "--backend", "torch")
    assert first.code == 0, first.err
    assert "Italian" in first.out
    assert "invented tweets" in first.out
    second = xlt("demo", "--backend", "torch")
    assert second.out == first.out
    corpus = tmp_path / "xlt-demo" / "corpus.duckdb"
    ((tweets, labelled, runs, gold),) = query(
        corpus,
        "SELECT (SELECT count(*) FROM tweets), (SELECT count(*) FROM tweets JOIN predictions USING (text_key)), "
        "(SELECT count(*) FROM runs), (SELECT count(*) FROM gold)",
    )
    assert tweets == labelled > 1000
    assert runs == 1
    assert gold > 100
    assert (tmp_path / "xlt-demo" / "tweets.labelled.parquet").exists()
