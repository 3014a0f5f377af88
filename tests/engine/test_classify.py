"""Classification end to end: right, resumable at any moment, the same bits again, one writer at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.conftest import Quiet, make_job, write_tweets
from xlt.engine.classify import classify
from xlt.engine.score import softmax
from xlt.errors import Exit, UsageError, XltError
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer

TASK = load_task("immigration")
COLUMNS = ["predicted", "confidence", *(TASK.column(name) for name in TASK.names)]


def table(path: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return found


def test_scores_are_those_of_a_plain_forward_pass_one_text_at_a_time(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = write_tweets(tmp_path / "t.csv", 300)
    classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w", temperature=0.6), Quiet())
    found = table(tmp_path / "o.parquet")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    answers = Renderer(TASK, tokenizer.backend_tokenizer).labels
    for row in range(0, 300, 7):
        prompt = TASK.template.replace("{text}", TASK.normalise(str(found["text"][row]))) + TASK.answer_begins
        # The answer is encoded along and dropped: "1" may change how the space before it is cut.
        ids = tokenizer(prompt + "1", return_tensors="pt").input_ids[:, :-1]
        with torch.inference_mode():
            logits = plain(ids).logits[0, -1, list(answers)].numpy()
        expected = softmax(logits[None] / np.float32(0.6))[0]
        np.testing.assert_allclose([found[name][row] for name in COLUMNS[2:]], expected, atol=1e-4)
        assert found["predicted"][row] == TASK.names[int(expected.argmax())]


def test_rows_keep_their_order_and_their_columns(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 1500)
    outcome = classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), Quiet())
    found = table(tmp_path / "o.parquet")
    assert list(found) == ["id", "text", "lang", *COLUMNS]
    assert found["id"] == [str(number) for number in range(1500)]
    assert outcome.staged.distinct < 1300
    assert sum(row.n for row in outcome.shares if row.lang != "all") == 1500
    by_text: dict[object, object] = {}
    for text, confidence in zip(found["text"], found["confidence"], strict=True):
        assert by_text.setdefault(text, confidence) == confidence


@pytest.mark.parametrize("budget", [1, 64, 700, 100_000])
def test_scores_do_not_depend_on_budget_or_neighbours(tiny_model: Path, tmp_path: Path, budget: int) -> None:
    source = write_tweets(tmp_path / "t.csv", 200)
    few = write_tweets(tmp_path / "few.csv", 20)
    classify(make_job(tiny_model, source, tmp_path / "a.parquet", tmp_path / "w", batch_tokens=budget), Quiet())
    classify(make_job(tiny_model, few, tmp_path / "b.parquet", tmp_path / "w", batch_tokens=512), Quiet())
    many, some = table(tmp_path / "a.parquet"), table(tmp_path / "b.parquet")
    for name in COLUMNS[2:]:
        np.testing.assert_allclose(many[name][:20], some[name], atol=1e-4)


def command(model: Path, source: Path, output: Path, workspace: Path, *more: str) -> list[str]:
    options = ["--threads", "1", "--batch-tokens", "256", "--precision", "fp32", "--backend", "torch"]
    options += ["--temperature", "1.7"]
    places = ["-m", str(model), "-o", str(output), "--workspace", str(workspace)]
    return [sys.executable, "-m", "xlt", "classify", str(source), *places, *options, *more]


def finish(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def shards_in(workspace: Path) -> int:
    return len(list(workspace.glob("runs/*/shards/[0-9]*.parquet")))


def kill_when(arguments: list[str], ready: object, how: int = signal.SIGKILL) -> int:
    """Start the command and send it a signal as soon as `ready()` holds; the exit code."""
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and not ready():  # type: ignore[operator]
        time.sleep(0.002)
    process.send_signal(how)
    return process.wait()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_in_the_same_bits(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 6000)
    whole = command(tiny_model, source, tmp_path / "whole.parquet", tmp_path / "whole")
    assert finish(whole).returncode == Exit.DONE
    workspace = tmp_path / "killed"
    output = tmp_path / "killed.parquet"
    again = command(tiny_model, source, output, workspace)
    moments = [
        lambda: any(workspace.glob("runs/*/run.json")),  # while staging
        lambda: any(workspace.glob("runs/*/texts.parquet")),  # staged, model not loaded
        lambda: shards_in(workspace) >= 1,
        lambda: shards_in(workspace) >= 4,
        lambda: any(workspace.glob("runs/*/shards/.*.part")),  # while a shard is being written
    ]
    killed = 0
    for moment in moments:
        killed += kill_when(again, moment) == -signal.SIGKILL
    assert killed >= 4
    assert not output.exists()
    (shards,) = workspace.glob("runs/*/shards")
    (shards / ".000009.parquet.1.part").write_bytes(b"PAR1 half a shard")
    ended = finish(again)
    assert ended.returncode == Exit.DONE, ended.stderr
    assert len(list(workspace.glob("runs/*"))) == 1
    assert pq.read_table(output).equals(pq.read_table(tmp_path / "whole.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_and_says_how_to_resume(tiny_model: Path, tmp_path: Path, how: int) -> None:
    source = write_tweets(tmp_path / "t.csv", 6000)
    arguments = command(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w")
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and shards_in(tmp_path / "w") < 2:
        time.sleep(0.002)
    process.send_signal(how)
    _, said = process.communicate()
    assert process.returncode == Exit.INTERRUPTED
    assert "resume with the same command" in said
    assert "Traceback" not in said
    done_before = shards_in(tmp_path / "w")
    ended = finish(arguments)
    assert ended.returncode == Exit.DONE, ended.stderr
    assert done_before >= 2


@pytest.mark.slow
def test_a_second_run_on_one_output_says_so_and_stops(tiny_model: Path, tmp_path: Path) -> None:
    source, other = write_tweets(tmp_path / "t.csv", 6000), write_tweets(tmp_path / "u.csv", 50, seed=1)
    first = subprocess.Popen(
        command(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), stderr=subprocess.DEVNULL
    )
    while first.poll() is None and shards_in(tmp_path / "w") < 1:
        time.sleep(0.002)
    # Paused, so that it can't be done before the others have even started.
    first.send_signal(signal.SIGSTOP)
    # The same command, and another input for the same output from another workspace.
    same = finish(command(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"))
    cross = finish(command(tiny_model, other, tmp_path / "o.parquet", tmp_path / "w2"))
    first.send_signal(signal.SIGCONT)
    assert first.wait() == Exit.DONE
    for second in (same, cross):
        assert second.returncode == Exit.FAILED
        assert f"(process {first.pid})" in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1
    assert len(table(tmp_path / "o.parquet")["id"]) == 6000


def test_parts_joined_equal_one_run_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 3000)
    classify(make_job(tiny_model, source, tmp_path / "whole.parquet", tmp_path / "a", temperature=1.7), Quiet())
    for part in (3, 1, 2):
        job = make_job(tiny_model, source, tmp_path / "parts.parquet", tmp_path / "b", shard=(part, 3), temperature=1.7)
        outcome = classify(job, Quiet())
        assert outcome.complete == (part == 2)
        assert not (tmp_path / "parts.parquet").exists()
    listener = Quiet()
    joined = classify(
        make_job(tiny_model, source, tmp_path / "parts.parquet", tmp_path / "b", temperature=1.7), listener
    )
    assert joined.scored == 0
    assert pq.read_table(tmp_path / "parts.parquet").equals(pq.read_table(tmp_path / "whole.parquet"))


@pytest.mark.slow
def test_parts_may_start_at_the_same_time(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 3000)
    parts = [
        subprocess.Popen(command(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w", "--shard", f"{part}/3"))
        for part in (1, 2, 3)
    ]
    assert [part.wait() for part in parts] == [Exit.DONE] * 3
    assert finish(command(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w")).returncode == Exit.DONE
    assert len(table(tmp_path / "o.parquet")["id"]) == 3000


def test_a_finished_run_keeps_its_record_and_no_text(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 100)
    outcome = classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), Quiet())
    assert sorted(path.name for path in outcome.run.iterdir()) == ["log.txt", "rejects.jsonl", "run.json", "shards"]
    record = json.loads((outcome.run / "run.json").read_text(encoding="utf-8"))
    assert record["complete"] is True
    assert record["batch_tokens"] == 512
    assert record["loaded"]["backend"] == "torch"
    assert record["loaded"]["precision"] == "fp32"
    assert record["identity"]["temperature"] == 1.0
    assert record["model"]["hash"]
    assert record["task"]["hash"] == TASK.hash
    again = classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), Quiet())
    assert (again.run, again.scored) == (outcome.run, 0)


def test_another_model_task_or_source_is_another_run(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 30)
    first = classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), Quiet())
    other = make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w", task=load_task("sentiment"))
    second = classify(other, Quiet())
    os.utime(source, (1, 1))
    third = classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), Quiet())
    assert len({first.run, second.run, third.run}) == 3


def test_odd_texts_are_scored_or_named_and_nothing_is_lost(tiny_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "odd.jsonl"
    texts = [
        None,
        "",
        "   ",
        "x" * 100_000,
        "😀😀😀",
        "\ud83d alone",
        "a\x00b",
        "<|eot_id|>",
        "ok",
        "1 2 3",
        "\u202ertl",
    ]
    source.write_text("\n".join(json.dumps({"id": n, "text": text}) for n, text in enumerate(texts)), encoding="utf-8")
    job = make_job(tiny_model, source, tmp_path / "o.jsonl", tmp_path / "w")
    outcome = classify(job, Quiet())
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == list(range(len(texts)))
    assert [row["predicted"] is None for row in rows] == [True] * 3 + [False] * 8
    assert rows[3]["text"] == "x" * 100_000
    assert rows[6]["text"] == "a\x00b"
    assert (outcome.staged.rejected, outcome.staged.without_text, outcome.cut) == (3, 3, 1)
    rejects = [json.loads(line) for line in (outcome.run / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(each["line"], each["reason"]) for each in rejects] == [(n, "no text in this row") for n in (1, 2, 3)]


def test_no_text_at_all_loads_no_model_and_writes_the_rows(tiny_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "none.csv"
    source.write_text("id,text\n1,\n2,\n", encoding="utf-8")
    listener = Quiet()
    outcome = classify(make_job(tiny_model, source, tmp_path / "o.csv", tmp_path / "w"), listener)
    assert (tmp_path / "o.csv").read_text(encoding="utf-8").splitlines()[1:] == ["1,,,,,,,", "2,,,,,,,"]
    assert outcome.scored == 0
    assert not any("Model" in sentence for sentence in listener.said)


def test_names_that_clash_are_moved_aside(tiny_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("id,text,Predicted,p_neutral\n1,hi,mine,0.5\n", encoding="utf-8")
    classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), Quiet())
    found = table(tmp_path / "o.parquet")
    assert found["Predicted"] == ["mine"]
    assert found["p_neutral"] == ["0.5"]
    assert found["predicted_2"][0] in TASK.names
    assert isinstance(found["p_neutral_2"][0], float)


@pytest.mark.parametrize(
    ("output", "message"),
    [("", "is a folder; give the output a file name"), ("o.xlsx", "must end in"), ("no/o.csv", "There is no folder")],
)
def test_outputs_that_could_not_be_written_are_refused_first(
    tiny_model: Path, tmp_path: Path, output: str, message: str
) -> None:
    source = write_tweets(tmp_path / "t.csv", 3)
    with pytest.raises(UsageError, match=message):
        classify(make_job(tiny_model, source, tmp_path / output, tmp_path / "w"), Quiet())


@pytest.mark.slow
def test_a_full_disk_loses_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the write fails in the middle all the same."""
    source = write_tweets(tmp_path / "t.csv", 3000)
    arguments = command(tiny_model, source, tmp_path / "o.csv", tmp_path / "w")
    limited = f"import resource, signal, runpy, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); \
resource.setrlimit(resource.RLIMIT_FSIZE, (180_000, -1)); sys.argv = {arguments[2:]!r}; \
runpy.run_module('xlt', run_name='__main__')"
    ended = finish([sys.executable, "-c", limited])
    assert ended.returncode == Exit.FAILED
    assert "the disk is full" in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "o.csv").exists()
    assert not list(tmp_path.glob(".*.part"))
    assert finish(arguments).returncode == Exit.DONE


