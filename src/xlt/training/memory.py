"""What a training takes of memory, from the base's configuration alone: said, and refused, before anything is loaded.

Weights, updates and optimizer are counted; activations are estimated from the shapes of what a pass keeps for its
backward half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xlt.backends.base import Precision
from xlt.backends.common import amount, read_config
from xlt.cards.files import ModelFiles
from xlt.cards.fit import SPARE, Stored, shape_of_model, weight_bytes
from xlt.errors import XltError
from xlt.training.recipe import Recipe

# fp32 numbers per number of the adapter: itself, its gradient, and Adam's two means.
_KEPT = 4
_STORED: dict[Precision, Stored] = {"fp32": "fp32", "bf16": "bf16", "fp16": "bf16", "nf4": "nf4"}


@dataclass(frozen=True)
class Memory:
    """Bytes that a training takes, by what takes them."""

    weights: int
    adapter: int
    """Updates, gradients and optimizer."""
    activations: int
    """Of one pass, estimated."""

    @property
    def total(self) -> int:
        """All, and a spare part for the library."""
        return int((self.weights + self.adapter + self.activations) * (1 + SPARE))


def trained_numbers(config: dict[str, Any], recipe: Recipe) -> int:
    """Numbers in the adapter of a Llama-shaped model."""
    shapes = _matrices(config)
    chosen = [shape for name, shape in shapes.items() if not recipe.targets or name in recipe.targets]
    layers = int(config["num_hidden_layers"])
    return min(layers, recipe.layers or layers) * recipe.rank * sum(map(sum, chosen))


def training_memory(files: ModelFiles, recipe: Recipe, precision: Precision, prefix: int, mean: float) -> Memory | None:
    """What a training takes; None when the family of the base is unknown.

    `prefix` tokens are shared, a text has `mean` tokens. A base that is stored in 4 bits stays so.
    """
    if files.format == "gguf":
        return None
    config = read_config(files.weights, files.name)
    try:
        trained = trained_numbers(config, recipe)
        tokens = min(recipe.pass_tokens, prefix + round(recipe.batch * mean))
        texts = max(1, min(recipe.batch, round((tokens - prefix) / max(mean, 1))))
        activations = _activations(config, recipe, precision, tokens, texts)
    except (KeyError, TypeError, ValueError):
        return None
    stored: Stored = "mlx-4bit" if files.format == "mlx" else _STORED.get(precision, "bf16")
    return Memory(weight_bytes(shape_of_model(files), stored), 4 * _KEPT * trained, activations)


def refuse_without_memory(name: str, memory: Memory, recipe: Recipe, free: int, device: str) -> str | None:
    """Raise XltError when weights and updates alone do not fit; else a warning when a pass may not, or None."""
    sure = memory.weights + memory.adapter
    lower = _lower(recipe)
    if sure > free:
        raise XltError(
            f"Tuning {name!r} takes {amount(memory.weights)} for its weights and {amount(memory.adapter)} for what is "
            f"trained, and {amount(free)} are free on {device}: close other programs, choose a smaller base"
            f"{', or ' + lower if lower else ''}."
        )
    if memory.total > free:
        return (
            f"Tuning takes about {amount(memory.total)} and {amount(free)} are free on {device}: it may run out of "
            f"memory; {lower or 'close other programs'}."
        )
    return None


def _lower(recipe: Recipe) -> str:
    """The settings that take less memory, the least harmful first."""
    settings = []
    if not recipe.checkpointing:
        settings.append("--set checkpointing=true")
    if recipe.pass_tokens > 512:
        settings.append(f"--set pass_tokens={max(512, recipe.pass_tokens // 4)}")
    if recipe.precision != "nf4":
        settings.append("--precision nf4 (PyTorch)")
    if recipe.rank > 8:
        settings.append(f"--set rank={max(8, recipe.rank // 4)}")
    return f"try {', then '.join(settings)}" if settings else ""


def _matrices(config: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of the linear modules of one layer."""
    hidden, inner, heads = (int(config[key]) for key in ("hidden_size", "intermediate_size", "num_attention_heads"))
    head = int(config.get("head_dim") or hidden // heads)
    queries, keys = heads * head, int(config.get("num_key_value_heads") or heads) * head
    return {
        "q_proj": (hidden, queries),
        "k_proj": (hidden, keys),
        "v_proj": (hidden, keys),
        "o_proj": (queries, hidden),
        "gate_proj": (hidden, inner),
        "up_proj": (hidden, inner),
        "down_proj": (inner, hidden),
    }


def _activations(config: dict[str, Any], recipe: Recipe, precision: Precision, tokens: int, texts: int) -> int:
    """Bytes that a pass keeps: per layer the inputs of norms, projections, attention and the product in the MLP."""
    shapes = _matrices(config)
    hidden, inner, queries = shapes["up_proj"][0], shapes["up_proj"][1], shapes["q_proj"][1]
    keys = shapes["k_proj"][1]
    # Dropout makes a copy and a mask of each input of an update.
    inputs = sum(shape[0] for name, shape in shapes.items() if not recipe.targets or name in recipe.targets)
    layer = 4 * hidden + 3 * queries + 4 * keys + 4 * inner + (2 * inputs if recipe.dropout else inputs)
    layers = int(config["num_hidden_layers"])
    kept = layers * hidden + layer if recipe.checkpointing else layers * layer
    # On the way back one layer's gradients and what they are computed from lie beside it.
    numbers = tokens * (kept + 2 * layer)
    logits = 3 * texts * int(config["vocab_size"]) * 4 if recipe.loss == "vocabulary" else 0
    return numbers * (4 if precision == "fp32" else 2) + logits
