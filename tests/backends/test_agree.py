"""The same weights give the same scores on both backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from gguf_files import write_gguf
from models import Family, Layout, train_tokenizer, write_adapter, write_model
from scoring import TEXTS, Ids, load, real_tweets, score
from xlt.backends.base import Prompt

pytest.importorskip("torch", reason="PyTorch is not installed here (the extra `torch`)")
pytest.importorskip("mlx_lm", reason="MLX is not installed here (the extra `mlx`)")


def assert_agreement(model: Path, adapter: Path | None = None, given: tuple[Prompt, Ids] | None = None) -> None:
    """Both backends within 1e-4 in fp32, on texts whose scores differ by far more."""
    arguments = (given[1], given[0]) if given else (TEXTS,)
    torch = score(load("torch", model, adapter), *arguments)
    mlx = score(load("mlx", model, adapter), *arguments)
    assert np.ptp(torch, axis=0).min() > 0.05
    np.testing.assert_allclose(mlx, torch, atol=1e-4, rtol=0)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own head"])
@pytest.mark.parametrize("family", get_args(Family))
def test_families(family: Family, tied: bool, tmp_path: Path) -> None:
    assert_agreement(write_model(tmp_path / "model", family=family, tie_word_embeddings=tied))


@pytest.mark.parametrize(
    "changes",
    [
        {"attention_bias": True},
        {"rope_theta": None, "rope_scaling": None},
        {"rope_scaling": None, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
        {"head_dim": 32, "num_key_value_heads": 4},
    ],
    ids=["biases", "new rope spelling", "plain rope", "wide heads"],
)
def test_shapes_of_llama(changes: dict[str, Any], tmp_path: Path) -> None:
    assert_agreement(write_model(tmp_path / "model", **changes))


@pytest.mark.parametrize("layout", get_args(Layout))
def test_adapters(layout: Layout, tmp_path: Path) -> None:
    base = write_model(tmp_path / "model", shards=2)
    assert_agreement(base, write_adapter(tmp_path / "adapter", base, layout=layout))


@pytest.mark.parametrize("stored", ["F32", "Q8_0"])
def test_gguf_files(stored: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    assert_agreement(write_gguf(tmp_path / "model.gguf", folder, stored=stored))


@pytest.mark.slow
@pytest.mark.parametrize("family", get_args(Family))
def test_real_tweets_in_twelve_languages(family: Family, tmp_path: Path, shared_data: Path) -> None:
    model = write_model(tmp_path / "model", family=family)
    assert_agreement(model, given=real_tweets(shared_data, train_tokenizer(), each=2))
