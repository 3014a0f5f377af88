"""Reads LoRA adapters of any origin (PEFT's layout, mlx-lm's, ours with both) as numbers, and refuses other kinds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt.cards.adapter import MLX_WEIGHTS, PEFT_WEIGHTS, Pair
from xlt.cards.check import ADAPTER_CONFIG, check_adapter
from xlt.cards.tensors import Floats, Stored, stored
from xlt.errors import XltError

_PREFIX = "base_model.model."
REMEDY = "which xlt can't merge; merge it with the program that made it, and use the merged folder"


@dataclass(frozen=True)
class Update:
    """W + scale · up @ down."""

    pair: Pair
    scale: float

    def rows(self, first: int, count: int) -> Floats:
        """Rows `first` to `first + count` of what is added, (count, inputs) float32."""
        added: Floats = self.scale * (self.pair.up[first : first + count] @ self.pair.down)
        return added

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.pair.up.shape[0], self.pair.down.shape[1]


@dataclass(frozen=True)
class Tuned:
    """What an adapter changes."""

    updates: dict[str, Update]
    """By module path, such as `model.layers.0.self_attn.q_proj`."""
    replaced: dict[str, Stored]
    """Whole tensors that were trained beside the updates, or instead; by their names in the base."""


def read_lora(folder: Path, name: str, remedy: str = REMEDY) -> Tuned:
    """An adapter in either layout; where both lie in the folder they say the same, and PEFT's is read.

    Raises XltError when it is not whole, or of a kind that is no sum of low rank; `remedy` ends that sentence.
    """
    refuse = _Refusal(name, folder, remedy)
    config = check_adapter(folder, name, "train or copy it again")
    foreign, native = folder / PEFT_WEIGHTS, folder / MLX_WEIGHTS
    as_peft = "peft_type" in config and foreign.is_file()
    if not as_peft and not native.is_file():
        raise refuse(f"is of an unknown kind (no peft_type in its {ADAPTER_CONFIG})")
    tensors = stored([foreign if as_peft else native], name)
    tuned = _from_peft(config, tensors, refuse) if as_peft else _from_mlx(config, tensors, refuse)
    if not tuned.updates and not tuned.replaced:
        raise XltError(f"The adapter of model {name!r} in {folder} is empty; train or copy it again.")
    return tuned


class _Refusal:
    """Makes the sentence about an adapter that can't be read as numbers to add."""

    def __init__(self, name: str, folder: Path, remedy: str) -> None:
        self.name, self.folder, self.remedy = name, folder, remedy

    def __call__(self, reason: str) -> XltError:
        return XltError(f"The adapter of model {self.name!r} in {self.folder} {reason}, {self.remedy}.")


def _from_peft(config: dict[str, Any], tensors: dict[str, Stored], refuse: _Refusal) -> Tuned:
    start = str(config.get("init_lora_weights", "")).lower()
    if config.get("peft_type") != "LORA":
        raise refuse(f"is of the kind {config.get('peft_type')!r}")
    if config.get("use_dora"):
        raise refuse("is of the kind 'DoRA'")
    if start.startswith(("pissa", "olora", "corda", "loftq")):
        raise refuse(f"changed the base's own weights ({start})")
    if config.get("fan_in_fan_out"):
        raise refuse("has its matrices the other way up (fan_in_fan_out)")
    tensors = {key.removeprefix(_PREFIX): tensor for key, tensor in tensors.items()}
    updates = {}
    for path in sorted({key.partition(".lora_A.")[0] for key in tensors if ".lora_A." in key}):
        down, up = _both(tensors, f"{path}.lora_A.weight", f"{path}.lora_B.weight", refuse)
        updates[path] = Update(Pair(down.floats(), up.floats()), _scale(config, path, down.shape[0]))
    # Modules of `modules_to_save` lie in the file under their own names.
    whole = {key: tensor for key, tensor in tensors.items() if ".lora_" not in key}
    replaced = whole if config.get("modules_to_save") else {}
    _nothing_left(tensors.keys() - replaced.keys(), refuse)
    return Tuned(updates, replaced)


def _from_mlx(config: dict[str, Any], tensors: dict[str, Stored], refuse: _Refusal) -> Tuned:
    kind = config.get("fine_tune_type", "lora")
    if kind == "full":
        return Tuned({}, tensors)
    if kind != "lora":
        raise refuse(f"is of the kind {kind!r}")
    scale = (config.get("lora_parameters") or {}).get("scale")
    if not isinstance(scale, int | float):
        raise refuse("gives no scale in lora_parameters")
    updates = {}
    for path in sorted({key.removesuffix(".lora_a") for key in tensors if key.endswith(".lora_a")}):
        down, up = _both(tensors, f"{path}.lora_a", f"{path}.lora_b", refuse)
        updates[path] = Update(Pair(down.floats().T, up.floats().T), float(scale))
    _nothing_left(tensors, refuse)
    return Tuned(updates, {})


def _both(tensors: dict[str, Stored], down: str, up: str, refuse: _Refusal) -> tuple[Stored, Stored]:
    if down not in tensors or up not in tensors:
        raise refuse(f"holds only one of {down} and {up}")
    found = tensors.pop(down), tensors.pop(up)
    if any(len(each.shape) != 2 for each in found):
        raise refuse(f"holds {down}, which is no matrix")
    return found


def _scale(config: dict[str, Any], path: str, rank: int) -> float:
    alpha = config.get("lora_alpha", 8)
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            alpha = own
            break
    return float(alpha / rank**0.5 if config.get("use_rslora") else alpha / rank)


def _nothing_left(left: Iterable[str], refuse: _Refusal) -> None:
    if names := sorted(left):
        raise refuse(f"holds {names[0]}")
