from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import Xlt
from coded import drawn, make_corpus, said_of, text_of, true_share, truth_of
from filled import ANTI, NEUTRAL, PRO
from xlt.corpus import gate
from xlt.training.signatures import keep_signatures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_corpus(tmp_path_factory.mktemp("cli-prevalence"))
    drawn(path, 300, by=("lang",))
    return path


@pytest.fixture
def corpus(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_corpus_with_a_draw(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("prevalence", "corpus", "--by", "lang")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].split()[:4] == ["language", "share", "of", "gold"]
    assert "English" in ran.out
    assert "Gold of the draw" in ran.err
    assert "need not add up" in ran.err
    whole = next(
        row
        for row in rows_of(xlt("prevalence", "--format", "csv").out)
        if (row["lang"], row["class"]) == ("", "related")
    )
    truth = true_share(PRO, ANTI, NEUTRAL)
    assert float(whole["low"]) < truth < float(whole["high"]) < float(whole["naive"])
    assert int(whole["more_to_halve"]) > 300
    found = json.loads(xlt("prevalence", "--format", "json", "--by", "none").out)
    assert len(found["rows"]) == 5


def test_breakdown_shows_the_same_corrected(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("breakdown", "--corrected", "--format", "csv")
    assert ran.code == 0, ran.err
    wanted = {
        (row["lang"], row["class"]): (row["corrected"], row["low"])
        for row in rows_of(xlt("prevalence", "--format", "csv").out)
    }
    for row in rows_of(ran.out):
        assert (row["topic_related"], row["topic_related_low"]) == wanted[row["lang"], "related"]
        assert (row["stance_pro"], row["stance_pro_low"]) == wanted[row["lang"], "pro"]
    assert "Intervals: 95 %" in ran.err
    assert " to " in xlt("breakdown", "--corrected").out


def test_a_table_for_dsl(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("export", "--for", "dsl", "-o", "dsl.csv")
    assert ran.code == 0, ran.err
    assert "1,200 texts, 300 with gold" in ran.err
    with Path("dsl.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    coded = [row for row in rows if row["gold"]]
    assert len(rows) == 1200
    assert len(coded) == 300
    assert "text" not in rows[0]
    for row in coded:
        assert row["gold"] == truth_of(int(row["id"]))
        assert row["predicted"] == said_of(int(row["id"]))
        assert int(row["gold_pro_immigration"]) == (row["gold"] == PRO)
        assert float(row["probability"]) == pytest.approx(150 / (900 if row["lang"] == "en" else 300))
    assert all(row["gold_pro_immigration"] == "" for row in rows if not row["gold"])
    # dsl divides by mean(probability) x rows / coded: it must be 1.
    assert sum(float(row["probability"]) for row in rows) == pytest.approx(300)
    # The estimator that dsl uses for a mean, by hand.
    values = [
        float(row["pred_unrelated"])
        - (float(row["pred_unrelated"]) - float(row["gold_unrelated"] or 0))
        * int(row["labelled"])
        / float(row["probability"])
        for row in rows
    ]
    assert 1 - sum(values) / len(values) == pytest.approx(true_share(PRO, ANTI, NEUTRAL), abs=0.04)
    assert (corpus.parent / ".xlt" / "exports.jsonl").read_text("utf-8").count("dsl.csv") == 1


def test_gold_that_the_model_knows_is_not_gold_for_dsl(xlt: Xlt, corpus: Path, tmp_path: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        texts = [row[0] for row in con.execute("SELECT t.text FROM gold JOIN tweets t USING (text_key)").fetchall()]
        record = {"model": {"name": "tuned", "files": {"weights": str(tmp_path / "model")}}}
        con.execute("UPDATE runs SET record = ?", [json.dumps(record)])
    keep_signatures(tmp_path / "model", sorted(texts)[:5], [])
    ran = xlt("export", "--for", "dsl", "-o", "dsl.csv")
    assert ran.code == 0, ran.err
    assert "5 gold texts are left out" in ran.err
    assert "1,200 texts, 295 with gold" in ran.err
    with Path("dsl.csv").open(encoding="utf-8", newline="") as file:
        assert sum(float(row["probability"]) for row in csv.DictReader(file)) == pytest.approx(295)
    keep_signatures(tmp_path / "model", texts[:40], [])
    ran = xlt("export", "--for", "dsl", "-o", "dsl.csv")
    assert ran.code == 1
    assert "was tuned on 40 of the 300 gold texts" in ran.sentence


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "lang", "predicted", "gold", "pi"])
        for at in range(600):
            gold = truth_of(at) if at % 6 == 0 else ""
            writer.writerow([text_of(at), "en", said_of(at), gold, 1 / 6 if gold else ""])
    return path


def test_a_file_with_gold_in_some_rows(xlt: Xlt, labelled: Path) -> None:
    ran = xlt("prevalence", "labelled.csv", "--probability-column", "pi")
    assert ran.code == 0, ran.err
    assert "English" in ran.out
    plain = xlt("prevalence", "labelled.csv", "--random-sample", "--by", "none", "-o", "shares.parquet")
    assert plain.code == 0, plain.err
    assert Path("shares.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prevalence",), "There is no corpus"),
        (("prevalence", "labelled.csv"), "Say how the gold rows were drawn"),
        (("prevalence", "labelled.csv", "--random-sample", "--gold-column", "x"), "no such column"),
        (("prevalence", "labelled.csv", "--random-sample", "--gold-column", "text"), "no gold to correct by"),
        (("prevalence", "labelled.csv", "--probability-column", "lang"), "has the probability 'en' in lang"),
        (("prevalence", "labelled.csv", "--run", "x"), "--run and --draw are for a corpus"),
        (("prevalence", "none.csv"), "no file none.csv"),
        (("prevalence", "labelled.csv", "--random-sample", "--model", "no-such"), "no-such"),
        (("breakdown", "labelled.csv", "--corrected"), "--corrected is for a corpus"),
        (("export", "--for", "dsl"), "Write --for dsl with -o FILE.csv"),
        (("export", "--for", "lme4", "-o", "a.csv"), "Write --for dsl"),
    ],
)
def test_bad_input_is_one_sentence(xlt: Xlt, labelled: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = xlt(*arguments)
    assert ran.code in (1, 2), ran.err
    assert said in ran.sentence
    assert "Traceback" not in ran.err


def test_bad_input_on_a_corpus(xlt: Xlt, corpus: Path) -> None:
    assert "there is no such draw" in xlt("prevalence", "--draw", "zz").sentence
    assert "is for files" in xlt("prevalence", "corpus", "--gold-column", "gold").sentence
    assert "--model is for files" in xlt("prevalence", "corpus", "--model", "mine").sentence
    assert "neither --bootstrap" in xlt("breakdown", "--corrected", "--author-cap", "2").sentence
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE draws SET purpose = 'dev'")
    for command in (("prevalence",), ("breakdown", "--corrected"), ("export", "--for", "dsl", "-o", "a.csv")):
        ran = xlt(*command)
        assert ran.code == 2
        assert "No texts were drawn for estimates" in ran.sentence
