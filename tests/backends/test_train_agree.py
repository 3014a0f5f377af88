"""The two trainers learn alike from the same base, data, order and first adapter; and they really learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import write_model
from scoring import PROMPT
from training_steps import COURSE, begun, toy, trainer
from xlt.backends import NAMES
from xlt.backends.base import BackendName, Prompt
from xlt.backends.training import Course, Loss, Sample, Trainer

pytest.importorskip("torch", reason="PyTorch is not installed here (the extra `torch`)")
pytest.importorskip("mlx_lm", reason="MLX is not installed here (the extra `mlx`)")

RNG = np.random.default_rng(8)
SHORT = Prompt(PROMPT.prefix[:15], PROMPT.labels)
TRAIN, DEV = (
    [
        Sample(tuple(map(int, RNG.integers(0, 510, int(RNG.integers(2, 20))))), int(RNG.integers(4)), 1.0 + at % 2)
        for at in range(size)
    ]
    for size in (64, 200)
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("agree") / "llama")


def learn(taught: Trainer, samples: list[Sample], steps: int, size: int, rate: float = 5e-3) -> list[float]:
    """Losses of so many steps on batches that are drawn the same way every time, the last tenth more carefully."""
    taught.set_adapter(begun(taught.adapter()))
    rng = np.random.default_rng(2)
    losses = []
    for step in range(steps):
        batch = [samples[at] for at in rng.choice(len(samples), size, replace=False)]
        losses.append(taught.step(batch, rate if step < 0.9 * steps else rate / 5).loss)
    return losses


def suffixes(samples: list[Sample]) -> list[tuple[int, ...]]:
    return [sample.suffix for sample in samples]


@pytest.mark.parametrize(
    ("loss", "changes"),
    [("vocabulary", {}), ("labels", {"pass_tokens": 80, "checkpointing": True, "weight_decay": 0.1, "max_norm": 0.5})],
    ids=["plain", "passes, recomputed, decay, clipped"],
)
def test_fifty_steps_are_the_same_on_both(loss: Loss, changes: dict[str, Any], llama: Path) -> None:
    course: Course = replace(COURSE, loss=loss, **changes)
    ends = {}
    for backend in NAMES:
        taught = trainer(backend, llama, course, SHORT)
        ends[backend] = learn(taught, TRAIN, 50, 8), taught.score(suffixes(DEV)), taught.adapter()
    (losses, scores, adapter), (others, other_scores, other_adapter) = ends.values()
    assert losses[-1] < 0.7 * losses[0]
    np.testing.assert_allclose(others, losses, rtol=0.01)
    assert (other_scores.argmax(1) == scores.argmax(1)).mean() >= 0.98
    assert len(set(scores.argmax(1))) > 1
    assert adapter.keys() == other_adapter.keys()


@pytest.mark.parametrize("backend", NAMES)
def test_a_toy_language_is_learnt(backend: BackendName, llama: Path) -> None:
    """Nothing is off by one: the answer hangs on one word, anywhere in the text."""
    samples = toy(192)
    course = replace(COURSE, lora=replace(COURSE.lora, rank=8, alpha=16.0), max_norm=0.0)
    taught = trainer(backend, llama, course, SHORT)
    losses = learn(taught, samples[:160], 40, 32, rate=1e-2)
    assert losses[-1] < 0.1
    assert taught.score(suffixes(samples[160:])).argmax(1).tolist() == [sample.answer for sample in samples[160:]]
