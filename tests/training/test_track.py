"""Figures go to TensorBoard or Weights & Biases only when asked for, and what is not installed is named."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from tunings import RECIPE, toy_tuning
from xlt.errors import UsageError
from xlt.training.listener import Deaf
from xlt.training.loop import finetune

SHORT = replace(RECIPE, epochs=1)


@pytest.mark.parametrize("library", ["tensorboard", "wandb"])
def test_a_library_that_is_not_there_is_named_before_the_first_step(tmp_path: Path, library: str) -> None:
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed here")
    with pytest.raises(UsageError, match=f"pip install {library}"):
        finetune(toy_tuning(tmp_path, recipe=SHORT, track=library), Deaf())
    assert not (tmp_path / "models").exists()
    finetune(toy_tuning(tmp_path, recipe=SHORT), Deaf())


def test_tensorboard_hears_losses_and_scores(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed here")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tuned = finetune(toy_tuning(tmp_path, recipe=SHORT, track="tensorboard"), Deaf())
    heard = EventAccumulator(str(tuned.path / "training" / "tensorboard")).Reload()
    assert [event.step for event in heard.Scalars("train/loss")] == [1, 2, 3]
    assert heard.Scalars("dev/seen/macro-F1")[0].value == pytest.approx(tuned.kept.groups["seen"].macro_f1)


def test_wandb_stays_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed here")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    tuned = finetune(toy_tuning(tmp_path, recipe=SHORT, track="wandb"), Deaf())
    assert list((tuned.path / "training" / "wandb").rglob("offline-run-*/*.wandb"))
