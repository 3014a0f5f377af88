"""Tiny models of architectures that only transformers' own forward pass runs."""

from __future__ import annotations

from pathlib import Path

import torch

from models import write_model


def tiny_gemma(folder: Path) -> Path:
    """A shape with its own head: soft-capped logits, scaled embeddings, sliding windows in every other layer."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(3)
    config = Gemma2Config(
        hidden_size=48, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        head_dim=12, vocab_size=512, max_position_embeddings=512, sliding_window=32, initializer_range=0.3,
        final_logit_softcapping=2.0, query_pre_attn_scalar=12, rope_theta=500000.0, attn_implementation="eager",
    )  # fmt: skip
    Gemma2ForCausalLM(config).save_pretrained(folder)
    return folder


def tiny_phi(folder: Path) -> Path:
    """A parallel block with layer norms, partial rotation, and a bias in the head."""
    from transformers import PhiConfig, PhiForCausalLM

    torch.manual_seed(3)
    config = PhiConfig(
        hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, vocab_size=512,
        max_position_embeddings=512, initializer_range=0.3, rope_theta=500000.0,
    )  # fmt: skip
    model = PhiForCausalLM(config)
    torch.nn.init.normal_(model.lm_head.bias)
    model.save_pretrained(folder)
    return folder


def sliding_mistral(folder: Path) -> Path:
    return write_model(folder, family="mistral", sliding_window=24)
