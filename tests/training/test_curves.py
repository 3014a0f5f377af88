"""Figures of a training, read from its folder while it is being written, and after."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from xlt.errors import XltError
from xlt.training.curves import has_training, read_curves, trainings

CONFIG = {"made_of": {"base": "xlt-mini-base", "recipe": "tiny", "data": {"languages": ["en", "it"]}}}
STEPS = "step,epoch,loss,lr,norm,tokens,seconds\n1,1,1.5,0.1,0.2,100,0.5\n2,1,1.25,0.1,0.2,300,0.5\n3,1,1.0,0."
EPOCHS = (
    "step,epoch,train_loss,set,n,loss,accuracy,macro_f1\n"
    "1,0.5,1.5,,,,,\n2,1.0,1.4,seen,8,1.2,0.5,0.4\n2,1.0,1.4,en,8,1.2,0.5,0.4\n2,1.0,1.4,unseen,3,1.3,0.3,0.2\n"
)


def make_training(model: Path) -> Path:
    folder = model / "training"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "steps.csv").write_text(STEPS)
    (folder / "epochs.csv").write_text(EPOCHS)
    return model


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    found = read_curves(make_training(tmp_path / "models" / "m"))
    assert found.steps == (1, 2)
    assert found.losses == (1.5, 1.25)
    assert found.tokens_per_second == 400
    assert [mark.of for mark in found.marks] == ["seen", "en", "unseen"]
    assert found.marked == ["en"]
    assert (found.base, found.recipe, found.languages) == ("xlt-mini-base", "tiny", ("en", "it"))
    assert not found.finished
    assert found.pid is None


def test_in_the_making_until_there_is_a_card(tmp_path: Path) -> None:
    model = make_training(tmp_path / "models" / "m")
    assert trainings(tmp_path) == [model]
    lock = model / "training" / "checkpoints" / "work.pid"
    lock.parent.mkdir()
    lock.write_text(str(os.getpid()))
    assert read_curves(model).pid == os.getpid()
    (model / "card.toml").write_text("")
    assert trainings(tmp_path) == []
    assert read_curves(model).finished


def test_without_figures_there_are_none(tmp_path: Path) -> None:
    model = make_training(tmp_path / "m")
    for name in ("steps.csv", "epochs.csv"):
        (model / "training" / name).unlink()
    found = read_curves(model)
    assert (found.steps, found.marks, found.tokens_per_second) == ((), (), None)
    assert not has_training(tmp_path)
    assert not has_training(None)
    (model / "training" / "config.json").write_text("{")
    with pytest.raises(XltError, match=r"config\.json can't be read"):
        read_curves(model)
