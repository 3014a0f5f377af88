"""What the tests of both trainers share: a course, batches, a toy language, and a trainer's state as bytes."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from scoring import PROMPT, TEXTS
from xlt.backends import get
from xlt.backends.base import BackendName, Prompt
from xlt.backends.training import Adapter, Course, Lora, Pair, Sample, Trainer, TrainingBackend
from xlt.cards.files import ModelFiles

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
COURSE = Course(Lora(4, 8.0, 0.0, ()), "fp32", "vocabulary", seed=5, pass_tokens=4096, max_norm=1.0)
SAMPLES = [Sample(tuple(text), at % 4, 1.0 + at % 3) for at, text in enumerate(TEXTS)]


def trainer(backend: BackendName, base: Path, course: Course = COURSE, prompt: Prompt = PROMPT) -> Trainer:
    """On the CPU, prepared."""
    made = cast("TrainingBackend", get(backend)).trainer(
        ModelFiles("tiny", "hf", base), course, device="cpu", threads=1
    )
    made.prepare(prompt)
    return made


def states(taught: Trainer) -> dict[str, tuple[bytes, bytes]]:
    """The adapter's bits."""
    return {path: (pair.down.tobytes(), pair.up.tobytes()) for path, pair in taught.adapter().items()}


def toy(count: int, seed: int = 0) -> list[Sample]:
    """Texts of a toy language with two labels, told by which of two words is somewhere in the text."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        words = [int(word) for word in rng.integers(100, 400, int(rng.integers(3, 12)))]
        words[int(rng.integers(len(words)))] = 42 if number % 2 else 43
        samples.append(Sample((*words, 30), number % 2))
    return samples


def begun(like: Adapter, seed: int = 1) -> dict[str, Pair]:
    """A first adapter as LoRA has it: down at random, up zero."""
    rng = np.random.default_rng(seed)
    return {
        path: Pair(0.2 * rng.standard_normal(pair.down.shape, np.float32), np.zeros_like(pair.up))
        for path, pair in sorted(like.items())
    }
