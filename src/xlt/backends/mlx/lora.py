"""LoRA updates beside the frozen linear layers of an mlx-lm model, and layers that are computed twice to save memory.

mlx-lm's own LoRA layer multiplies in fp32 whatever the base computes in, and draws its dropout from a global state.
Here the matrices are fp32 and their products of the base's type, and all random numbers come from one given key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_unflatten

from xlt.backends.mlx.score import SharedPrefix
from xlt.backends.train_common import chosen, in_a_layer
from xlt.backends.training import Lora

Numbers = dict[str, mx.array]
"""The updates as arrays: `path.down` (rank, inputs) and `path.up` (outputs, rank)."""


class Masks:
    """Where dropout gets its random numbers from: none without a key, and then nothing is dropped."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.key: mx.array | None = None

    def drop(self, x: mx.array) -> mx.array:
        """Zero numbers at the rate, and enlarge the others so that the mean stays."""
        if self.key is None or not self.rate:
            return x
        self.key, own = mx.random.split(self.key)
        return x * mx.random.bernoulli(1 - self.rate, x.shape, own) * (1 / (1 - self.rate))


class LoraLinear(nn.Module):  # type: ignore[misc]
    """y = linear(x) + scale · up(down(dropout(x)))."""

    def __init__(self, linear: Any, lora: Lora, masks: Masks) -> None:
        """`linear`: nn.Linear or nn.QuantizedLinear. The update is zero."""
        super().__init__()
        outputs, inputs = linear.weight.shape
        if isinstance(linear, nn.QuantizedLinear):
            inputs = inputs * 32 // linear.bits
        self.linear = linear
        self.down = mx.zeros((lora.rank, inputs))
        self.up = mx.zeros((outputs, lora.rank))
        self._scale = lora.scale
        self._masks = masks

    def __call__(self, x: mx.array) -> mx.array:
        """From (..., inputs) to (..., outputs)."""
        low = self._masks.drop(x) @ self.down.T.astype(x.dtype) * self._scale
        out: mx.array = self.linear(x) + low @ self.up.T.astype(x.dtype)
        return out


def put_on(model: Any, lora: Lora, masks: Masks, name: str) -> dict[str, LoraLinear]:
    """Replace the layers that `lora` means; returns them by module path. Raises UsageError as `chosen` does."""
    kinds = nn.Linear | nn.QuantizedLinear
    linear = {path: module for path, module in model.named_modules() if isinstance(module, kinds) and in_a_layer(path)}
    layers = {path: LoraLinear(linear[path], lora, masks) for path in chosen(sorted(linear), lora, name)}
    model.update_modules(tree_unflatten(list(layers.items())))
    return layers


def numbers(layers: dict[str, LoraLinear]) -> Numbers:
    """The arrays that the layers hold now."""
    return {f"{path}.{part}": getattr(layer, part) for path, layer in layers.items() for part in ("down", "up")}


def put_numbers(layers: dict[str, LoraLinear], given: Numbers) -> None:
    """Let the layers compute with these arrays."""
    for path, layer in layers.items():
        layer.down, layer.up = given[f"{path}.down"], given[f"{path}.up"]


def recompute(model: Any, masks: Masks) -> None:
    """Let each of the model's layers forget what it computed until the backward pass wants it again."""
    for layer in model.layers:
        own = {path: module for path, module in layer.named_modules() if isinstance(module, LoraLinear)}
        # For this object alone; its class belongs to mlx-lm.
        layer.__class__ = _forgetful(type(layer), own, masks)


def _forgetful(kind: Any, own: dict[str, LoraLinear], masks: Masks) -> Any:
    def call(self: Any, x: mx.array, *args: Any, **kwargs: Any) -> mx.array:
        if masks.key is None:
            done: mx.array = kind.__call__(self, x, *args, **kwargs)
            return done
        cache = next(each for each in (*args, *kwargs.values()) if isinstance(each, SharedPrefix))
        offset, before = cache.offset, cache.prefix
        masks.key, key = mx.random.split(masks.key)

        # Gradients reach only what is given and returned: updates, prefix and hidden states must be, the key must not.
        def run(held: Numbers, x: mx.array, prefix: Sequence[mx.array]) -> list[mx.array]:
            put_numbers(own, held)
            chain, masks.key = masks.key, key
            cache.offset, cache.prefix = offset, (prefix[0], prefix[1]) if prefix else None
            out = kind.__call__(self, x, *args, **kwargs)
            masks.key = chain
            # Only the prefix's keys and values are asked for later.
            return [out] if prefix else [out, *cache.keys_and_values()]

        out, *after = mx.checkpoint(run)(numbers(own), x, list(before or ()))
        cache.prefix = before
        if after:
            cache.keys, cache.values = after
        result: mx.array = out
        return result

    return type(kind.__name__, (kind,), {"__call__": call})
