"""Writes a model folder as one GGUF file in 4 or 8 bits, tensor by tensor.

The layers' matrices become Q4_0 (or Q8_0). The embedding, whose rows are the label head, becomes Q8_0; vectors stay
in float32. Llama's queries and keys are put in llama.cpp's order, and Llama 3's rope scaling becomes a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, prod
from pathlib import Path
from typing import Any

import numpy as np

from xlt.backends.common import read_config, weight_files
from xlt.cards.files import ModelFiles
from xlt.cards.rope import with_both_spellings
from xlt.cards.tensors import Floats, Stored, stored
from xlt.cards.tokenizer import load_tokenizer
from xlt.release.gguf_tokenizer import add_tokenizer, check_tokenizer, no_gguf

FAMILIES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""`model_type` → llama.cpp's word for the architecture."""
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER = "model.layers."


def write_gguf(folder: Path, path: Path, name: str, bits: int = 4) -> None:
    """Write the Hugging Face folder, unquantised and without adapter, as `path`; `bits` is 4 or 8.

    Raises XltError for an architecture, a rope or a tokenizer that the file could not hold, or a full disk.
    """
    import gguf

    config = with_both_spellings(read_config(folder, name))
    family = FAMILIES.get(config["model_type"])
    if family is None:
        raise no_gguf(name, f"it is a {config['model_type']}, and xlt writes files of {', '.join(FAMILIES)}")
    if family == "llama" and (config.get("attention_bias") or config.get("mlp_bias")):
        raise no_gguf(name, "it is a Llama with biases, which readers of such a file drop without a word")
    tensors = stored(weight_files(folder, name), name)
    if config.get("tie_word_embeddings"):
        tensors.pop("lm_head.weight", None)
    tokenizer = load_tokenizer(ModelFiles(name, "hf", folder))
    writer = gguf.GGUFWriter(path, family)
    _add_settings(writer, config, name, bits)
    add_tokenizer(writer, tokenizer, config, name)
    factors = _rope(writer, config, name)
    jobs: list[Callable[[], Any]] = []
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
        jobs.append(lambda: factors)
    jobs += [_add(writer, tensor, config, family, bits, name) for tensor in tensors.values()]
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    try:
        for job in jobs:
            writer.write_tensor_data(job())
    finally:
        writer.close()
    check_tokenizer(path, tokenizer, name)


def _add_settings(writer: Any, config: dict[str, Any], name: str, bits: int) -> None:
    import gguf

    heads = config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_name(name)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(head)
    if config.get("sliding_window") and config.get("use_sliding_window") is not False:
        writer.add_sliding_window(config["sliding_window"])
    kind = gguf.LlamaFileType.MOSTLY_Q4_0 if bits == 4 else gguf.LlamaFileType.MOSTLY_Q8_0
    writer.add_file_type(kind)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _rope(writer: Any, config: dict[str, Any], name: str) -> Floats | None:
    """Put the rope's settings into the file; for Llama 3's scaling also a tensor, which is returned."""
    import gguf

    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", "default")
    if rope.get("partial_rotary_factor", 1.0) != 1.0 or kind not in ("default", "linear", "llama3"):
        raise no_gguf(name, f"xlt does not know how its rope ({kind}) is written there")
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if kind != "llama3":
        return None
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return llama3_factors(rope, head)


def llama3_factors(rope: dict[str, Any], head: int) -> Floats:
    """What each of the head / 2 frequencies is divided by (`rope_freqs.weight`), by Llama 3's rule.

    Frequencies that turn often within the original context stay, slow ones are divided by `factor`, and those
    between are blended.
    """
    frequencies = rope["rope_theta"] ** -(np.arange(0, head, 2, dtype=np.float64) / head)
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    share = np.clip((turns - low) / (high - low), 0, 1)
    factors: Floats = (1 / ((1 - share) / rope["factor"] + share)).astype(np.float32)
    return factors


def _add(writer: Any, tensor: Stored, config: dict[str, Any], family: str, bits: int, name: str) -> Callable[[], Any]:
    """Announce a tensor to the writer; returns what makes its bytes when its turn comes."""
    import gguf

    kind = _type(tensor, bits)
    block, of_block = gguf.GGML_QUANT_SIZES[kind]
    size = (*tensor.shape[:-1], tensor.shape[-1] // block * of_block)
    heads = _heads(tensor.name, config) if family == "llama" else 0
    dtype = np.float32 if kind == gguf.GGMLQuantizationType.F32 else np.uint8
    shape = tensor.shape if dtype == np.float32 else size
    writer.add_tensor_info(_name(tensor.name, name), shape, np.dtype(dtype), prod(size), raw_dtype=kind)

    def make() -> Any:
        if heads:
            return gguf.quantize(interleaved(tensor.floats(), heads), kind)
        if len(tensor.shape) == 1:
            return gguf.quantize(tensor.floats(), kind)
        made = np.empty(shape, dtype)
        for first, rows in tensor.rows():
            made[first : first + len(rows)] = gguf.quantize(rows, kind)
        return made

    return make


def _type(tensor: Stored, bits: int) -> Any:
    from gguf import GGMLQuantizationType as Kind

    if len(tensor.shape) == 1:
        return Kind.F32
    if tensor.shape[-1] % 32:
        return Kind.BF16
    head = tensor.name in ("model.embed_tokens.weight", "lm_head.weight")
    return Kind.Q4_0 if bits == 4 and not head else Kind.Q8_0


def _heads(name: str, config: dict[str, Any]) -> int:
    """Heads whose rows are to be interleaved; 0 for tensors that stay as they are."""
    if ".self_attn.q_proj." in name:
        return int(config["num_attention_heads"])
    if ".self_attn.k_proj." in name:
        return int(config.get("num_key_value_heads") or config["num_attention_heads"])
    return 0


def interleaved(array: Floats, heads: int) -> Floats:
    """Rows of a query or key matrix with rotated pairs side by side; Hugging Face has them half a head apart."""
    parted = array.reshape(heads, 2, len(array) // heads // 2, *array.shape[1:])
    return np.ascontiguousarray(parted.swapaxes(1, 2).reshape(array.shape))


def _name(name: str, model: str) -> str:
    stem, _, kind = name.rpartition(".")
    layer = ""
    if stem.startswith(_LAYER):
        number, _, stem = stem.removeprefix(_LAYER).partition(".")
        layer = f"blk.{number}."
    if stem not in _NAMES or kind not in ("weight", "bias"):
        raise no_gguf(model, f"its tensor {name} has no name there")
    return f"{layer}{_NAMES[stem]}.{kind}"
