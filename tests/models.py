"""Tiny models with random weights for tests: nothing about them is a library's default.

Base 500000 and Llama 3's rope scaling (short enough that it changes every score), grouped queries, tied
embeddings, a byte-level BPE with control tokens. Everything is written with numpy, so that a test needs only the
backend it is about.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

Family = Literal["llama", "mistral", "qwen2", "qwen3"]
Layout = Literal["peft", "mlx"]
Weights = dict[str, npt.NDArray[np.float32]]

BOS, EOT = "<|begin_of_text|>", "<|eot_id|>"

SENTENCES = (
    "The bus was late again and nobody at the stop was surprised.",
    "El panadero de la esquina vino de otro país y hace el mejor pan del barrio.",
    "Die neue Familie im dritten Stock hat uns gestern zum Essen eingeladen.",
    "Les oiseaux migrateurs sont de retour sur le lac, quel beau matin !",
    "Il treno per il mare parte alle otto, non fare tardi.",
    "Os vizinhos ajudaram a pintar a escola no sábado.",
    "Wczoraj w pracy poznałem kolegę z daleka, jutro gramy w piłkę.",
    "A szomszéd új állást talált, és nagyon örül neki.",
    "Tetangga saya membuka warung kecil di dekat pasar.",
    "Yeni komşumuz geçen hafta taşındı, çok nazik biri.",
    "الجو جميل اليوم والأطفال يلعبون في الحديقة.",
    "आज बाज़ार में बहुत भीड़ थी, पर आम मीठे थे।",
    "오늘은 비가 와서 집에서 책을 읽었다.",
    "What is the answer? Answer with one digit: 1, 2, 3 or 4. 😀 #monday @friend https://example.org",
)
# Llama 3's own.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(vocab_size: int = 512, sentences: tuple[str, ...] = SENTENCES) -> Tokenizer:
    """A byte-level BPE of Llama 3's kind: 256 bytes, merges, then the control tokens BOS and EOT."""
    tokenizer = Tokenizer(BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.add_special_tokens([AddedToken(BOS, special=True), AddedToken(EOT, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return tokenizer


def save_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` as a model folder has them."""
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BOS,
            "eos_token": EOT,
            "pad_token": EOT,
            "model_max_length": 2048,
            "clean_up_tokenization_spaces": False,
        },
    )


def llama_config(family: Family = "llama", **changes: Any) -> dict[str, Any]:
    """`config.json` of a tiny model: both spellings of the rope settings, GQA, tied embeddings."""
    architecture = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[family]
    scaling = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    config: dict[str, Any] = {
        "architectures": [f"{architecture}ForCausalLM"],
        "model_type": family,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 512,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "rope_theta": 500000.0,
        "rope_scaling": scaling,
        "rope_parameters": {"rope_theta": 500000.0, **scaling},
        "sliding_window": None,
        "bos_token_id": 510,
        "eos_token_id": 511,
        "torch_dtype": "float32",
    }
    if family == "llama":
        del config["sliding_window"]
    return {**config, **changes}


def random_weights(config: dict[str, Any], seed: int = 0) -> Weights:
    """All tensors of the model, by their names in a checkpoint, drawn so that every part moves the scores."""
    rng = np.random.default_rng(seed)
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head

    def matrix(rows: int, columns: int) -> npt.NDArray[np.float32]:
        drawn: npt.NDArray[np.float32] = (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
        return drawn

    def norm(size: int) -> npt.NDArray[np.float32]:
        drawn: npt.NDArray[np.float32] = (1 + 0.2 * rng.standard_normal(size)).astype(np.float32)
        return drawn

    def bias(size: int) -> npt.NDArray[np.float32]:
        return (0.3 * rng.standard_normal(size)).astype(np.float32)

    weights: Weights = {"model.embed_tokens.weight": matrix(config["vocab_size"], hidden) * np.float32(2)}
    qkv_bias = config["attention_bias"] or config["model_type"] == "qwen2"
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}."
        weights[name + "input_layernorm.weight"] = norm(hidden)
        weights[name + "post_attention_layernorm.weight"] = norm(hidden)
        # Queries and keys are larger than the rest so that attention is far from uniform.
        for part, size, scale in (("q", queries, 1.5), ("k", keys, 1.5), ("v", keys, 1.0)):
            weights[f"{name}self_attn.{part}_proj.weight"] = matrix(size, hidden) * np.float32(scale)
            if qkv_bias:
                weights[f"{name}self_attn.{part}_proj.bias"] = bias(size)
        weights[name + "self_attn.o_proj.weight"] = matrix(hidden, queries)
        if config["attention_bias"]:
            weights[name + "self_attn.o_proj.bias"] = bias(hidden)
        if config["model_type"] == "qwen3":
            weights[name + "self_attn.q_norm.weight"] = norm(head)
            weights[name + "self_attn.k_norm.weight"] = norm(head)
        for part, rows, columns in (("gate", inner, hidden), ("up", inner, hidden), ("down", hidden, inner)):
            weights[f"{name}mlp.{part}_proj.weight"] = matrix(rows, columns)
            if config["mlp_bias"]:
                weights[f"{name}mlp.{part}_proj.bias"] = bias(rows)
    weights["model.norm.weight"] = norm(hidden)
    if not config["tie_word_embeddings"]:
        weights["lm_head.weight"] = matrix(config["vocab_size"], hidden)
    return weights


def write_model(
    folder: Path, *, family: Family = "llama", seed: int = 0, shards: int = 1, tokenizer: bool = True, **changes: Any
) -> Path:
    """Write a tiny random model folder (fp32 safetensors, config, tokenizer) and return the folder.

    `changes` replace entries of `llama_config`; `shards` above 1 writes an index as the hub does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = llama_config(family, **changes)
    _write_json(folder / "config.json", config)
    weights = random_weights(config, seed)
    if shards == 1:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        _write_shards(folder, weights, shards)
    if tokenizer:
        save_tokenizer(folder, train_tokenizer(config["vocab_size"]))
    return folder


def write_adapter(
    folder: Path,
    base: Path,
    *,
    layout: Literal["peft", "mlx"] = "peft",
    rank: int = 4,
    scale: float = 2.0,
    seed: int = 1,
) -> Path:
    """Write a random LoRA adapter on q, v and down of every layer of `base`, in PEFT's or mlx-lm's format.

    The same seed gives the same change of weights in both layouts. Both update W by `scale * B A`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((base / "config.json").read_text())
    rng = np.random.default_rng(seed)
    head, hidden, inner = config["head_dim"], config["hidden_size"], config["intermediate_size"]
    targets = {
        "self_attn.q_proj": (config["num_attention_heads"] * head, hidden),
        "self_attn.v_proj": (config["num_key_value_heads"] * head, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    tensors: Weights = {}
    for layer in range(config["num_hidden_layers"]):
        for target, (rows, columns) in targets.items():
            down = (rng.standard_normal((rank, columns)) / np.sqrt(columns)).astype(np.float32)
            up = (rng.standard_normal((rows, rank)) * 0.3).astype(np.float32)
            name = f"model.layers.{layer}.{target}"
            if layout == "peft":
                tensors[f"base_model.model.{name}.lora_A.weight"] = down
                tensors[f"base_model.model.{name}.lora_B.weight"] = up
            else:
                tensors[f"{name}.lora_a"] = np.ascontiguousarray(down.T)
                tensors[f"{name}.lora_b"] = np.ascontiguousarray(up.T)
    if layout == "peft":
        settings: dict[str, Any] = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": str(base),
            "r": rank,
            "lora_alpha": scale * rank,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": sorted(target.split(".")[1] for target in targets),
        }
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    else:
        settings = {
            "fine_tune_type": "lora",
            "num_layers": config["num_hidden_layers"],
            "lora_parameters": {"rank": rank, "scale": scale, "dropout": 0.0, "keys": list(targets)},
        }
        save_file(tensors, folder / "adapters.safetensors", metadata={"format": "mlx"})
    _write_json(folder / "adapter_config.json", settings)
    return folder


def _write_shards(folder: Path, weights: Weights, shards: int) -> None:
    names = list(weights)
    where: dict[str, str] = {}
    for number in range(shards):
        part = names[number::shards]
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        save_file({name: weights[name] for name in part}, folder / file, metadata={"format": "pt"})
        where.update(dict.fromkeys(part, file))
    total = sum(array.nbytes for array in weights.values())
    _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
