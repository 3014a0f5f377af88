"""LoRA adapters in mlx-lm's and PEFT's format: read, checked against the model, applied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.tuner.lora import LoRALinear

from xlt.backends.common import PICKLES, read_headers, read_json
from xlt.errors import XltError

CONFIG, MLX_FILE, PEFT_FILE = "adapter_config.json", "adapters.safetensors", "adapter_model.safetensors"
_PEFT_PREFIX = "base_model.model."


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
    """An adapter in either format; where both lie in the folder they say the same, and mlx-lm's is read."""
    config = read_json(folder / CONFIG, name)
    native, foreign = folder / MLX_FILE, folder / PEFT_FILE
    if native.is_file() and ("lora_parameters" in config or config.get("fine_tune_type") == "full"):
        read_headers([native], name)
        return _from_mlx(config, _tensors(native), folder, name)
    if foreign.is_file():
        read_headers([foreign], name)
        return _from_peft(config, _tensors(foreign), folder, name)
    if any(file.suffix in PICKLES for file in folder.iterdir()):
        raise XltError(
            f"The adapter of model {name!r} is a pickle, which can run code; convert {folder} to safetensors first."
        )
    raise XltError(f"The adapter of model {name!r} is incomplete: {foreign} is missing; download or copy it again.")


def _tensors(file: Path) -> dict[str, mx.array]:
    tensors = mx.load(str(file))
    assert isinstance(tensors, dict)
    return tensors


def _from_mlx(config: dict[str, Any], tensors: dict[str, mx.array], folder: Path, name: str) -> Adapter:
    kind = config.get("fine_tune_type", "lora")
    if kind == "full":
        return Adapter({}, tensors)
    if kind != "lora":
        raise _unsupported(name, folder, f"is of the kind {kind!r}")
    scale = config["lora_parameters"].get("scale")
    if not isinstance(scale, int | float):
        raise _unsupported(name, folder, "gives no scale in lora_parameters")
    updates = {}
    for path in sorted({key.rpartition(".")[0] for key in tensors}):
        down, up = tensors.pop(f"{path}.lora_a", None), tensors.pop(f"{path}.lora_b", None)
        if down is not None and up is not None:
            updates[path] = Update(down, up, float(scale))
    return _complete(Adapter(updates, {}), tensors, name, folder)


def _from_peft(config: dict[str, Any], tensors: dict[str, mx.array], folder: Path, name: str) -> Adapter:
    start = str(config.get("init_lora_weights", "")).lower()
    if config.get("peft_type") != "LORA":
        raise _unsupported(name, folder, f"is of the kind {config.get('peft_type')!r}")
    if config.get("use_dora"):
        raise _unsupported(name, folder, "is of the kind 'DoRA'")
    if start.startswith(("pissa", "olora", "corda", "loftq")):
        raise _unsupported(name, folder, f"changed the base's own weights ({start})")
    tensors = {key.removeprefix(_PEFT_PREFIX): value for key, value in tensors.items()}
    updates = {}
    for path in sorted({key.partition(".lora_A.")[0] for key in tensors if ".lora_A." in key}):
        down, up = tensors.pop(f"{path}.lora_A.weight", None), tensors.pop(f"{path}.lora_B.weight", None)
        if down is not None and up is not None:
            updates[path] = Update(down.T, up.T, _peft_scale(config, path, len(down)))
    # Modules of `modules_to_save` lie in the file under their own names.
    replaced = (
        {key: tensors.pop(key) for key in list(tensors) if ".lora_" not in key} if config.get("modules_to_save") else {}
    )
    return _complete(Adapter(updates, replaced), tensors, name, folder)


def _peft_scale(config: dict[str, Any], path: str, rank: int) -> float:
    alpha = config.get("lora_alpha", 8)
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            alpha = own
            break
    return float(alpha / rank**0.5 if config.get("use_rslora") else alpha / rank)


def _complete(adapter: Adapter, left: dict[str, mx.array], name: str, folder: Path) -> Adapter:
    if left:
        raise _unsupported(name, folder, f"holds {min(left)}")
    if not adapter.updates and not adapter.replaced:
        raise XltError(f"The adapter of model {name!r} in {folder} is empty; train or copy it again.")
    return adapter


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


def _unsupported(name: str, folder: Path, reason: str) -> XltError:
    return XltError(
        f"The adapter of model {name!r} in {folder} {reason}, which the MLX backend can't apply; "
        "merge it into its base first, or use --backend torch."
    )
