"""Random LoRA updates for tests, as a trainer gives them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import safe_open

from xlt.cards.adapter import Pair


def random_adapter(
    base: Path, targets: tuple[str, ...] = ("q_proj", "v_proj"), layers: int = 0, *, rank: int = 4, seed: int = 1
) -> dict[str, Pair]:
    """Updates of the matrices named so in the last `layers` layers (0: all) of a model folder."""
    rng = np.random.default_rng(seed)
    depth = json.loads((base / "config.json").read_text())["num_hidden_layers"]
    kept = tuple(f"model.layers.{number}." for number in range(depth - layers if layers else 0, depth))
    ends = tuple(f".{target}.weight" for target in targets)
    made = {}
    with safe_open(base / "model.safetensors", "np") as weights:
        for name in sorted(weights.keys()):
            if name.startswith(kept) and name.endswith(ends):
                rows, columns = weights.get_slice(name).get_shape()
                down = (rng.standard_normal((rank, columns)) / columns**0.5).astype(np.float32)
                up = (rng.standard_normal((rows, rank)) / 8).astype(np.float32)
                made[name.removesuffix(".weight")] = Pair(down, up)
    return made
