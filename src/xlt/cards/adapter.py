"""The adapter folder: one folder that stock PEFT, stock mlx-lm and both of our backends read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xlt.cards.check import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from xlt.cards.registry import Place
from xlt.disk import write_json, write_whole

PEFT_WEIGHTS, MLX_WEIGHTS = ADAPTER_WEIGHTS
_PEFT_NAME = "base_model.model.{path}.lora_{half}.weight"
_IN_A_LAYER = re.compile(r"(?:.*\.)?(?P<stack>\w+)\.(?P<layer>\d+)\.(?P<within>\D+)")


@dataclass(frozen=True)
class Pair:
    """One LoRA update, W + scale · up @ down, in PEFT's orientation."""

    down: npt.NDArray[np.float32]
    """PEFT's lora_A: (rank, inputs)."""
    up: npt.NDArray[np.float32]
    """PEFT's lora_B: (outputs, rank)."""


Adapter = Mapping[str, Pair]
"""Module path such as `model.layers.0.self_attn.q_proj` → its update."""


def write_adapter(folder: Path, adapter: Adapter, *, alpha: float, dropout: float, base: str) -> None:
    """Write weights in both layouts and one `adapter_config.json`, which comes last: with it the folder is an adapter.

    All updates have one rank and lie in the last layers of the model. `base` is what `base_reference` gives. Raises
    XltError when the disk refuses.
    """
    config = adapter_config(adapter, alpha=alpha, dropout=dropout, base=base)
    foreign, native = {}, {}
    for path, pair in adapter.items():
        foreign[_PEFT_NAME.format(path=path, half="A")] = pair.down
        foreign[_PEFT_NAME.format(path=path, half="B")] = pair.up
        native[f"{path}.lora_a"] = pair.down.T
        native[f"{path}.lora_b"] = pair.up.T
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ADAPTER_CONFIG).unlink(missing_ok=True)
    write_tensors(folder / PEFT_WEIGHTS, foreign, format="pt")
    write_tensors(folder / MLX_WEIGHTS, native, format="mlx")
    write_json(folder / ADAPTER_CONFIG, config)


def adapter_config(adapter: Adapter, *, alpha: float, dropout: float, base: str) -> dict[str, Any]:
    """`adapter_config.json`: the keys of PEFT 0.21 and those of mlx-lm 0.32, each of which ignores the other's."""
    ranks = {len(pair.down) for pair in adapter.values()} | {pair.up.shape[1] for pair in adapter.values()}
    places = [_IN_A_LAYER.fullmatch(path) for path in adapter]
    if len(ranks) != 1 or not all(places):
        raise ValueError(f"updates of one rank, all in layers, are expected: {ranks}, {list(adapter)}")
    (rank,) = ranks
    stacks = {place["stack"] for place in places if place}
    layers = sorted({int(place["layer"]) for place in places if place})
    within = sorted({place["within"] for place in places if place})
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "bias": "none",
        "target_modules": sorted({each.rpartition(".")[2] for each in within}),
        **({"layers_to_transform": layers, "layers_pattern": sorted(stacks)} if layers[0] else {}),
        "fine_tune_type": "lora",
        "num_layers": layers[-1] - layers[0] + 1,
        "lora_parameters": {"rank": rank, "scale": alpha / rank, "dropout": dropout, "keys": within},
    }


def base_reference(name: str, place: Place) -> str:
    """What an adapter calls its base: a hub id wherever there is one, which others can load too.

    `name` is what the user called the base and `place` where that led. A folder becomes an absolute path; a model of
    the workspace or of xlt itself keeps its name, which `xlt` finds again and other programs do not.
    """
    if place.where == "path":
        return str(place.path.resolve())
    if place.where == "hub cache" and place.card is not None:
        return place.card.hub.get("torch", name)
    return name


def write_tensors(path: Path, tensors: Mapping[str, npt.NDArray[Any]], **metadata: str) -> None:
    """Write a safetensors file, whole or not at all. Raises XltError when the disk refuses."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # It writes the memory as it lies, whatever the strides say.
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}

    def write(aside: Path) -> None:
        aside.touch()
        mode = aside.stat().st_mode
        try:
            save_file(whole, aside, metadata=metadata)
            # It lets nobody but the owner read; a workspace may be shared.
            aside.chmod(mode)
        except SafetensorError as error:
            code = re.search(r"os error (\d+)", str(error))
            raise OSError(int(code[1]) if code else 0, str(error)) from None

    write_whole(path, write)
