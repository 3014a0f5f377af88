"""Merges a LoRA adapter, in PEFT's or in mlx-lm's format, into an unquantised base in memory."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from xlt.backends.common import read_headers, read_json
from xlt.errors import XltError

PEFT_FILE, MLX_FILE = "adapter_model.safetensors", "adapters.safetensors"


def merge(model: Any, folder: Path) -> Any:
    """Return `model` with the adapter in `folder` added to its weights; raises XltError when it does not fit."""
    try:
        from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
    except ImportError:
        raise XltError("An adapter needs the peft library: pip install peft.") from None
    misfit = XltError(f"The adapter {folder} was made for another model than {model.config.name_or_path}.")
    with warnings.catch_warnings():
        # Among others, that it does not know mlx-lm's keys.
        warnings.simplefilter("ignore")
        config, tensors = read(folder)
        try:
            tuned = PeftModel(model, config)
            expected = set(get_peft_model_state_dict(tuned))
            result = set_peft_model_state_dict(tuned, tensors)
        except (RuntimeError, ValueError, KeyError):
            raise misfit from None
    if result.unexpected_keys or expected != set(tensors):
        raise misfit
    return tuned.merge_and_unload()


def read(folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """The adapter as a PEFT configuration and PEFT tensors."""
    from peft import LoraConfig, PeftConfig
    from safetensors.torch import load_file

    settings = read_json(folder / "adapter_config.json", folder.name)
    read_headers([folder / name for name in (PEFT_FILE, MLX_FILE) if (folder / name).is_file()], folder.name)
    if (folder / PEFT_FILE).is_file() and "peft_type" in settings:
        return PeftConfig.from_pretrained(str(folder)), load_file(folder / PEFT_FILE)
    if not (folder / MLX_FILE).is_file():
        raise XltError(f"{folder} holds neither {PEFT_FILE} nor {MLX_FILE}: xlt reads adapters from safetensors only.")
    parameters = settings.get("lora_parameters")
    if settings.get("fine_tune_type", "lora") != "lora" or not isinstance(parameters, dict):
        raise XltError(f"The adapter {folder} is of the kind {settings.get('fine_tune_type')!r}: xlt merges LoRA only.")
    tensors = from_mlx(load_file(folder / MLX_FILE))
    # mlx-lm multiplies by `scale`, PEFT by alpha / r. Full names, since mlx-lm may tune only the last layers.
    targets = sorted({name.removeprefix("base_model.model.").rsplit(".", 2)[0] for name in tensors})
    rank = int(parameters["rank"])
    alpha = float(parameters["scale"]) * rank
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, task_type="CAUSAL_LM"), tensors


def from_mlx(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """mlx-lm's `lora_a` (inputs, rank) and `lora_b` (rank, outputs) under PEFT's names and the other way up."""
    names = {"lora_a": "lora_A.weight", "lora_b": "lora_B.weight"}
    converted = {}
    for name, tensor in tensors.items():
        module, _, part = name.rpartition(".")
        if part not in names:
            raise XltError(f"The adapter holds {name!r}, which is no LoRA matrix: xlt merges LoRA only.")
        converted[f"base_model.model.{module}.{names[part]}"] = tensor.T.contiguous()
    return converted
