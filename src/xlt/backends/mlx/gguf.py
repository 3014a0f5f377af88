"""A GGUF file as an mlx-lm model: its weights dequantised, its rope scaling kept."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from xlt.backends.base import Device, Precision
from xlt.backends.common import check_memory
from xlt.cards.files import ModelFiles
from xlt.cards.gguf_header import Header, Tensor, read_header
from xlt.errors import XltError

FAMILIES = ("llama", "qwen2", "qwen3")
"""Architectures in llama.cpp's words; mistral is written as `llama`."""
_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_ROPE = "rope_freqs.weight"


class FactoredRope(nn.Module):  # type: ignore[misc]
    """Rotary embedding whose frequencies are divided by the factors in a GGUF file, as llama.cpp does it."""

    def __init__(self, base: float, factors: mx.array) -> None:
        super().__init__()
        self._dims = 2 * len(factors)
        self._freqs = base ** (mx.arange(0, self._dims, 2) / self._dims) * factors

    def __call__(self, x: mx.array, offset: int = 0) -> mx.array:
        return mx.fast.rope(x, self._dims, traditional=False, base=None, scale=1.0, offset=offset, freqs=self._freqs)


def load_gguf(files: ModelFiles, device: Device, precision: Precision, width: int) -> tuple[Any, dict[str, Any]]:
    """The model in `precision` (`width` bytes a number) and a config for it.

    Raises XltError for a file that is cut short, of another architecture, or too big.
    """
    name, path = files.name, files.weights
    header = read_header(path)
    if header.end() > path.stat().st_size:
        raise XltError(f"Model {name!r} can't be read: {path} is cut short; download or copy it again.")
    if files.adapter is not None:
        raise XltError(f"An adapter can't be put on {path}, a GGUF file; use the base's Hugging Face folder.")
    check_memory(name, header.parameters * width, device.free, precision)
    try:
        config = config_of(header, name)
        arch = importlib.import_module(f"mlx_lm.models.{config['model_type']}")
        model = arch.Model(arch.ModelArgs.from_dict(config))
        dtype = {"fp32": mx.float32, "bf16": mx.bfloat16, "fp16": mx.float16}[precision]
        weights = _weights(path, header, config, dtype)
        if _ROPE in header.tensors:
            factors = mx.array(_read(path, header, header.tensors[_ROPE]))
            for layer in model.layers:
                layer.self_attn.rope = FactoredRope(config["rope_theta"], factors)
        model.load_weights(weights, strict=True)
    except (KeyError, ValueError, NotImplementedError) as error:
        raise XltError(
            f"The MLX backend can't read the GGUF file of model {name!r} ({' '.join(str(error).split())}); use "
            "--backend torch, or the Hugging Face folder."
        ) from None
    return model.eval(), config


def config_of(header: Header, name: str) -> dict[str, Any]:
    """What `config.json` would say."""
    found = header.metadata
    family = found["general.architecture"]
    if family not in FAMILIES:
        raise XltError(
            f"The MLX backend reads GGUF files of {', '.join(FAMILIES)}, and model {name!r} is a {family}; use "
            "--backend torch, or the Hugging Face folder."
        )

    def get(key: str, default: Any = None) -> Any:
        value = found.get(f"{family}.{key}", default)
        if value is None:
            raise KeyError(f"{family}.{key} is missing")
        return value

    heads, width = get("attention.head_count"), get("embedding_length")
    size = get("attention.key_length", width // heads)
    if get("rope.scaling.type", "none") not in ("none", "linear") or get("rope.dimension_count", size) != size:
        raise ValueError("its rope scaling is not known")
    factor = get("rope.scaling.factor", 1.0)
    linear = get("rope.scaling.type", "none") == "linear"
    layer = "blk.0."
    return {
        "model_type": family,
        "hidden_size": width,
        "num_hidden_layers": get("block_count"),
        "intermediate_size": get("feed_forward_length"),
        "num_attention_heads": heads,
        "num_key_value_heads": get("attention.head_count_kv", heads),
        "head_dim": size,
        "rms_norm_eps": get("attention.layer_norm_rms_epsilon"),
        "vocab_size": header.tensors["token_embd.weight"].shape[1],
        "max_position_embeddings": get("context_length"),
        "rope_theta": get("rope.freq_base", 10000.0),
        "rope_scaling": {"type": "linear", "rope_type": "linear", "factor": factor} if linear else None,
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "attention_bias": f"{layer}attn_output.bias" in header.tensors,
        "mlp_bias": f"{layer}ffn_up.bias" in header.tensors,
        "sliding_window": found.get(f"{family}.attention.sliding_window"),
    }


def _weights(path: Path, header: Header, config: dict[str, Any], dtype: Any) -> list[tuple[str, mx.array]]:
    """All tensors by mlx-lm's names, read one after the other."""
    weights = []
    for name, tensor in header.tensors.items():
        if name == _ROPE:
            continue
        array = _read(path, header, tensor)
        if config["model_type"] == "llama" and ".attn_q." in name:
            array = _halves(array, config["num_attention_heads"])
        elif config["model_type"] == "llama" and ".attn_k." in name:
            array = _halves(array, config["num_key_value_heads"])
        made = mx.array(array).astype(dtype)
        mx.eval(made)
        weights.append((_name(name), made))
    return weights


def _name(name: str) -> str:
    parts = name.split(".")
    layer = f"model.layers.{parts[1]}." if parts[0] == "blk" else ""
    stem, kind = parts[-2:]
    if stem not in _NAMES or (layer == "") != (len(parts) == 2):
        raise ValueError(f"the tensor {name} is not known")
    return f"{layer or ''}{_NAMES[stem]}.{kind}"


def _read(path: Path, header: Header, tensor: Tensor) -> Any:
    """One tensor as float32, in the order of numpy."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType(tensor.type)
    block, of_block = GGML_QUANT_SIZES[kind]
    shape = tensor.shape[::-1]
    stored = (*shape[:-1], shape[-1] // block * of_block)
    raw = np.memmap(path, np.uint8, "r", header.data + tensor.offset, stored)
    return np.ascontiguousarray(dequantize(raw, kind).reshape(shape))


def _halves(array: Any, heads: int) -> Any:
    """Rows of a query or key matrix with rotated pairs half a head apart; llama.cpp puts them side by side."""
    rows = len(array)
    return array.reshape(heads, rows // heads // 2, 2, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)
