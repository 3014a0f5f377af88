"""`xlt finetune`: from labelled tweets to a model that classifies; the plan; what is refused, and with which code."""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path

import pytest

from cli.conftest import Xlt
from xlt.cli.tuning_progress import describe
from xlt.training.listener import Progress

FAST = ("--set", "rank=2", "--epochs", "1", "--backend", "torch", "--device", "cpu", "--threads", "1")


def write(path: Path, rows: int = 60, broken: int = 0) -> Path:
    """Labelled tweets of words drawn at random, in English and German, and some rows without a label."""
    rng = random.Random(0)
    words = {"en": ["border", "people", "work", "house", "open"], "de": ["Grenze", "Leute", "Arbeit", "Haus", "offen"]}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "lang", "label"])
        for number in range(rows):
            lang = ("en", "en", "de")[number % 3]
            label = ("pro", "anti", "neutral", "unrelated")[number % 4]
            writer.writerow([f"{number} " + " ".join(rng.choices(words[lang], k=9)), lang, label])
        writer.writerows([["no label here", "en", ""]] * broken)
    return path


def test_a_tuned_model_classifies(xlt: Xlt, tiny: str, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", broken=2)
    ran = xlt("finetune", "--data", "a.csv", "--langs", "en", "--base", tiny, "--name", "mine", *FAST)
    assert ran.code == 3, ran.err
    assert ran.out == ""
    assert "Only what stands in ⟦ ⟧ is learnt" in ran.err
    assert "German (unseen)" in ran.err
    assert re.search(r"Always \S+ has macro-F1 and accuracy \S+ and \S+ on seen languages, ", ran.err)
    assert "Next: xlt classify tweets.csv -m mine" in ran.err
    rejects = (tmp_path / "a.csv.rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(each)["line"] for each in rejects] == [61, 62]
    card = (tmp_path / "models" / "mine" / "card.toml").read_text(encoding="utf-8")
    assert 'languages = ["en"]' in card
    assert xlt("classify", "a.csv", "-m", "mine", "-o", "b.csv", "--backend", "torch", "--threads", "1").code == 0
    assert len((tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()) == 63
    again = xlt("finetune", "--data", "a.csv", "--langs", "en", "--base", tiny, "--name", "mine", *FAST)
    assert again.code == 2
    assert "another --name" in again.sentence


def test_only_the_languages_asked_for_are_learnt(xlt: Xlt, tiny: str, tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    assert xlt("finetune", "--data", "a.csv", "--langs", "de", "--base", tiny, "--name", "m", "-q", *FAST).code == 0
    with (tmp_path / "models" / "m" / "training" / "examples.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["lang"] for row in rows if row["set"] == "train"} == {"de"}
    assert {row["lang"] for row in rows} == {"de", "en"}


def test_the_plan_trains_nothing_and_is_data(xlt: Xlt, tiny: str, tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    ran = xlt("finetune", "--data", "a.csv", "--langs", "en", "--shots", "de=4", "--base", tiny, "--plan")
    assert ran.code == 0
    assert ran.err == ""
    assert "German" in ran.out
    assert "steps" in ran.out
    assert "from timed ones" in ran.out
    assert not (tmp_path / "models").exists()
    shown = xlt(
        "finetune", "--data", "a.csv", "--langs", "en", "--base", tiny, "--plan", "--format", "json", "--seed", "4"
    )
    found = json.loads(shown.out)
    assert found["model"] == "tiny-en-seed4"
    assert found["data"]["languages"] == ["en"]
    assert found["recipe"]["name"] == "tiny"
    assert found["memory"]["total"] > 0
    assert found["seconds"] > 0


def test_without_data_base_and_recipe_the_sample_is_taken(xlt: Xlt) -> None:
    ran = xlt("finetune", "--langs", "en,de", "--plan")
    assert ran.code == 0
    for said in ("the sample that ships with xlt", "Base xlt-mini-base", "Recipe tiny", "xlt-mini-base-en-de"):
        assert said in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--langs", "en,xx"), "no labelled text in xx; it has de (20), en (40)"),
        (("--langs", ""), "--langs is empty"),
        (("--shots", "de"), "it=50,hi=10"),
        (("--shots", "de=0"), "it=50,hi=10"),
        (("--langs", "en", "--shots", "de=99"), "--shots de=99"),
        (("--data", "none.csv"), "no file none.csv"),
        (("--data", "a.docx"), "of no kind that xlt reads"),
        (("--recipe", "nope"), "no recipe 'nope'"),
        (("--set", "lr=quick"), "--set lr=quick"),
        (("--precision", "fp16"), "auto, fp32, bf16, nf4"),
        (("--task", "nope"), "no task 'nope'"),
        (("--task", "sentiment"), "labels that the task sentiment does not know"),
        (("--base", "nope"), "no model 'nope'"),
        (("--name", "No Good"), "--name No Good"),
        (("--name", "xlt-mini-base"), "xlt-mini-base is the name of a built-in model"),
        (("--name", "a.csv", "--workspace", "odd"), "a.csv is there already and no folder"),
        (("--by-author",), "--author-column"),
        (("--lang-column", "nope"), "there is no such column"),
        (("--resume",), "leave out --resume"),
        (("--balance", "most"), "balance"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence(
    xlt: Xlt, tiny: str, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    write(tmp_path / "a.csv")
    (tmp_path / "odd" / "models").mkdir(parents=True)
    (tmp_path / "odd" / "models" / "a.csv").touch()
    data = () if "--data" in options else ("--data", "a.csv")
    base = () if "--base" in options else ("--base", tiny)
    ran = xlt("finetune", *data, *base, *options)
    assert ran.code == 2, ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_one_label_alone_is_refused(xlt: Xlt, tiny: str, tmp_path: Path) -> None:
    rows = "".join(f"text number {number},en,pro\n" for number in range(30))
    (tmp_path / "a.csv").write_text("text,lang,label\n" + rows, encoding="utf-8")
    ran = xlt("finetune", "--data", "a.csv", "--base", tiny)
    assert ran.code == 1
    assert "have the label pro-immigration" in ran.sentence


def test_a_bar_says_the_step_and_a_line_says_it_once() -> None:
    told = Progress(13, 39, 1, 3, 1.447, 1e-3, 500, 2.0, 0)
    assert describe(told, step=True) == "step 13/39 · epoch 1 of 3 · loss 1.447 · 250 tokens/s · ETA 4 s"
    assert describe(told) == "epoch 1 of 3 · loss 1.447 · 250 tokens/s · ETA 4 s"
