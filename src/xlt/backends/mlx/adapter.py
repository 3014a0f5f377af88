"""LoRA adapters in mlx-lm's and PEFT's format: read, checked against the model, applied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.tuner.lora import LoRALinear

from xlt.cards.lora import read_lora
from xlt.errors import XltError

REMEDY = "which the MLX backend can't apply; merge it into its base first, or use --backend torch"


@dataclass(frozen=True)
class Update:
    """What an adapter adds to one linear layer: W + scale · (down · up)ᵀ."""

    down: mx.array
    """(inputs, rank)."""
    up: mx.array
    """(rank, outputs)."""
    scale: float


@dataclass(frozen=True)
class Adapter:
    """An adapter's content by the paths of the modules and parameters of the model."""

    updates: dict[str, Update]
    replaced: dict[str, mx.array]
    """Whole parameters that were trained beside it, or instead (mlx-lm's full fine-tuning)."""


def apply_adapter(model: Any, folder: Path, name: str) -> None:
    """Change the model by the adapter in `folder`.

    Into unquantised weights it is merged, in float32; beside quantised ones it stays as LoRA layers, since rounding
    it to 4 bits would lose most of it. Raises XltError when it can't be read or does not fit the model.
    """
    adapter = read_adapter(folder, name)
    modules = dict(model.named_modules())
    parameters = dict(tree_flatten(model.parameters()))
    for path, array in adapter.replaced.items():
        if path not in parameters or parameters[path].shape != array.shape:
            raise _misfit(name, folder, path)
    model.load_weights(list(adapter.replaced.items()), strict=False)
    layers = []
    for path, update in adapter.updates.items():
        module = modules.get(path)
        if not isinstance(module, nn.Linear | nn.QuantizedLinear) or not _fits(module, update):
            raise _misfit(name, folder, path)
        if isinstance(module, nn.QuantizedLinear):
            layers.append((path, _beside(module, update)))
        else:
            module.weight = _merged(module.weight, update)
    model.update_modules(tree_unflatten(layers))


def read_adapter(folder: Path, name: str) -> Adapter:
    """An adapter in either format. Raises XltError when it is not whole or of a kind that can't be applied."""
    tuned = read_lora(folder, name, REMEDY)
    updates = {
        path: Update(mx.array(update.pair.down).T, mx.array(update.pair.up).T, update.scale)
        for path, update in tuned.updates.items()
    }
    return Adapter(updates, {key: mx.array(tensor.floats()) for key, tensor in tuned.replaced.items()})


def _fits(module: Any, update: Update) -> bool:
    outputs, inputs = module.weight.shape
    if isinstance(module, nn.QuantizedLinear):
        inputs = inputs * 32 // module.bits
    down, up = update.down.shape, update.up.shape
    return len(down) == len(up) == 2 and (down[0], up[1]) == (inputs, outputs) and down[1] == up[0]


def _merged(weight: mx.array, update: Update) -> mx.array:
    """The changed weight in float32; it is rounded once, to the precision of the run."""
    delta = update.scale * (update.down.astype(mx.float32) @ update.up.astype(mx.float32))
    return weight.astype(mx.float32) + delta.T


def _beside(module: Any, update: Update) -> Any:
    layer = LoRALinear.from_base(module, r=update.down.shape[1], dropout=0.0, scale=update.scale)
    layer.lora_a, layer.lora_b = update.down, update.up
    return layer.eval()


def _misfit(name: str, folder: Path, path: str) -> XltError:
    return XltError(f"The adapter in {folder} does not fit model {name!r} ({path}); it was trained on another base.")
