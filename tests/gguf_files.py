"""GGUF files of the tiny test models, written as llama.cpp's converter writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from tokenizers import Tokenizer

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


def write_gguf(path: Path, folder: Path, *, stored: str = "F32", pre: str = "llama-bpe") -> Path:
    """Write the model folder (one safetensors file, from `models.write_model`) as one GGUF file; returns `path`.

    `stored` is a ggml type that the gguf package can write: F32, F16, Q8_0, Q4_0 ... Vectors stay F32. For Llama the
    rows of queries and keys are interleaved, and Llama 3's rope scaling becomes `rope_freqs.weight`.
    """
    import gguf

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    family = "llama" if config["model_type"] in ("llama", "mistral") else config["model_type"]
    writer = gguf.GGUFWriter(path, family)
    writer.add_name("tiny")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    add_tokenizer(writer, Tokenizer.from_file(str(folder / "tokenizer.json")), pre=pre)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    kind = gguf.GGMLQuantizationType[stored]
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_factors(config))
    for name, array in weights.items():
        if family == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            array = interleave(array, config["num_attention_heads" if "q_proj" in name else "num_key_value_heads"])
        if array.ndim == 1 or stored == "F32":
            writer.add_tensor(gguf_name(name), array)
        else:
            writer.add_tensor(gguf_name(name), gguf.quantize(array, kind), raw_dtype=kind)
    _finish(writer)
    return path


def write_tokenizer_gguf(path: Path, tokenizer: Tokenizer, **settings: Any) -> Path:
    """Write a GGUF file that holds only a tokenizer; `settings` are those of `add_tokenizer`."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    add_tokenizer(writer, tokenizer, **settings)
    _finish(writer)
    return path


def add_tokenizer(
    writer: Any,
    tokenizer: Tokenizer,
    *,
    pre: str | None = "llama-bpe",
    model: str = "gpt2",
    add_bos: bool | None = None,
    bos: int | None = None,
    unused: int = 0,
) -> None:
    """Add a byte-level BPE's tokens, merges and token types; `unused` pads the vocabulary, as converters do."""
    spec = json.loads(tokenizer.to_str())
    added = {token["id"]: token for token in spec["added_tokens"]}
    by_id = {number: token for token, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    tokens = [by_id[number] for number in range(len(by_id))] + [f"[PAD{n}]" for n in range(unused)]
    kinds = [
        (CONTROL if added[number]["special"] else USER_DEFINED) if number in added else NORMAL
        for number in range(len(by_id))
    ] + [UNUSED] * unused
    writer.add_tokenizer_model(model)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in spec["model"]["merges"]])
    if add_bos is not None:
        writer.add_add_bos_token(add_bos)
    if bos is not None:
        writer.add_bos_token_id(bos)


def interleave(array: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows of a query or key matrix in GGUF's order: rotated pairs side by side, not half a head apart."""
    rows, columns = array.shape
    swapped = array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2)
    return np.ascontiguousarray(swapped.reshape(rows, columns))


def rope_factors(config: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Llama 3's rope scaling as `rope_freqs.weight` has it: what each of head_dim / 2 frequencies is divided by."""
    scaling, size = config["rope_scaling"], config["head_dim"]
    frequencies = config["rope_theta"] ** -(np.arange(0, size, 2, dtype=np.float64) / size)
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    factors: npt.NDArray[np.float32] = (1 / ((1 - smooth) / scaling["factor"] + smooth)).astype(np.float32)
    return factors


def gguf_name(name: str) -> str:
    """A tensor's name in a GGUF file, from its name in a Hugging Face checkpoint."""
    for old, new in (
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers.", "blk."),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ):
        name = name.replace(old, new)
    return name


def _finish(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
