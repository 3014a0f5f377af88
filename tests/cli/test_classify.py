"""`xlt classify` as a person types it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Xlt

TWEETS = "id,text,lang\n1,hello there,en\n2,guten Tag,de\n3,hello there,en\n4,@user ciao,it\n"
FAST = ("--backend", "torch", "--threads", "1", "--batch-tokens", "512")


@pytest.fixture
def tweets(tmp_path: Path) -> Path:
    path = tmp_path / "tweets.csv"
    path.write_text(TWEETS, encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_documented_example(xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str) -> None:
    ran = xlt("classify", "tweets.csv", "--langs", "en,de", "-o", "labelled.parquet", "-m", tiny, *FAST)
    assert ran.code == 0, ran.err
    assert ran.out == ""
    assert "3 rows, 2 distinct texts (33 % repeats, scored once)." in ran.err
    assert "Written: labelled.parquet" in ran.err
    assert "English" in ran.err
    assert (tmp_path / "labelled.parquet").exists()


def test_the_output_lies_beside_the_input_in_its_format(xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str) -> None:
    assert xlt("classify", "tweets.csv", "-m", tiny, *FAST).code == 0
    found = rows(tmp_path / "tweets.labelled.csv")
    assert [row["id"] for row in found] == ["1", "2", "3", "4"]
    assert found[0]["predicted"] == found[2]["predicted"]
    (tmp_path / "tweets.jsonl").write_text('{"text": "hello there"}\n', encoding="utf-8")
    assert xlt("classify", "tweets.jsonl", "-m", tiny, *FAST).code == 0
    labelled = json.loads((tmp_path / "tweets.labelled.jsonl").read_text(encoding="utf-8"))
    assert labelled["predicted"] == found[0]["predicted"]


def test_a_pattern_and_several_files(xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str) -> None:
    (tmp_path / "more.csv").write_text("id,text\n9,more\n", encoding="utf-8")
    assert xlt("classify", "*.csv", "-m", tiny, "-o", "all.csv", *FAST).code == 0
    assert [row["id"] for row in rows(tmp_path / "all.csv")] == ["9", "1", "2", "3", "4"]
    assert xlt("classify", "more.csv", "tweets.csv", "-m", tiny, *FAST).code == 0
    assert (tmp_path / "labelled.parquet").exists()


def test_stdin_to_stdout(tmp_path: Path, tiny: str) -> None:
    lines = '{"id": 1, "text": "hello"}\n{"id": 2, "text": "x"}\n'
    arguments = [sys.executable, "-m", "xlt", "classify", "-", "-m", tiny, "--workspace", str(tmp_path), *FAST]
    ended = subprocess.run(arguments, input=lines, capture_output=True, text=True, check=True)
    assert [json.loads(line)["id"] for line in ended.stdout.splitlines()] == [1, 2]
    assert "distinct texts" in ended.stderr
    # No copy of the tweets stays behind.
    assert not list(tmp_path.glob("runs/stdin*"))
    failed = subprocess.run(arguments, input="no json", capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert not list(tmp_path.glob("runs/stdin*"))


def test_rejected_rows_end_in_exit_code_3(xlt: Xlt, tmp_path: Path, tiny: str) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n{oops\n{"text": null}\n{"text": "b"}\n', encoding="utf-8")
    ran = xlt("classify", "t.jsonl", "-m", tiny, *FAST)
    assert ran.code == 3
    assert "2 rows have no prediction: see runs" in ran.err
    (rejects,) = tmp_path.glob("runs/*/rejects.jsonl")
    assert [json.loads(line)["line"] for line in rejects.read_text(encoding="utf-8").splitlines()] == [2, 2]
    labelled = (tmp_path / "t.labelled.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(labelled) == 3


def test_the_plan_prints_prompt_counts_and_time_and_leaves_nothing(
    xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str
) -> None:
    ran = xlt("classify", "tweets.csv", "-m", tiny, "--plan", *FAST)
    assert ran.code == 0, ran.err
    assert "Which label fits the tweet best?" in ran.out
    assert "distinct texts  3 in 1 blocks" in ran.out
    assert "tweets/s (512 tokens per batch)" in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tweets.csv"]


def test_a_task_of_ones_own(xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str) -> None:
    (tmp_path / "mood.toml").write_text(
        'name = "mood"\nversion = "1"\n[[labels]]\nname = "good"\nanswer = "1"\n[[labels]]\nname = "bad"\n'
        'answer = "2"\n[prompt]\ntemplate = "Mood? {text}\\nLabel:"\n',
        encoding="utf-8",
    )
    ran = xlt("classify", "tweets.csv", "-m", tiny, "--task", "mood.toml", *FAST)
    assert ran.code == 0, ran.err
    assert {row["predicted"] for row in rows(tmp_path / "tweets.labelled.csv")} <= {"good", "bad"}
    assert list(rows(tmp_path / "tweets.labelled.csv")[0])[-2:] == ["p_good", "p_bad"]


def test_clashing_columns_are_said_aloud(xlt: Xlt, tmp_path: Path, tiny: str) -> None:
    (tmp_path / "t.csv").write_text("text,predicted\nhi,mine\n", encoding="utf-8")
    ran = xlt("classify", "t.csv", "-m", tiny, *FAST)
    assert "The input has a column 'predicted'; the new one is called 'predicted_2'." in ran.err
    assert rows(tmp_path / "t.labelled.csv")[0]["predicted"] == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("absent.csv",), 2, "There is no file absent.csv"),
        (("none*.csv",), 2, "No file matches none*.csv"),
        (("folder",), 2, "folder is a folder"),
        (("tweets.xls",), 2, "of no kind that xlt reads"),
        (("empty.csv",), 1, "empty.csv is empty"),
        (("tweets.csv", "-m", "nosuchmodel"), 2, "There is no model 'nosuchmodel'"),
        (("tweets.csv", "--task", "nosuchtask"), 2, "There is no task 'nosuchtask'"),
        (("tweets.csv", "--backend", "tpu"), 2, "There is no backend 'tpu'"),
        (("tweets.csv", "--precision", "int3"), 2, "There is no precision 'int3'"),
        (("tweets.csv", "--shard", "4/3"), 2, "write k/N with k from 1 to N"),
        (("tweets.csv", "-o", "folder"), 2, "folder is a folder; give the output a file name"),
        (("tweets.csv", "-o", "out.xlsx"), 2, "the output must end in"),
        (("tweets.csv", "--text-column", "txt"), 2, "there are id, text, lang"),
        (("tweets.csv", "--langs", "pl"), 2, "its languages are en (2), de (1), it (1)"),
        (("-", "tweets.csv"), 2, "can't be mixed with files"),
        (("tweets.csv", "--workspace", "tweets.csv"), 1, "can't be made"),
    ],
)
def test_mistakes_get_one_sentence_and_leave_nothing(
    xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "tweets.xls").write_text("x", encoding="utf-8")
    model = () if "-m" in arguments else ("-m", tiny)
    ran = xlt("classify", *arguments, *model)
    assert ran.code == code, ran.err
    assert sentence in ran.sentence
    assert ran.sentence.startswith("xlt: ")
    assert "Traceback" not in ran.err
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "safetensors"),
        (lambda folder: (folder / "config.json").write_text("{", encoding="utf-8"), "config.json"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x10" + b"\0" * 30), "model.safetensors"),
    ],
)
def test_damaged_models_get_one_sentence(
    xlt: Xlt, tweets: Path, tmp_path: Path, tiny: str, damage: object, sentence: str
) -> None:
    import shutil

    shutil.copytree(tiny, tmp_path / "broken")
    damage(tmp_path / "broken")  # type: ignore[operator]
    ran = xlt("classify", "tweets.csv", "-m", "broken")
    assert ran.code == 1, ran.err
    assert sentence in ran.sentence
    assert "Traceback" not in ran.err
