"""Sizes from a configuration equal those of the real tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gguf_files import write_gguf
from models import Family, llama_config, random_weights, write_model
from xlt.cards.card import Card
from xlt.cards.files import ModelFiles
from xlt.cards.fit import Shape, cache_bytes, fits, shape_of_card, shape_of_config, shape_of_model, weight_bytes

CHANGES: list[dict[str, Any]] = [
    {},
    {"tie_word_embeddings": False},
    {"attention_bias": True},
    {"mlp_bias": True},
    {"num_key_value_heads": 4, "head_dim": 32, "num_hidden_layers": 2},
]


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
@pytest.mark.parametrize("changes", CHANGES)
def test_every_parameter_is_counted(family: Family, changes: dict[str, Any]) -> None:
    config = llama_config(family, **changes)
    weights = random_weights(config)
    shape = shape_of_config(config)
    assert shape is not None
    assert shape.parameters == sum(array.size for array in weights.values())
    outer = [array for name, array in weights.items() if "embed_tokens" in name or "lm_head" in name]
    assert shape.embeddings == sum(array.size for array in outer)
    assert weight_bytes(shape, "fp32") == sum(array.nbytes for array in weights.values())
    assert weight_bytes(shape, "bf16") * 2 == weight_bytes(shape, "fp32")
    assert weight_bytes(shape, "mlx-4bit") < weight_bytes(shape, "nf4") < weight_bytes(shape, "bf16")


def test_keys_and_values() -> None:
    shape = shape_of_config(llama_config())
    assert shape is not None
    # 3 layers, keys and values, 2 heads of 16, 2 bytes.
    assert cache_bytes(shape, 10) == 10 * 3 * 2 * 2 * 16 * 2
    assert cache_bytes(shape, 10, "fp32") == 2 * cache_bytes(shape, 10)


def test_from_the_files_of_every_format(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    shape = shape_of_model(ModelFiles("m", "hf", folder))
    assert shape == shape_of_config(llama_config())
    assert shape_of_model(ModelFiles("m", "gguf", write_gguf(tmp_path / "m.gguf", folder, stored="Q8_0"))) == shape


def test_an_unknown_family_is_counted_from_its_weights(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", shards=2)
    known = shape_of_model(ModelFiles("m", "hf", folder))
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"model_type": "llama"', '"model_type": "novel"'))
    assert shape_of_model(ModelFiles("m", "hf", folder)) == Shape(known.parameters, 0, known.cache_numbers)


def test_a_card_without_a_shape_still_says_its_parameters() -> None:
    card = Card("c", "C", "", parameters=1000)
    assert shape_of_card(card) == Shape(1000)
    assert shape_of_config({"model_type": "llama", "hidden_size": 3}) is None


def test_what_fits() -> None:
    shape = Shape(parameters=1_000_000, embeddings=200_000, cache_numbers=100)
    found = {fit.stored: fit for fit in fits(shape, free=2_300_000, tokens=100)}
    assert (found["bf16"].weights, found["bf16"].cache) == (2_000_000, 20_000)
    assert found["bf16"].total == 2_222_000
    assert {stored: fit.fits for stored, fit in found.items()} == {
        "fp32": False,
        "bf16": True,
        "nf4": True,
        "mlx-4bit": True,
    }
    assert not any(fit.fits for fit in fits(shape, free=400_000, tokens=100))
