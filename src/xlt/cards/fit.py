"""How much memory a model takes, from its configuration alone: what `xlt doctor` compares with what is free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

from xlt.cards.card import Card
from xlt.cards.check import weight_files
from xlt.cards.files import ModelFiles
from xlt.cards.gguf_header import read_header

Stored = Literal["fp32", "bf16", "nf4", "mlx-4bit"]
STORED: tuple[Stored, ...] = ("fp32", "bf16", "nf4", "mlx-4bit")
# Bits per weight. NF4 leaves embeddings at 16 bits and keeps a float32 factor per 64 weights; MLX quantises embeddings
# too and keeps a 16-bit scale and offset per 64 weights.
_BITS: dict[Stored, tuple[float, float]] = {
    "fp32": (32, 32),
    "bf16": (16, 16),
    "nf4": (4.5, 16),
    "mlx-4bit": (4.5, 4.5),
}
# What the library itself and a batch's intermediate results need beside weights and cache.
SPARE = 0.1
_FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "smollm3")


@dataclass(frozen=True)
class Shape:
    """What decides a model's size."""

    parameters: int
    """All of them, each counted once (tied embeddings too)."""
    embeddings: int = 0
    """Of these, input and output embeddings; 0 when unknown."""
    cache_numbers: int = 0
    """Numbers in the keys and values of one token: 2 x layers x key heads x head size; 0 when unknown."""


@dataclass(frozen=True)
class Fit:
    """What one way of keeping a model takes, in bytes."""

    stored: Stored
    weights: int
    cache: int
    """Keys and values of `tokens` tokens."""
    free: int

    @property
    def total(self) -> int:
        """Weights, cache and the spare part."""
        return int((self.weights + self.cache) * (1 + SPARE))

    @property
    def fits(self) -> bool:
        """Whether that is no more than what is free."""
        return self.total <= self.free


def fits(shape: Shape, free: int, tokens: int, kinds: tuple[Stored, ...] = STORED) -> list[Fit]:
    """For each way of keeping the weights, whether the model fits into `free` bytes with `tokens` tokens in a batch.

    Tokens count the shared prefix once and every suffix's tokens.
    """
    return [Fit(kind, weight_bytes(shape, kind), cache_bytes(shape, tokens, kind), free) for kind in kinds]


def weight_bytes(shape: Shape, stored: Stored) -> int:
    """Bytes of the weights."""
    body, embeddings = _BITS[stored]
    return round(((shape.parameters - shape.embeddings) * body + shape.embeddings * embeddings) / 8)


def cache_bytes(shape: Shape, tokens: int, stored: Stored = "bf16") -> int:
    """Bytes of the keys and values of so many tokens; 16-bit numbers unless everything is fp32."""
    return shape.cache_numbers * tokens * (4 if stored == "fp32" else 2)


def shape_of_card(card: Card) -> Shape:
    """From a card: its `[shape]`, or else only its number of parameters."""
    return shape_of_config(card.shape) or Shape(card.parameters)


def shape_of_model(files: ModelFiles) -> Shape:
    """From a model's files: configuration, and the headers of its weights where the family is unknown."""
    if files.format == "gguf":
        return _shape_of_gguf(files.weights)
    config = json.loads((files.weights / "config.json").read_text(encoding="utf-8"))
    if shape := shape_of_config(config):
        return shape
    counted = 0 if files.format == "mlx" else sum(map(_numbers, weight_files(files.weights)))
    return Shape(counted, 0, _cache_numbers(config))


def shape_of_config(config: Mapping[str, Any]) -> Shape | None:
    """From a `config.json` of a Llama-shaped model; None for another family or an incomplete configuration."""
    family = config.get("model_type")
    if family not in _FAMILIES:
        return None
    try:
        hidden, inner, layers = (int(config[key]) for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
        vocabulary, heads = int(config["vocab_size"]), int(config["num_attention_heads"])
    except (KeyError, TypeError, ValueError):
        return None
    key_heads = int(config.get("num_key_value_heads") or heads)
    head = int(config.get("head_dim") or hidden // heads)
    queries, keys = heads * head, key_heads * head
    layer = hidden * (2 * queries + 2 * keys) + 3 * hidden * inner + 2 * hidden
    if config.get("attention_bias") or family == "qwen2":
        # Qwen 2 has biases on queries, keys and values, though its configuration does not say so.
        layer += queries + 2 * keys + (hidden if config.get("attention_bias") else 0)
    if config.get("mlp_bias"):
        layer += 2 * inner + hidden
    if family == "qwen3":
        layer += 2 * head
    tied = bool(config.get("tie_word_embeddings", False))
    embeddings = vocabulary * hidden * (1 if tied else 2)
    return Shape(embeddings + layers * layer + hidden, embeddings, _cache_numbers(config))


def _cache_numbers(config: Mapping[str, Any]) -> int:
    heads = config.get("num_attention_heads") or 0
    head = config.get("head_dim") or (config.get("hidden_size", 0) // heads if heads else 0)
    numbers = 2 * (config.get("num_hidden_layers") or 0) * (config.get("num_key_value_heads") or heads) * head
    return int(numbers)


def _numbers(path: Path) -> int:
    """Numbers in a safetensors file, by its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(prod(entry["shape"]) for key, entry in header.items() if key != "__metadata__")


def _shape_of_gguf(path: Path) -> Shape:
    header = read_header(path)
    family = header.metadata.get("general.architecture", "")

    def entry(key: str) -> int:
        value = header.metadata.get(f"{family}.{key}", 0)
        return value if isinstance(value, int) else 0

    heads = entry("attention.head_count")
    head = entry("attention.key_length") or (entry("embedding_length") // heads if heads else 0)
    embeddings = sum(
        prod(header.tensors[name].shape) for name in ("token_embd.weight", "output.weight") if name in header.tensors
    )
    return Shape(
        header.parameters, embeddings, 2 * entry("block_count") * (entry("attention.head_count_kv") or heads) * head
    )
