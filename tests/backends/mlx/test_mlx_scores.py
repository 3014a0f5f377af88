"""Scores equal those of a plain forward pass, whatever the batch, on random models and on real tweets."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from models import Family, train_tokenizer, write_model
from scoring import PROMPT, TEXTS, by_mlx_lm, by_transformers, load, quantised, real_tweets, score
from xlt.backends.base import Logits, Prompt
from xlt.errors import XltError


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own head"])
@pytest.mark.parametrize("family", get_args(Family))
def test_a_batch_scores_as_stock_mlx_lm_one_text_at_a_time(family: Family, tied: bool, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", family=family, tie_word_embeddings=tied)
    expected = by_mlx_lm(folder)
    assert np.ptp(expected, axis=0).min() > 0.1  # else equal scores would show nothing
    np.testing.assert_allclose(score(load("mlx", folder)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own head"])
@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_weights_score_as_stock_mlx_lm(bits: int, tied: bool, tmp_path: Path) -> None:
    folder = quantised(write_model(tmp_path / "model", tie_word_embeddings=tied), tmp_path / "quantised", bits)
    found = score(load("mlx", folder))
    np.testing.assert_allclose(found, by_mlx_lm(folder), atol=1e-4, rtol=0)
    assert np.abs(found - by_mlx_lm(tmp_path / "model")).max() > 1e-3  # it was the quantised ones that ran


@pytest.mark.slow
def test_real_tweets_in_twelve_languages_score_as_stock_libraries(llama: Path, shared_data: Path) -> None:
    prompt, texts = real_tweets(shared_data, train_tokenizer(), each=2)
    found = score(load("mlx", llama), texts, prompt, size=9)
    np.testing.assert_allclose(found, by_mlx_lm(llama, None, texts, prompt), atol=1e-4, rtol=0)
    np.testing.assert_allclose(found, by_transformers(llama, None, texts, prompt), atol=1e-4, rtol=0)


def test_neighbours_order_and_batch_size_do_not_move_a_score(llama: Path) -> None:
    scorer = load("mlx", llama)
    together = score(scorer)
    for other in (score(scorer, size=1), score(scorer, size=4), score(scorer, TEXTS[::-1])[::-1]):
        np.testing.assert_allclose(other, together, atol=1e-5, rtol=0)


def test_the_same_batches_give_the_same_bits(llama: Path) -> None:
    first, second = load("mlx", llama), load("mlx", llama)
    once = score(first, size=4)
    assert np.array_equal(once, score(first, size=4))
    assert np.array_equal(once, score(second, size=4))


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short_prefixes(length: int, llama: Path) -> None:
    prompt = Prompt(PROMPT.prefix[:length], PROMPT.labels)
    expected = by_mlx_lm(llama, None, TEXTS, prompt)
    np.testing.assert_allclose(score(load("mlx", llama), TEXTS, prompt), expected, atol=1e-4, rtol=0)


def test_another_prompt_replaces_the_first(llama: Path) -> None:
    scorer = load("mlx", llama)
    before = score(scorer)
    other = Prompt(PROMPT.prefix[:30], (40, 41, 42))
    np.testing.assert_allclose(score(scorer, TEXTS, other), by_mlx_lm(llama, None, TEXTS, other), atol=1e-4, rtol=0)
    assert np.array_equal(score(scorer), before)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.4), ("fp16", 0.1)])
def test_half_precision_is_near_and_said(precision: str, tolerance: float, llama: Path) -> None:
    scorer = load("mlx", llama, precision=precision)  # type: ignore[arg-type]
    full = load("mlx", llama)
    error = np.abs(score(scorer) - score(full)).max()
    assert 1e-5 < error < tolerance
    assert scorer.loaded.precision == precision
    assert scorer.loaded.weight_bytes * 2 == full.loaded.weight_bytes


def test_what_was_loaded_is_said(tmp_path: Path) -> None:
    tied = load("mlx", write_model(tmp_path / "tied")).loaded
    own = load("mlx", write_model(tmp_path / "own", tie_word_embeddings=False)).loaded
    assert (tied.backend, tied.device, tied.precision, tied.max_tokens) == ("mlx", "cpu", "fp32", 2048)
    assert tied.threads >= 1
    # Three layers (q and o 64 x 64, k and v 32 x 64, three of 160 x 64, two norms) and the last norm.
    assert tied.parameters == own.parameters == 3 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 160 * 64 + 2 * 64) + 64
    assert tied.weight_bytes == 4 * (tied.parameters + 512 * 64)
    assert own.weight_bytes == 4 * (own.parameters + 2 * 512 * 64)
    assert set(tied.versions) == {"mlx", "mlx-lm"}


def test_a_token_that_the_model_does_not_know_is_refused(llama: Path) -> None:
    scorer = load("mlx", llama)
    with pytest.raises(XltError, match="Token 512 is not among the 512 that model 'tiny' knows"):
        scorer.prepare(Prompt((510, 512), PROMPT.labels))
    with pytest.raises(XltError, match="Token 600 is not among"):
        scorer.prepare(Prompt(PROMPT.prefix, (1, 600)))
    scorer.prepare(PROMPT)
    with pytest.raises(XltError, match="its tokenizer belongs to another model"):
        scorer.score([[1, 2], [3, 9999]])


def test_another_thread_may_score(llama: Path) -> None:
    scorer = load("mlx", llama)
    here = score(scorer)
    found: list[Logits] = []
    worker = threading.Thread(target=lambda: found.append(scorer.score(TEXTS)))
    worker.start()
    worker.join()
    assert np.array_equal(found[0], here)


def test_peak_memory_grows_and_close_frees(llama: Path) -> None:
    import mlx.core as mx

    scorer = load("mlx", llama)
    score(scorer)
    assert scorer.peak_memory() > scorer.loaded.weight_bytes
    held = mx.get_active_memory()
    scorer.close()
    assert mx.get_active_memory() <= held - scorer.loaded.weight_bytes
    assert mx.get_cache_memory() == 0


def test_a_batch_too_big_for_the_memory_is_a_sentence(llama: Path) -> None:
    scorer = load("mlx", llama)
    scorer.prepare(PROMPT)
    # 4 heads x 1900 x 1971 products for each of 100,000 texts: 6 TB.
    with pytest.raises(XltError, match="100000 texts of up to 1900 tokens; lower --batch-tokens"):
        scorer.score([[1] * 1900] * 100_000)
    assert scorer.score([[1, 2, 3]]).shape == (1, 4)
