"""The output head cut down to the labels, put in the place of the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_unflatten
from mlx_lm.tuner.lora import LoRALinear

from xlt.errors import XltError

# What mlx-lm's models call an output head that is not the embedding.
_HEADS = ("lm_head", "embed_out", "output")


class LabelRows:
    """Logits of the labels after the last token of each text, in float32; of the whole vocabulary when told so."""

    def __init__(self, layer: Any) -> None:
        """`layer`: the embedding (tied) or linear layer whose rows are the vocabulary's."""
        self._layer = layer
        self._rows: mx.array | None = None
        self._bias: mx.array | None = None
        self.last: mx.array | None = None
        """(texts,) position of each text's last token."""
        self.whole = False
        """Give the logits of the whole vocabulary instead, as training wants them."""

    @property
    def count(self) -> int:
        """How many labels are chosen."""
        return 0 if self._rows is None else len(self._rows)

    @property
    def width(self) -> int:
        """How many logits a text gets."""
        return int(self._layer.weight.shape[0]) if self.whole else self.count

    def choose(self, labels: Sequence[int]) -> None:
        """Take the rows of these token ids out of the head, unquantised."""
        ids = mx.array(list(labels))
        self._rows = rows(self._layer, ids)
        inner = self._layer.linear if isinstance(self._layer, LoRALinear) else self._layer
        self._bias = inner.bias[ids].astype(mx.float32) if "bias" in inner else None
        mx.eval(self._rows)

    def forget(self) -> None:
        """Let go of the arrays."""
        self._layer = self._rows = self._bias = self.last = None

    def __call__(self, hidden: mx.array) -> mx.array:
        """From hidden states (texts, tokens, width) to logits (texts, labels or vocabulary)."""
        assert self._rows is not None
        assert self.last is not None
        final = hidden[mx.arange(len(hidden)), self.last]
        if self.whole:
            tied = isinstance(self._layer, nn.Embedding | nn.QuantizedEmbedding)
            every: mx.array = self._layer.as_linear(final) if tied else self._layer(final)
            return every.astype(mx.float32)
        logits = final.astype(mx.float32) @ self._rows.T
        return logits if self._bias is None else logits + self._bias


class LabelHead(nn.Module):  # type: ignore[misc]
    """Stands where the model has its output layer."""

    def __init__(self, labels: LabelRows) -> None:
        super().__init__()
        self._labels = labels

    def __call__(self, hidden: mx.array) -> mx.array:
        return self._labels(hidden)


class TiedEmbedding(nn.Module):  # type: ignore[misc]
    """Stands where the model has its embedding: the same going in, the labels only coming out."""

    def __init__(self, inner: Any, labels: LabelRows) -> None:
        super().__init__()
        self.inner = inner
        self._labels = labels

    def __call__(self, tokens: mx.array) -> mx.array:
        vectors: mx.array = self.inner(tokens)
        return vectors

    def as_linear(self, hidden: mx.array) -> mx.array:
        """Logits of the labels."""
        return self._labels(hidden)


def take_over_head(model: Any, name: str) -> LabelRows:
    """Replace the model's head, tied or its own, and return what now computes the logits."""
    path, layer = head(model, name)
    labels = LabelRows(layer)
    tied = isinstance(layer, nn.Embedding | nn.QuantizedEmbedding)
    stand_in = TiedEmbedding(layer, labels) if tied else LabelHead(labels)
    model.update_modules(tree_unflatten([(path, stand_in)]))
    return labels


def head(model: Any, name: str) -> tuple[str, Any]:
    """The layer that gives the logits, and its path: the model's own head, or its embedding."""
    for path, module in model.named_modules():
        if path.rpartition(".")[2] in _HEADS and ".layers." not in f".{path}":
            return path, module
    return embedding(model, name)


def embedding(model: Any, name: str) -> tuple[str, Any]:
    """The token embedding and its path: the usual name, else the one with the most rows."""
    kinds = nn.Embedding | nn.QuantizedEmbedding
    found = [(path, module) for path, module in model.named_modules() if isinstance(module, kinds)]
    if not found:
        raise XltError(f"The MLX backend finds no token embedding in model {name!r}; use --backend torch.")
    return max(found, key=lambda pair: (pair[0].endswith("embed_tokens"), len(pair[1].weight)))


def rows(layer: Any, ids: mx.array) -> mx.array:
    """Rows of a layer's weight, (ids, width) float32: dequantised, with what an adapter adds."""
    if isinstance(layer, LoRALinear):
        added: mx.array = layer.scale * (layer.lora_a.astype(mx.float32) @ layer.lora_b[:, ids].astype(mx.float32))
        return rows(layer.linear, ids) + added.T
    if isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding):
        biases = layer.get("biases")
        return mx.dequantize(
            layer.weight[ids],
            layer.scales[ids],
            None if biases is None else biases[ids],
            group_size=layer.group_size,
            bits=layer.bits,
            mode=layer.mode,
        ).astype(mx.float32)
    plain: mx.array = layer.weight[ids]
    return plain.astype(mx.float32)


def numbers(layer: Any) -> int:
    """Numbers in a layer's weight and bias, counted as if unquantised."""
    inner = layer.linear if isinstance(layer, LoRALinear) else layer
    weight = int(inner.weight.size)
    if isinstance(inner, nn.QuantizedLinear | nn.QuantizedEmbedding):
        weight = weight * 32 // int(inner.bits)
    return weight + (int(inner.bias.size) if "bias" in inner else 0)
