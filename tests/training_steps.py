"""What the tests of both trainers share: a course, a batch, and a trainer's state as bytes."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from scoring import PROMPT, TEXTS
from xlt.backends import get
from xlt.backends.base import BackendName
from xlt.backends.training import Course, Lora, Sample, Trainer, TrainingBackend
from xlt.cards.files import ModelFiles

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
COURSE = Course(Lora(4, 8.0, 0.0, ()), "fp32", "vocabulary", seed=5, pass_tokens=4096, max_norm=1.0)
SAMPLES = [Sample(tuple(text), at % 4, 1.0 + at % 3) for at, text in enumerate(TEXTS)]


def trainer(backend: BackendName, base: Path, course: Course = COURSE) -> Trainer:
    """On the CPU, prepared."""
    made = cast("TrainingBackend", get(backend)).trainer(
        ModelFiles("tiny", "hf", base), course, device="cpu", threads=1
    )
    made.prepare(PROMPT)
    return made


def states(taught: Trainer) -> dict[str, tuple[bytes, bytes]]:
    """The adapter's bits."""
    return {path: (pair.down.tobytes(), pair.up.tobytes()) for path, pair in taught.adapter().items()}
