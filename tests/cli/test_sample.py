"""`xlt sample` and `xlt agreement`: draw, code elsewhere, read back, compare."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cli.conftest import Xlt
from corpus.test_journal import cut_short
from filled import ANTI, PRO, UNRELATED, Post, fill
from xlt.corpus import gate
from xlt.tasks import load

POSTS = [
    Post(str(n), f"text {n}", (PRO, ANTI, UNRELATED)[n % 3], lang="en" if n < 40 else "de", confidence=n / 80)
    for n in range(80)
]


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path) -> Path:
    return fill(tmp_path, POSTS)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def coded(path: Path, labels: dict[str, str], to: Path) -> None:
    """The file with a label for every text, as a coder returns it."""
    rows = rows_of(path)
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "label": labels.get(row["text"], "4")} for row in rows)


def test_draw_code_elsewhere_read_back_and_compare(xlt: Xlt, tmp_path: Path) -> None:
    drawn = xlt("sample", "draw", "60", "--coders", "ada,ben", "--overlap", "1", "--seed", "3")
    assert drawn.code == 0, drawn.err
    name = drawn.out.strip()
    assert "de: 30 of 40" in drawn.err
    assert "Nothing is drawn" not in drawn.err
    assert xlt("sample", "export", "-o", "ada.csv", "--coder", "ada").code == 0
    rows = rows_of(tmp_path / "ada.csv")
    assert len(rows) == 60
    assert {row["draw"] for row in rows} == {name}
    right = {
        post.text: {PRO: "1", ANTI: "anti", UNRELATED: "unrelated"}[str(post.label)] for post in POSTS if post.text
    }
    coded(tmp_path / "ada.csv", right, tmp_path / "ada-done.csv")
    wrong = {**right, rows[0]["text"]: "3", rows[1]["text"]: "-"}
    coded(tmp_path / "ada.csv", wrong, tmp_path / "ben-done.csv")
    text = (tmp_path / "ben-done.csv").read_text(encoding="utf-8")
    (tmp_path / "ben-done.csv").write_text(text.replace(",ada\n", ",ben\n"), encoding="utf-8")
    assert "60 labels added" in xlt("sample", "read", "ada-done.csv").err
    assert "60 labels added" in xlt("sample", "read", "ben-done.csv").err
    assert "0 labels added, 60 were there" in xlt("sample", "read", "ada-done.csv").err
    shown = xlt("sample", "show")
    assert "2 texts have different labels" in shown.out
    listed = json.loads(xlt("sample", "list", "--format", "json").out)
    assert [(row["id"], row["drawn"], row["coded"]) for row in listed] == [(name, 60, 60)]
    ran = xlt("agreement", "--draw", name[:6], "--format", "json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    overall = next(row for row in found["agreement"] if row["slice"] == "all")
    # 59 texts have two labels (one was held uncodable), and one pair differs.
    assert overall["texts"] == 59
    assert overall["agreement"] == pytest.approx(58 / 59)
    assert overall["alpha_low"] <= overall["alpha"] <= overall["alpha_high"]
    assert next(row for row in found["agreement"] if row["slice"] == "de")["alpha_low"] is None
    ada = next(row for row in found["model"] if row["slice"] == "all" and row["coder"] == "ada")
    assert ada["alpha_with_model"] == pytest.approx(1)
    assert "coder" in xlt("agreement").out


def test_strata_of_which_nothing_is_drawn_are_told(xlt: Xlt) -> None:
    assert "Nothing is drawn of 40 texts" in xlt("sample", "draw", "1").err


def test_labels_that_are_none_are_rejected_with_their_row(xlt: Xlt, tmp_path: Path) -> None:
    xlt("sample", "draw", "3")
    xlt("sample", "export", "-o", "x.csv")
    coded(tmp_path / "x.csv", {rows_of(tmp_path / "x.csv")[0]["text"]: "maybe"}, tmp_path / "y.csv")
    ran = xlt("sample", "read", "y.csv", "--coder", "ada")
    assert ran.code == 3
    reject = json.loads((tmp_path / "y.csv.rejects.jsonl").read_text(encoding="utf-8"))
    assert reject["line"] == 1
    assert "'maybe' is no label" in reject["reason"]
    assert "2 labels added" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sample", "draw", "5", "--purpose", "fun"), "there are train, dev, estimate"),
        (("sample", "draw", "5", "--by", "moon"), "there are lang, confidence"),
        (("sample", "show"), "Nothing was drawn yet"),
        (("sample", "export", "-o", "x.xlsx"), "must end in .csv"),
        (("agreement", "--run", "nope"), "no such run"),
    ],
)
def test_wrong_use_is_a_sentence(xlt: Xlt, arguments: tuple[str, ...], said: str) -> None:
    ran = xlt(*arguments)
    assert (ran.code, said in ran.sentence) == (2, True), ran.err


def test_files_and_labels_that_will_not_do(xlt: Xlt, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("text,label\nx,1\n", encoding="utf-8")
    ran = xlt("sample", "read", "other.csv")
    assert (ran.code, "no column draw, key" in ran.sentence) == (2, True)
    ran = xlt("agreement")
    assert (ran.code, "No text was coded by two people" in ran.sentence) == (1, True)
    xlt("sample", "draw", "2")
    xlt("sample", "export", "-o", "x.csv")
    coded(tmp_path / "x.csv", {}, tmp_path / "y.csv")
    ran = xlt("sample", "read", "y.csv")
    assert (ran.code, "does not say who coded" in ran.sentence) == (2, True)


def test_a_task_of_the_workspace_is_known_by_its_name(xlt: Xlt, tmp_path: Path) -> None:
    built_in = Path(load.BUILTIN, "sentiment.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(built_in.replace('name = "sentiment"', 'name = "mood"'), encoding="utf-8")
    assert xlt("sample", "draw", "4", "--task", "mine.toml").code == 0
    assert xlt("sample", "export", "-o", "mood.csv").code == 0
    coded(tmp_path / "mood.csv", {post.text: "neg" for post in POSTS if post.text}, tmp_path / "done.csv")
    assert "4 labels added" in xlt("sample", "read", "done.csv", "--coder", "ada").err
    assert "by two people (4 labels by 1 coders)" in xlt("agreement", "--task", "mood").err
    (tmp_path / "mine.toml").unlink()
    assert "The task mood is not here; put its .toml file into" in xlt("sample", "read", "done.csv").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "list"),
        ("evaluate", "--corpus"),
        ("prevalence", "corpus", "--by", "none"),
        ("breakdown", "corpus", "--corrected"),
        ("export", "-o", "out.csv"),
        ("query", "SELECT count(*) FROM gold"),
        ("package", "-o", "deposit"),
    ],
)
def test_labels_of_a_session_that_was_killed_are_there_for_every_reader(
    xlt: Xlt, corpus: Path, arguments: tuple[str, ...]
) -> None:
    draw = xlt("sample", "draw", "60").out.strip()
    with gate.opened(corpus) as con:
        keys = [row[0] for row in con.execute("SELECT text_key::VARCHAR FROM drawn").fetchall()]
    left = cut_short(corpus, draw, keys)
    assert "60 labels of a session that was cut short are in the corpus now." in xlt(*arguments).err
    assert not left.exists()
    with gate.opened(corpus) as con:
        assert con.execute("SELECT count(*) FROM gold").fetchall() == [(60,)]
