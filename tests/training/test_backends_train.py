"""A whole training on either backend: the same figures from one seed, and no label of an unseen language counts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import save_tokenizer, train_tokenizer, write_model
from scoring import quantised
from tunings import RECIPE, toy_tuning
from xlt.backends import NAMES, get
from xlt.backends.base import BackendName
from xlt.cards.lora import read_lora
from xlt.cards.registry import find
from xlt.training.listener import Deaf
from xlt.training.loop import finetune

SHORT = replace(RECIPE, epochs=4, dropout=0.0)


def need(backend: BackendName) -> None:
    if not get(backend).availability().usable:
        pytest.skip(f"{backend} is not installed here")


def test_one_seed_makes_the_same_model_on_both(tmp_path: Path) -> None:
    made = {}
    for backend in NAMES:
        need(backend)
        made[backend] = finetune(toy_tuning(tmp_path / backend, backend, SHORT), Deaf())
    losses = {}
    for backend, tuned in made.items():
        with (tuned.path / "training" / "steps.csv").open(encoding="utf-8", newline="") as file:
            losses[backend] = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses["torch"][-1] < losses["torch"][0] / 2
    np.testing.assert_allclose(losses["mlx"], losses["torch"], rtol=0.01)
    for one, other in zip(made["torch"].evaluations, made["mlx"].evaluations, strict=True):
        assert one.languages.keys() == other.languages.keys()
        assert one.groups["seen"].loss == pytest.approx(other.groups["seen"].loss, rel=0.01)
    updates = {backend: read_lora(tuned.path, backend).updates for backend, tuned in made.items()}
    assert updates["torch"].keys() == updates["mlx"].keys()
    for path, update in updates["torch"].items():
        np.testing.assert_allclose(updates["mlx"][path].pair.up, update.pair.up, atol=2e-3)


@pytest.mark.parametrize("backend", NAMES)
def test_labels_of_an_unseen_language_move_nothing(backend: BackendName, tmp_path: Path) -> None:
    """Polish is held out only: with all its labels turned round, the weights are the same to the bit."""
    need(backend)
    tuning = toy_tuning(tmp_path / "base", backend, replace(SHORT, epochs=2))
    turned = tuple(
        replace(each, label="left" if each.label == "right" else "right") if each.lang == "pl" else each
        for each in tuning.choice.dev
    )
    other = replace(tuning, name="other", choice=replace(tuning.choice, dev=turned))
    made = [finetune(job, Deaf()) for job in (tuning, other)]
    assert made[0].kept.languages["pl"] != made[1].kept.languages["pl"]
    assert made[0].kept.languages["en"] == made[1].kept.languages["en"]
    weights = [(tuned.path / "adapter_model.safetensors").read_bytes() for tuned in made]
    assert weights[0] == weights[1]


def test_what_was_tuned_in_four_bits_runs_on_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QLoRA on MLX: the base is named as the user named it, so that each backend takes its own conversion."""
    need("mlx")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))

    def cached(repo: str) -> Path:
        folder = tmp_path / "hub" / f"models--{repo.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots").mkdir()
        return folder / "snapshots" / "abc"

    plain = write_model(cached("meta-llama/Llama-3.2-3B-Instruct"))
    small = quantised(plain, cached("mlx-community/Llama-3.2-3B-Instruct-4bit"), bits=4)
    save_tokenizer(small, train_tokenizer())
    base = find("llama-3.2-3b", backend="mlx", workspace=tmp_path)
    assert base.files.weights == small
    # As the recipe `paper` has it.
    recipe = replace(RECIPE, epochs=1, precision="nf4")
    tuned = finetune(toy_tuning(tmp_path, "mlx", recipe, base=base), Deaf())
    assert json.loads((tuned.path / "adapter_config.json").read_text())["base_model_name_or_path"] == (
        "meta-llama/Llama-3.2-3B-Instruct"
    )
    assert find("toy", backend="mlx", workspace=tmp_path).files.weights == small
    assert find("toy", backend="torch", workspace=tmp_path).files.weights == plain
