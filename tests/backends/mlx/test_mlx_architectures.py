"""Models of many architectures, saved by transformers 5 in its own way, score as transformers says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring import PROMPT, by_transformers, load, score
from xlt.errors import XltError

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
PLAIN = {"rope_type": "default", "rope_theta": 50000.0}
PARTIAL = {**PLAIN, "partial_rotary_factor": 0.5}
YARN = {"rope_type": "yarn", "rope_theta": 5e5, "factor": 4.0, "original_max_position_embeddings": 512}
LONG = {
    "rope_type": "longrope",
    "rope_theta": 5e4,
    "short_factor": [1 + 0.1 * i for i in range(8)],
    "long_factor": [2 + 0.5 * i for i in range(8)],
    "original_max_position_embeddings": 512,
}
GEMMA3 = {
    "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 2e4},
}
GEMMA4 = {"head_dim": 32, "hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": 512}

# Name → class of the config, its settings, positions that the backend may use.
MODELS: dict[str, tuple[str, dict[str, Any], int]] = {
    "llama": ("LlamaConfig", {"rope_parameters": LLAMA3, "head_dim": 32, "attention_bias": True}, 2048),
    "llama tied": ("LlamaConfig", {"rope_parameters": LLAMA3, "tie_word_embeddings": True}, 2048),
    "llama yarn": ("LlamaConfig", {"rope_parameters": YARN}, 2048),
    "llama linear": ("LlamaConfig", {"rope_parameters": {**PLAIN, "rope_type": "linear", "factor": 4.0}}, 2048),
    "mistral": ("MistralConfig", {"rope_parameters": PLAIN, "sliding_window": 512}, 512),
    "qwen2": ("Qwen2Config", {"rope_parameters": PLAIN}, 2048),
    "qwen3": ("Qwen3Config", {"rope_parameters": PLAIN, "head_dim": 32}, 2048),
    "gemma2": ("Gemma2Config", {"rope_parameters": PLAIN, "head_dim": 32, "sliding_window": 256}, 256),
    # Windows shorter than the prompt.
    "gemma3": ("Gemma3TextConfig", {"rope_parameters": GEMMA3, "sliding_window": 40, "num_hidden_layers": 7}, 2048),
    "gemma4": ("Gemma4TextConfig", {**GEMMA4, "sliding_window": 40, "num_hidden_layers": 6}, 2048),
    "gemma4 shared": ("Gemma4TextConfig", {**GEMMA4, "num_hidden_layers": 12, "num_kv_shared_layers": 6}, 2048),
    "cohere2": (
        "Cohere2Config",
        {"rope_parameters": PLAIN, "logit_scale": 0.25, "sliding_window": 40, "num_hidden_layers": 4},
        2048,
    ),
    "granite": ("GraniteConfig", {"rope_parameters": PLAIN, "logits_scaling": 0.5, "attention_multiplier": 0.1}, 2048),
    "olmo2": ("Olmo2Config", {"rope_parameters": PLAIN}, 2048),
    "smollm3": ("SmolLM3Config", {"rope_parameters": PLAIN}, 2048),
    "phi": ("PhiConfig", {"rope_parameters": PARTIAL}, 2048),
    "phi3": ("Phi3Config", {"rope_parameters": PARTIAL, "sliding_window": None}, 2048),
    "phi3 long": (
        "Phi3Config",
        {"rope_parameters": LONG, "sliding_window": None, "original_max_position_embeddings": 512},
        512,
    ),
}


def save_random(folder: Path, config_class: str, **settings: Any) -> Path:
    """A random model as transformers saves it: rope settings only in `rope_parameters`, defaults left out."""
    import torch
    import transformers

    sizes: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
        "max_position_embeddings": 2048,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    config = getattr(transformers, config_class)(**{**sizes, **settings})
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            # Far from uniform attention, and no vector at its default.
            parameter.mul_(6) if parameter.ndim > 1 else parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_scores_equal_those_of_transformers(name: str, tmp_path: Path) -> None:
    config_class, settings, positions = MODELS[name]
    folder = save_random(tmp_path / "model", config_class, **settings)
    scorer = load("mlx", folder)
    expected = by_transformers(folder)
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(score(scorer), expected, atol=1e-4, rtol=0)
    assert scorer.loaded.max_tokens == positions


def test_an_activation_that_mlx_lm_would_ignore_is_refused(tmp_path: Path) -> None:
    folder = save_random(tmp_path / "model", "LlamaConfig", hidden_act="gelu")
    with pytest.raises(XltError, match=r"mlx-lm has no activation 'gelu'.*--backend torch"):
        load("mlx", folder)


def test_a_recurrent_model_is_refused(tmp_path: Path) -> None:
    folder = save_random(tmp_path / "model", "MambaConfig")
    with pytest.raises(XltError, match=r"can't score model 'tiny' .*ArraysCache.*--backend torch"):
        load("mlx", folder).prepare(PROMPT)