def test_progress_counts_texts_rate_and_what_was_known(tiny_model: Path, tmp_path: Path) -> None:
    source = write_tweets(tmp_path / "t.csv", 3000)
    classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w", shard=(1, 2)), Quiet())
    listener = Quiet()
    outcome = classify(make_job(tiny_model, source, tmp_path / "o.parquet", tmp_path / "w"), listener)
    first, last = listener.heard[0], listener.heard[-1]
    assert last.done == last.total == outcome.staged.distinct
    assert first.known == last.known > 0
    assert outcome.scored == last.total - last.known
    assert last.texts_per_second > 0
    assert last.seconds_left == 0
    assert first.seconds_left is not None
    assert first.seconds_left > 0


def test_a_task_that_does_not_fit_the_model(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text(
        'name = "words"\nversion = "1"\n[[labels]]\nname = "yes"\nanswer = "yes"\n[[labels]]\nname = "no"\n'
        'answer = "not at all"\n[prompt]\ntemplate = "{text}"\n',
        encoding="utf-8",
    )
    source = write_tweets(tmp_path / "t.csv", 3)
    with pytest.raises(XltError, match="does not fit this model's tokenizer"):
        classify(make_job(tiny_model, source, tmp_path / "o.csv", tmp_path / "w", task=load_task(str(path))), Quiet())
