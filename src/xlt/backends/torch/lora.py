"""LoRA updates beside frozen linear layers (Hu et al. 2021), of plain and of 4-bit ones.

PEFT's layer would do, but for its cost: it multiplies in fp32 whatever the base computes in, unless the whole model
runs under autocast. Here the matrices are fp32 and their products of the base's type.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from xlt.backends.training import Adapter, Lora, Pair
from xlt.errors import UsageError, XltError

_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


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
        if isinstance(module, nn.Linear) and _LAYER.search(path) and module is not model.get_output_embeddings()
    }
    known = sorted({path.rpartition(".")[2] for path in linear})
    if not known:
        raise XltError(f"Model {name!r} has no linear layers that LoRA could be put on; choose another base.")
    unknown = [target for target in lora.targets if target not in known]
    if unknown:
        raise UsageError(f"Model {name!r} has no linear layers called {unknown[0]!r}; it has {', '.join(known)}.")
    count = 1 + max(_layer(path) for path in linear)
    if lora.layers > count:
        raise UsageError(f"Model {name!r} has {count} layers, so LoRA can't be put on the last {lora.layers}.")
    first = count - lora.layers if lora.layers else 0
    placed = {}
    for path, module in linear.items():
        if _layer(path) < first or (lora.targets and path.rpartition(".")[2] not in lora.targets):
            continue
        parent, _, child = path.rpartition(".")
        placed[path] = LoraLinear(module, lora, device)
        setattr(model.get_submodule(parent), child, placed[path])
    return placed


def read(layers: dict[str, LoraLinear]) -> dict[str, Pair]:
    """A copy of the updates."""
    return {
        path: Pair(layer.down.detach().cpu().numpy().copy(), layer.up.detach().cpu().numpy().copy())
        for path, layer in layers.items()
    }


def write(layers: dict[str, LoraLinear], adapter: Adapter) -> None:
    """Replace the updates, all of them. Raises XltError when names or shapes differ."""
    if adapter.keys() != layers.keys():
        strange = sorted(adapter.keys() ^ layers.keys())[0]
        raise XltError(f"The adapter does not fit this model and recipe: {strange!r} is in one of them only.")
    for path, layer in layers.items():
        for own, new in ((layer.down, adapter[path].down), (layer.up, adapter[path].up)):
            if own.shape != new.shape:
                raise XltError(
                    f"The adapter does not fit this model and recipe: {path!r} has the shape {tuple(new.shape)} and "
                    f"should have {tuple(own.shape)}."
                )
            with torch.no_grad():
                own.copy_(torch.from_numpy(np.ascontiguousarray(new, dtype=np.float32)))


def _layer(path: str) -> int:
    found = _LAYER.search(path)
    assert found
    return int(found[1])
