"""What a backend does to train: LoRA steps over token ids. `xlt.training` plans the course; a backend takes its steps.

A trainer never sees text, files of examples, schedules or epochs. Adapters pass through it as plain float32 arrays, so
that they are initialised, averaged and written in one place for both backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from xlt.backends.base import BackendName, Loaded, Logits, Precision, Prompt
from xlt.cards.adapter import Adapter, Pair
from xlt.cards.files import ModelFiles
from xlt.errors import XltError

__all__ = [
    "Adapter",
    "Course",
    "Lora",
    "Loss",
    "NotFiniteError",
    "Pair",
    "Sample",
    "Step",
    "Trainer",
    "TrainingBackend",
]

Loss = Literal["vocabulary", "labels"]


@dataclass(frozen=True)
class Lora:
    """Which matrices get an update, and of what size (Hu et al. 2021, section 4)."""

    rank: int
    alpha: float
    """The update is multiplied with alpha / rank."""
    dropout: float
    targets: tuple[str, ...]
    """Last names of linear modules inside the layers, such as `q_proj`; empty: every linear module there."""
    layers: int = 0
    """Only the last so many layers; 0: all."""

    @property
    def scale(self) -> float:
        """mlx-lm's `scale`."""
        return self.alpha / self.rank


@dataclass(frozen=True)
class Course:
    """What a trainer must know before its first step."""

    lora: Lora
    precision: Precision
    """Of the frozen base: fp32, bf16, or nf4 (torch). The adapter and its optimizer are always fp32."""
    loss: Loss
    """Cross-entropy of the answer over the whole vocabulary, or over the task's labels alone."""
    seed: int
    """Of the dropout masks."""
    pass_tokens: int
    """Tokens that one forward and backward pass may hold; a step's batch is cut into passes of that size."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: slower, far less memory."""
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    max_norm: float = 0.0
    """Gradients are scaled down to this global norm; 0: never."""


@dataclass(frozen=True)
class Sample:
    """One training example as ids."""

    suffix: tuple[int, ...]
    """What follows the shared prefix, up to the token that the answer follows."""
    answer: int
    """Index into `Prompt.labels`."""
    weight: float = 1.0


@dataclass(frozen=True)
class Step:
    """What one optimizer step did."""

    loss: float
    """Weighted mean over the batch, before the update."""
    norm: float
    """Global norm of the gradient before it was clipped."""
    tokens: int
    """Suffix tokens of the batch (prefix not counted)."""


class NotFiniteError(XltError):
    """Loss or gradient was not a number; the step was not taken and the weights are as before it."""


class Trainer(Protocol):
    """A loaded base with a LoRA adapter that learns."""

    loaded: Loaded
    trainable: int
    """Numbers in the adapter."""
    leads: bool
    """Whether this process writes files and talks: always, but for ranks above 0 under torchrun."""

    def prepare(self, prompt: Prompt) -> None:
        """Fix prefix and labels. Must be called before anything below."""

    def step(self, batch: Sequence[Sample], rate: float) -> Step:
        """One AdamW step at learning rate `rate` on the weighted mean loss of the batch, dropout on.

        Deterministic on the CPU: the same calls after `restore` give the same weights bit for bit. Raises
        NotFiniteError; XltError when memory runs out, naming the setting to lower and to what.
        """

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        """As `Scorer.score`, with the adapter as it is and dropout off; does not disturb the random state."""

    def adapter(self) -> dict[str, Pair]:
        """A copy of the adapter."""

    def set_adapter(self, adapter: Adapter) -> None:
        """Replace all updates; of several processes, the leading one's counts. Raises XltError when they don't fit."""

    def save(self, folder: Path) -> None:
        """Write what `restore` needs to go on exactly: adapter, optimizer and random state, as safetensors or JSON."""

    def restore(self, folder: Path) -> None:
        """Go back to a saved state. Raises XltError when it is not whole or of another shape."""

    def peak_memory(self) -> int:
        """As `Scorer.peak_memory`."""

    def close(self) -> None:
        """Free the memory."""


class TrainingBackend(Protocol):
    """A backend that can train."""

    name: BackendName

    def trainer(self, files: ModelFiles, course: Course, *, device: str = "auto", threads: int = 0) -> Trainer:
        """Load a base for training, its updates all zero. Raises XltError as `Backend.load` does."""
