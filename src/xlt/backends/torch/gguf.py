"""Reads a GGUF file into a transformers model, its rope scaling included."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch

from xlt.cards.gguf_header import read_header
from xlt.errors import XltError


def load_gguf(file: Path, dtype: torch.dtype) -> Any:
    """The model with its weights dequantised to `dtype`.

    transformers drops `rope_freqs.weight`, by which llama.cpp divides each frequency (Llama 3's scaling); without
    it 4 % of the labels change. The factors are exact, so the frequencies are divided by them rather than
    rebuilt from guessed settings.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, modeling_gguf_pytorch_utils

    # It draws a bar of its own, past transformers' switch for bars.
    reader = modeling_gguf_pytorch_utils
    reader.tqdm = functools.partial(reader.tqdm, disable=True)
    header = read_header(file)
    biased = any(name.startswith("blk.") and name.endswith(".bias") for name in header.tensors)
    if biased and header.metadata.get("general.architecture") == "llama":
        # transformers leaves them out and says nothing.
        raise XltError(f"{file} is a Llama with biases, which torch can't read from a GGUF file: use --backend mlx.")
    factors = rope_factors(file)
    folder, name = str(file.parent), file.name
    try:
        config = AutoConfig.from_pretrained(folder, gguf_file=name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, config=config, dtype=dtype, local_files_only=True
        )
    except (ValueError, KeyError, OSError, NotImplementedError) as error:
        raise XltError(f"{file} cannot be loaded: {first_line(error)}") from None
    if factors is not None:
        rotary = getattr(model.model, "rotary_emb", None)
        if rotary is None or rotary.inv_freq.shape != factors.shape:
            raise XltError(f"{file} scales its rope in a way that xlt does not know for a {config.model_type} model.")
        rotary.inv_freq.div_(factors)
        rotary.original_inv_freq.div_(factors)
    return model


def rope_factors(file: Path) -> torch.Tensor | None:
    """`rope_freqs.weight` in float32, or None where the file has none."""
    from gguf import GGUFReader

    found = (tensor.data for tensor in GGUFReader(file).tensors if tensor.name == "rope_freqs.weight")
    data = next(found, None)
    return None if data is None else torch.tensor(data, dtype=torch.float32)


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
