"""The adapter folder that we write: stock PEFT, stock mlx-lm and both of our backends score alike with it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from adapters import random_adapter
from models import write_model
from scoring import PROMPT, TEXTS, by_transformers, load, score
from xlt.backends import NAMES
from xlt.backends.base import Logits
from xlt.cards.adapter import write_adapter
from xlt.cards.registry import find
from xlt.engine.score import softmax

pytest.importorskip("torch", reason="PyTorch is not installed here (the extra `torch`)")
pytest.importorskip("mlx_lm", reason="MLX is not installed here (the extra `mlx`)")

EVERY = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def by_stock_mlx_lm(base: Path, adapter: Path) -> Logits:
    """The scores of `mlx_lm.load(base, adapter_path=adapter)`."""
    import mlx.core as mx
    from mlx_lm import load as stock_load

    model, *_ = stock_load(str(base), adapter_path=str(adapter))
    rows = [np.array(model(mx.array([[*PROMPT.prefix, *text]]))[0, -1]) for text in TEXTS]
    return np.stack(rows)[:, PROMPT.labels]


@pytest.mark.parametrize(
    ("targets", "layers"),
    [(("q_proj", "v_proj"), 0), (EVERY, 0), (EVERY, 2), (("down_proj",), 1)],
    ids=["q and v", "all", "all of the last two layers", "one matrix of the last layer"],
)
def test_stock_libraries_score_as_we_do(targets: tuple[str, ...], layers: int, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    adapter = tmp_path / "adapter"
    write_adapter(adapter, random_adapter(base, targets, layers), alpha=6.0, dropout=0.1, base=str(base))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unexpected keyword arguments")
        stock = {"torch": by_transformers(base, adapter), "mlx": by_stock_mlx_lm(base, adapter)}
    assert np.abs(stock["torch"] - by_transformers(base)).max() > 0.05
    # The two libraries differ by this much without any adapter.
    np.testing.assert_allclose(stock["mlx"], stock["torch"], atol=1e-4, rtol=0)
    for backend in NAMES:
        files = find(str(adapter), backend=backend, workspace=tmp_path).files
        found = score(load(backend, files.weights, files.adapter))
        np.testing.assert_allclose(softmax(found), softmax(stock[backend]), atol=1e-5, rtol=0)


def test_whoever_may_read_the_folder_may_read_the_weights(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    write_adapter(tmp_path / "a", random_adapter(base, ("q_proj",), 0), alpha=6.0, dropout=0.1, base=str(base))
    assert len({path.stat().st_mode for path in (tmp_path / "a").iterdir()}) == 1


def test_each_half_alone_is_the_whole(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    found = []
    for left_out in ("adapters.safetensors", "adapter_model.safetensors"):
        adapter = tmp_path / left_out
        write_adapter(adapter, random_adapter(base, EVERY, 0), alpha=6.0, dropout=0.0, base=str(base))
        (adapter / left_out).unlink()
        found += [score(load("torch", base, adapter)), score(load("mlx", base, adapter))]
    for each in found[1:]:
        np.testing.assert_allclose(each, found[0], atol=1e-4, rtol=0)


def test_nothing_is_warned_of(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """PEFT does not know mlx-lm's keys and would tell every user so."""
    base = write_model(tmp_path / "base")
    write_adapter(tmp_path / "a", random_adapter(base), alpha=6.0, dropout=0.0, base=str(base))
    for backend in NAMES:
        load(backend, base, tmp_path / "a")
    assert not [str(each.message) for each in recwarn if "keyword" in str(each.message)]
