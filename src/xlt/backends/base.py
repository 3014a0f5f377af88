"""What a backend can do. `torch` and `mlx` do it; the engine and the command line know only this file.

A backend never sees text: it gets token ids and returns one number per label. Softmax is the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from xlt.cards.files import ModelFiles

BackendName = Literal["torch", "mlx"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "nf4"]
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prompt:
    """What stays the same for every text of a run."""

    prefix: tuple[int, ...]
    """Token ids of the instruction, BOS included; its keys and values are computed once."""
    labels: tuple[int, ...]
    """The token id of each label's answer, in the task's order. All different."""


@dataclass(frozen=True)
class Device:
    """One device that a backend can run on, as `xlt doctor` shows it."""

    name: str
    """`cpu`, `cuda:0`, `metal`."""
    title: str
    """The hardware's own name, such as `NVIDIA H200`."""
    memory: int
    """Bytes in all."""
    free: int
    """Bytes free now."""
    precisions: tuple[Precision, ...]
    """What runs there, the preferred one first."""


@dataclass(frozen=True)
class Availability:
    """Whether a backend can be used here, and if not, what to install."""

    usable: bool
    reason: str = ""
    """Why not, as one sentence with what to do; empty when usable."""
    versions: dict[str, str] = field(default_factory=dict)
    """Library versions that go into a run's record."""
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What was really loaded; it goes into the run's record, since all of it can move the last bits."""

    backend: BackendName
    device: str
    precision: Precision
    threads: int
    """Threads of one operation on a CPU; 0 on a GPU."""
    weight_bytes: int
    parameters: int
    """Weights that a token is multiplied with (embedding rows not counted)."""
    max_tokens: int
    """Positions that the model was made for."""
    versions: dict[str, str]


class Scorer(Protocol):
    """A loaded model that gives every label of a task a logit."""

    loaded: Loaded

    def prepare(self, prompt: Prompt) -> None:
        """Run the prefix once and keep its keys and values. Must be called before `score`."""

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        """Logits of shape (len(suffixes), len(prompt.labels)), float32, for the token after each suffix.

        One forward pass over the suffixes, right-padded; row i does not depend on the others but for rounding.
        Every suffix has at least one token. Raises XltError when memory runs out, naming what to lower.
        """

    def peak_memory(self) -> int:
        """The most bytes held so far: device memory on a GPU, resident memory of the process on a CPU."""

    def close(self) -> None:
        """Free the memory."""


class Backend(Protocol):
    """A library that runs models; made without importing that library."""

    name: BackendName

    def availability(self) -> Availability:
        """Import the library if it is there and look at the devices. Never raises."""

    def load(
        self, files: ModelFiles, *, device: str = "auto", precision: Precision = "auto", threads: int = 0
    ) -> Scorer:
        """Load a model for scoring. `threads` 0 means: one per core.

        Raises XltError in one sentence for files that are missing, cut short, pickled, of an unknown
        architecture, or too big for the memory.
        """
