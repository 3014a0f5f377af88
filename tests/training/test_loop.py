"""A tuning becomes a model that classifies; stopped in any way, it goes on to the same bits."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tunings import RECIPE, At, choice, example, toy_tuning
from xlt.backends import NAMES, get
from xlt.backends.base import BackendName
from xlt.cards.listing import known
from xlt.cards.read import read_card
from xlt.cards.registry import find
from xlt.cards.tokenizer import load_tokenizer
from xlt.engine.score import Classifier
from xlt.errors import Exit, Interrupted, UsageError, XltError
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer
from xlt.training import loop
from xlt.training.examples import Choice
from xlt.training.job import Tuning
from xlt.training.listener import Deaf
from xlt.training.loop import Tuned, finetune
from xlt.training.material import Source, read_material
from xlt.training.recipe import load_recipe

SHORT = replace(RECIPE, epochs=3)


def adapter_bits(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def labels_of(tuning: Tuning, tuned: Tuned, texts: Sequence[str]) -> list[str]:
    """What `classify -m NAME` says."""
    model = find(tuned.card.name, backend=tuning.backend, workspace=tuning.workspace)
    assert model.card is not None
    assert model.card.task is not None
    task = load_task(model.card.task)
    scorer = get(tuning.backend).load(model.files, device="cpu", precision="fp32")
    found = Classifier(scorer, Renderer(task, load_tokenizer(model.files), 2048), 1024).score(texts)
    return [task.names[at] for at in found.probabilities.argmax(1)]


@pytest.mark.parametrize("backend", NAMES)
def test_a_toy_language_is_learnt_and_classified(tmp_path: Path, backend: BackendName) -> None:
    if not get(backend).availability().usable:
        pytest.skip(f"{backend} is not installed here")
    tuning = toy_tuning(tmp_path, backend)
    tuned = finetune(tuning, Deaf())
    assert tuned.kept.groups["seen"].accuracy == 1.0
    held = tuning.choice.dev
    assert labels_of(tuning, tuned, [each.text for each in held]) == [each.label for each in held]

    card = read_card(tuned.path / "card.toml")
    assert card == tuned.card
    assert card.languages == ("de", "en")
    assert card.base == str(tmp_path / "base")
    assert card.made["train_de"] == "left 12, right 12"
    assert card.made["data_hash"] == tuning.choice.hash
    assert card.made["base_hash"] == tuning.base.hash
    assert {score.language for score in card.scores} == {"", "de", "en", "pl"}

    steps, epochs = rows(tuned.path / "training" / "steps.csv"), rows(tuned.path / "training" / "epochs.csv")
    assert [int(row["step"]) for row in steps] == list(range(1, 19))
    assert [row["epoch"] for row in steps[2:4]] == ["1", "2"]
    assert float(steps[-1]["loss"]) < 0.2 < float(steps[0]["loss"])
    assert {(row["step"], row["set"]) for row in epochs} == {
        (str(3 * epoch), group) for epoch in range(1, 7) for group in ("seen", "unseen", "de", "en", "pl")
    }
    examples = rows(tuned.path / "training" / "examples.csv")
    assert {row["lang"] for row in examples if row["set"] == "train"} == {"en", "de"}
    everything = "".join(path.read_text() for path in (tuned.path / "training").glob("*.*"))
    assert "house" not in everything
    assert not (tuned.path / "training" / "checkpoints").exists()


RUN = """
import sys
from pathlib import Path
from test_loop import SHORT
from tunings import toy_tuning
from xlt.training.listener import Deaf
from xlt.training.loop import finetune
finetune(toy_tuning(Path(sys.argv[1]), sys.argv[2], SHORT, resume="resume" in sys.argv), Deaf())
"""


def begin_process(folder: Path, backend: str, *more: str) -> subprocess.Popen[bytes]:
    here = Path(__file__).resolve().parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), backend, *more], env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("backend", NAMES)
def test_killed_at_any_moment_it_ends_in_the_same_bits(tmp_path: Path, backend: BackendName) -> None:
    if not get(backend).availability().usable:
        pytest.skip(f"{backend} is not installed here")
    whole = finetune(toy_tuning(tmp_path / "whole", backend, SHORT), Deaf())
    interrupted = tmp_path / "killed"
    toy_tuning(interrupted, backend)  # makes the base
    model = interrupted / "models" / "toy"
    kills = 0
    for step in (2, 5):
        ran = begin_process(interrupted, backend, *(["resume"] if kills else []))
        steps = model / "training" / "steps.csv"
        while ran.poll() is None and not (steps.is_file() and len(steps.read_bytes().splitlines()) > step):
            time.sleep(0.002)
        if ran.poll() is None:
            ran.kill()
            kills += 1
        ran.wait()
        assert not (model / "card.toml").exists()
    assert kills == 2
    # The last part is done here: another process would cost seconds, and nothing of the killed ones is left in it.
    finetune(toy_tuning(interrupted, backend, SHORT, resume=True), Deaf())
    assert adapter_bits(model) == adapter_bits(whole.path)
    kept = [[row | {"seconds": ""} for row in rows(each / "training" / "steps.csv")] for each in (model, whole.path)]
    assert kept[0] == kept[1]
    assert (model / "training" / "epochs.csv").read_text() == (whole.path / "training" / "epochs.csv").read_text()


def test_ctrl_c_ends_after_a_step_with_a_checkpoint(tmp_path: Path) -> None:
    tuning = toy_tuning(tmp_path / "stopped", recipe=SHORT)
    before = signal.getsignal(signal.SIGINT)
    listener = At(4, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted, match=r"after step 4 of 9.*--resume") as stopped:
        finetune(tuning, listener)
    assert stopped.value.code == Exit.INTERRUPTED
    assert any("Ctrl-C again" in said for said in listener.said)
    assert signal.getsignal(signal.SIGINT) is before
    model = tmp_path / "stopped" / "models" / "toy"
    assert [path.name for path in (model / "training" / "checkpoints").glob("step-*")] == ["step-000004"]

    listener = At(99, lambda: None)
    finetune(replace(tuning, resume=True), listener)
    assert listener.said == ["Going on after step 4 of 9."]
    whole = finetune(toy_tuning(tmp_path / "whole", recipe=SHORT), Deaf())
    assert adapter_bits(model) == adapter_bits(whole.path)


def test_ctrl_c_twice_stops_at_once_and_says_what_there_is(tmp_path: Path) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    for step, there in ((1, "no checkpoint was written yet"), (5, "the checkpoint of step 3 is whole")):
        tuning = toy_tuning(tmp_path / there, recipe=SHORT)
        with pytest.raises(Interrupted, match=f"--resume .{there}"):
            finetune(tuning, At(step, twice))
        assert finetune(replace(tuning, resume=True), Deaf()).evaluations[-1].step == 9


def test_a_step_is_timed_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = toy_tuning(tmp_path, recipe=SHORT)
    whole = loop.seconds_per_step(tuning)
    # Where one example is slow, a step is told from its tokens: more than that one takes, less than 48 of them.
    monkeypatch.setattr(loop, "_SLOW", 0.0)
    assert 0 < whole < 50 * loop.seconds_per_step(tuning)
    assert not (tmp_path / "models").exists()


def stop_at(tuning: Tuning, step: int) -> None:
    with pytest.raises(Interrupted):
        finetune(tuning, At(step, lambda: os.kill(os.getpid(), signal.SIGINT)))


def test_a_half_trained_folder_is_no_model(tmp_path: Path) -> None:
    tuning = toy_tuning(tmp_path, recipe=SHORT)
    stop_at(tuning, 2)
    assert "toy" not in {entry.name for entry in known(tmp_path)}
    with pytest.raises(UsageError, match=r"half trained.*--resume"):
        find("toy", backend="torch", workspace=tmp_path)
    with pytest.raises(UsageError, match=r"begun and is not finished.*--resume"):
        finetune(tuning, Deaf())
    finetune(replace(tuning, resume=True), Deaf())
    assert "toy" in {entry.name for entry in known(tmp_path)}
    for again in (False, True):
        with pytest.raises(UsageError, match="There is a model toy already"):
            finetune(replace(tuning, resume=again), Deaf())
    with pytest.raises(UsageError, match="no training of other to go on with"):
        finetune(replace(tuning, name="other", resume=True), Deaf())


def test_going_on_with_something_else_is_refused_with_the_difference(tmp_path: Path) -> None:
    tuning = replace(toy_tuning(tmp_path, recipe=SHORT), resume=False)
    stop_at(tuning, 2)
    going = replace(tuning, resume=True)
    with pytest.raises(UsageError, match=r"recipe\.lr was 0\.01 and is 0\.02; seed was 0 and is 1\. Go on"):
        finetune(replace(going, recipe=replace(SHORT, lr=0.02), seed=1), Deaf())
    with pytest.raises(
        UsageError, match=r"data was \w{16} \(de 24 \+ 8 held out, en .*\) and is \w{16} \(de 20 \+ 8 held out,"
    ):
        finetune(replace(going, choice=choice(train=40)), Deaf())
    with pytest.raises(UsageError, match="backend was torch and is mlx"):
        finetune(replace(going, backend="mlx"), Deaf())
    # What only takes less memory may change.
    assert finetune(replace(going, recipe=replace(SHORT, pass_tokens=100, checkpointing=True)), Deaf()).card.made


def test_a_loss_that_is_no_number_names_the_examples(tmp_path: Path) -> None:
    tuning = toy_tuning(tmp_path, recipe=SHORT)
    # One word's embedding is no number, and one example has the word.
    file = tmp_path / "base" / "model.safetensors"
    tokenizer = load_tokenizer(tuning.base.files)
    (token,) = set(tokenizer.encode("ए", add_special_tokens=False).ids) - set(
        tokenizer.encode("औ", add_special_tokens=False).ids
    )
    weights = load_file(file)
    weights["model.embed_tokens.weight"][token] = np.nan
    # Untied, so that only texts with the word are touched.
    weights["lm_head.weight"] = np.nan_to_num(weights["model.embed_tokens.weight"])
    save_file(weights, file, metadata={"format": "pt"})
    config = tmp_path / "base" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": False}))
    train = list(tuning.choice.train)
    train[7] = replace(train[7], text="ए " + train[7].text)
    broken = replace(toy_tuning(tmp_path), recipe=SHORT, choice=replace(tuning.choice, train=tuple(train)), seed=3)
    with pytest.raises(XltError, match=r"Step \d failed: The loss is nan.*examples are .*\bt7\b.*--set lr=") as failed:
        finetune(broken, Deaf())
    said = str(failed.value)
    folder = tmp_path / "models" / "toy"
    step = int(said.split()[1])
    kept = step - 1 - (step - 1) % 3
    assert (f"checkpoint of step {kept} is whole" if kept else "no checkpoint was written yet") in said
    assert len(rows(folder / "training" / "steps.csv")) == step - 1


def test_a_disk_that_fills_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    import resource

    tuning = toy_tuning(tmp_path / "full", recipe=SHORT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    try:
        with pytest.raises(XltError, match=r"disk is full.*--resume .the checkpoint of step 3 is whole"):
            finetune(tuning, At(5, fill))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    folder = tmp_path / "full" / "models" / "toy"
    assert not list(folder.rglob("*part*"))
    finetune(replace(tuning, resume=True), Deaf())
    whole = finetune(toy_tuning(tmp_path / "whole", recipe=SHORT), Deaf())
    assert adapter_bits(folder) == adapter_bits(whole.path)


@pytest.mark.slow
def test_the_bundled_base_learns_by_heart(tmp_path: Path) -> None:
    """Updates of its linear layers are enough to tell sixteen tweets apart: nothing is dead in xlt-mini-base."""
    pytest.importorskip("torch")
    task = load_task("immigration")
    material = read_material(Source(workspace=tmp_path), task)
    texts = {each.text: each for each in material.examples if each.lang == "en"}
    few = tuple(each for label in task.names for each in [e for e in texts.values() if e.label == label][:4])
    recipe = replace(load_recipe("tiny"), dropout=0.0, epochs=25, lr=3e-3, schedule="linear", evals=1)
    base = find("xlt-mini-base", backend="torch", workspace=tmp_path)
    job = Tuning("heart", base, task, Choice(few, few), recipe, workspace=tmp_path, device="cpu", threads=1)
    tuned = finetune(job, Deaf())
    assert tuned.kept.groups["seen"].accuracy == 1.0


def halves(folder: Path) -> dict[str, Any]:
    return load_file(folder / "adapter_model.safetensors")


def test_an_average_is_the_mean_of_the_last_adapters(tmp_path: Path) -> None:
    steady = replace(RECIPE, schedule="constant", best="last", epochs=2)
    longer = replace(steady, epochs=3)
    two = finetune(toy_tuning(tmp_path, recipe=steady, name="two"), Deaf())
    three = finetune(toy_tuning(tmp_path, recipe=longer, name="three"), Deaf())
    listener = At(99, lambda: None)
    mean = finetune(toy_tuning(tmp_path, recipe=replace(longer, average_checkpoints=2), name="mean"), listener)
    assert mean.averaged == (6, 9)
    assert listener.said == ["Mean of the adapters of steps 6, 9:"]
    assert mean.card.made["kept"] == "mean of adapters"
    parts = [halves(each.path) for each in (two, three, mean)]
    for name, found in parts[2].items():
        np.testing.assert_allclose(found, (parts[0][name] + parts[1][name]) / 2, atol=1e-7)
    assert mean.kept.groups["seen"].loss not in {each.groups["seen"].loss for each in mean.evaluations}


def test_the_best_checkpoint_is_kept_by_seen_languages(tmp_path: Path) -> None:
    # A rate that rises without end: the best is not the last.
    recipe = replace(RECIPE, lr=0.1, warmup=1.0, epochs=12, best="loss")
    tuned = finetune(toy_tuning(tmp_path, recipe=recipe), Deaf())
    losses = [each.groups["seen"].loss for each in tuned.evaluations]
    assert tuned.kept.groups["seen"].loss == min(losses) < losses[-1]
    assert tuned.card.made["kept"] == f"step {tuned.kept.step}"
    tuning = toy_tuning(tmp_path)
    said = labels_of(tuning, tuned, [each.text for each in tuning.choice.dev])
    right = np.mean([label == each.label for label, each in zip(said, tuning.choice.dev, strict=True)])
    groups = tuned.kept.groups
    wanted = sum(groups[g].accuracy * groups[g].n for g in groups) / sum(groups[g].n for g in groups)
    assert right == pytest.approx(wanted)


def test_patience_ends_it(tmp_path: Path) -> None:
    recipe = replace(RECIPE, lr=0.4, warmup=1.0, epochs=12, best="loss", patience=2)
    listener = At(99, lambda: None)
    tuned = finetune(toy_tuning(tmp_path, recipe=recipe), listener)
    assert len(tuned.evaluations) < 12
    assert [each.step for each in tuned.evaluations[-2:]] == [tuned.kept.step + 3, tuned.kept.step + 6]
    assert f"no better than that of step {tuned.kept.step}" in listener.said[-1]


def test_without_held_out_examples_the_last_adapter_is_kept(tmp_path: Path) -> None:
    tuning = toy_tuning(tmp_path, recipe=SHORT)
    tuned = finetune(replace(tuning, choice=replace(tuning.choice, dev=())), Deaf())
    assert tuned.kept.step == 9
    assert tuned.card.scores == ()


def test_nothing_but_unseen_languages_held_out_decides_nothing(tmp_path: Path) -> None:
    tuning = toy_tuning(tmp_path, recipe=SHORT)
    held = tuple(replace(example(2000 + at, "pl", random.Random(at)), label="left") for at in range(8))
    tuned = finetune(replace(tuning, choice=replace(tuning.choice, dev=held)), Deaf())
    assert tuned.kept.step == 9
    assert set(tuned.kept.groups) == {"unseen"}


@pytest.mark.slow
def test_two_processes_make_one_model(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run = RUN.replace('SHORT, resume="resume" in sys.argv', "replace(SHORT, dropout=0.0, average_checkpoints=2)")
    (tmp_path / "run.py").write_text("from dataclasses import replace\n" + run)
    here = Path(__file__).resolve().parent
    toy_tuning(tmp_path / "two")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    ran = subprocess.run(
        [*command, str(tmp_path / "run.py"), str(tmp_path / "two"), "torch"],
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parent}", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    recipe = replace(SHORT, dropout=0.0, average_checkpoints=2)
    alone = finetune(toy_tuning(tmp_path / "one", recipe=recipe), Deaf())
    both = halves(tmp_path / "two" / "models" / "toy")
    for name, found in halves(alone.path).items():
        np.testing.assert_allclose(both[name], found, atol=2e-3)
    steps = [rows(part / "training" / "steps.csv") for part in (alone.path, tmp_path / "two" / "models" / "toy")]
    losses = [[float(row["loss"]) for row in part] for part in steps]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)
