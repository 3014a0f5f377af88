"""Where a model's files lie: what `cards` finds and a backend loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Format = Literal["hf", "mlx", "gguf"]


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model, checked to be there."""

    name: str
    """What the user called it."""
    format: Format
    """`hf`: a Hugging Face folder (safetensors). `mlx`: the same with MLX quantisation. `gguf`: one file."""
    weights: Path
    """The folder; for `gguf` the file."""
    adapter: Path | None = None
    """A PEFT or mlx-lm adapter folder to apply to `weights`."""
