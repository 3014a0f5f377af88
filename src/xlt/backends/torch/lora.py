"""LoRA updates beside frozen linear layers (Hu et al. 2021), of plain and of 4-bit ones.

PEFT's layer would do, but for its cost: it multiplies in fp32 whatever the base computes in, unless the whole model
runs under autocast. Here the matrices are fp32 and their products of the base's type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from xlt.backends.train_common import check_fit, chosen, in_a_layer
from xlt.backends.training import Adapter, Lora, Pair


class LoraLinear(nn.Module):
    """y = base(x) + scale · up(down(dropout(x)))."""

    def __init__(self, base: nn.Linear, lora: Lora, device: torch.device) -> None:
        super().__init__()
        self.base = base
        self.scale = lora.scale
        self.dropout = lora.dropout
        self.down = nn.Parameter(torch.zeros(lora.rank, base.in_features, device=device))
        self.up = nn.Parameter(torch.zeros(base.out_features, lora.rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """From (..., inputs) to (..., outputs)."""
        out: Tensor = self.base(x)
        kept = functional.dropout(x, self.dropout, self.training)
        low = functional.linear(kept, self.down.to(x.dtype)) * self.scale
        return out + functional.linear(low, self.up.to(x.dtype))


def put_on(model: Any, lora: Lora, name: str, device: torch.device) -> dict[str, LoraLinear]:
    """Replace the layers that `lora` means; returns them by module path, in the model's order.

    Raises UsageError for a target that the model does not have.
    """
    linear = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and in_a_layer(path) and module is not model.get_output_embeddings()
    }
    placed = {path: LoraLinear(linear[path], lora, device) for path in chosen(list(linear), lora, name)}
    for path, layer in placed.items():
        parent, _, child = path.rpartition(".")
        setattr(model.get_submodule(parent), child, layer)
    return placed


def read(layers: dict[str, LoraLinear]) -> dict[str, Pair]:
    """A copy of the updates."""
    return {
        path: Pair(layer.down.detach().cpu().numpy().copy(), layer.up.detach().cpu().numpy().copy())
        for path, layer in layers.items()
    }


def write(layers: dict[str, LoraLinear], adapter: Adapter) -> None:
    """Replace the updates, all of them. Raises XltError when names or shapes differ."""
    check_fit(adapter, {path: (tuple(layer.down.shape), tuple(layer.up.shape)) for path, layer in layers.items()})
    for path, layer in layers.items():
        for own, new in ((layer.down, adapter[path].down), (layer.up, adapter[path].up)):
            with torch.no_grad():
                own.copy_(torch.from_numpy(np.ascontiguousarray(new, dtype=np.float32)))
