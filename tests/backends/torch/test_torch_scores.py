"""The lean forward and transformers' own one give the same scores, whatever the batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gguf_files import write_gguf
from models import write_adapter, write_model
from torch_models import sliding_mistral, tiny_gemma, tiny_phi
from xlt.backends.base import Logits, Prompt, Scorer
from xlt.backends.torch import TorchBackend
from xlt.cards.files import ModelFiles
from xlt.errors import UsageError, XltError

LABELS = (17, 18, 19, 20)
RNG = np.random.default_rng(5)
PREFIX = (510, *map(int, RNG.integers(0, 510, 70)))
TEXTS = [list(map(int, RNG.integers(0, 510, int(length)))) for length in RNG.integers(1, 60, 40)]
PROMPT = Prompt(PREFIX, LABELS)

SHAPES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama-biased-untied": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False},
    "llama-one-head-each": {"num_key_value_heads": 4, "head_dim": 32},
    "mistral": {"family": "mistral"},
    "qwen2": {"family": "qwen2"},
    "qwen3": {"family": "qwen3", "head_dim": 24},
    "plain-rope": {"rope_scaling": None, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
}


def load(folder: Path, adapter: Path | None = None, **options: Any) -> Scorer:
    format = "gguf" if folder.suffix == ".gguf" else "hf"
    options = {"device": "cpu", "precision": "fp32", "threads": 1, **options}
    return TorchBackend().load(ModelFiles("tiny", format, folder, adapter), **options)  # type: ignore[arg-type]


def reference(folder: Path, texts: Sequence[Sequence[int]] = TEXTS, dtype: torch.dtype = torch.float32) -> Logits:
    """What stock transformers says, one text at a time, no cache."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    with torch.inference_mode():
        rows = [model(torch.tensor([[*PREFIX, *text]])).logits[0, -1, list(LABELS)].float().numpy() for text in texts]
    return np.stack(rows)


def scores(scorer: Scorer, texts: Sequence[Sequence[int]] = TEXTS, size: int = 40) -> Logits:
    scorer.prepare(PROMPT)
    return np.concatenate([scorer.score(texts[at : at + size]) for at in range(0, len(texts), size)])


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("llama") / "model")


@pytest.mark.parametrize("shape", SHAPES)
def test_scores_equal_a_plain_forward(tmp_path: Path, shape: str) -> None:
    from xlt.backends.torch.llama import LlamaForward

    folder = write_model(tmp_path / "model", **SHAPES[shape])
    scorer = load(folder)
    assert isinstance(scorer._forward, LlamaForward)  # type: ignore[attr-defined]
    expected = reference(folder)
    assert expected.std() > 0.3
    np.testing.assert_allclose(scores(scorer), expected, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 16])
def test_scores_do_not_depend_on_the_batch(llama: Path, size: int) -> None:
    expected = reference(llama)
    scorer = load(llama)
    np.testing.assert_allclose(scores(scorer, size=size), expected, atol=1e-4)
    order = np.random.default_rng(size).permutation(len(TEXTS))
    np.testing.assert_allclose(scores(scorer, [TEXTS[at] for at in order], size), expected[order], atol=1e-4)


def test_rope_tables_grow_with_the_text(llama: Path) -> None:
    texts = [TEXTS[0], [int(token) for token in np.arange(700) % 509]]
    scorer = load(llama)
    scorer.prepare(PROMPT)
    got = np.concatenate([scorer.score(texts[:1]), scorer.score(texts[1:]), scorer.score(texts)])
    expected = reference(llama, texts)
    np.testing.assert_allclose(got, np.concatenate([expected, expected]), atol=1e-4)


def test_prepare_again_replaces_the_prompt(llama: Path) -> None:
    scorer = load(llama)
    scorer.prepare(Prompt(PREFIX[:9], (3, 4)))
    assert scorer.score(TEXTS[:2]).shape == (2, 2)
    np.testing.assert_allclose(scores(scorer), reference(llama), atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_batches_give_the_same_bits(llama: Path, precision: str) -> None:
    first = scores(load(llama, precision=precision), size=16)
    assert first.tobytes() == scores(load(llama, precision=precision), size=16).tobytes()


def test_bf16_is_as_near_to_fp32_as_transformers_own(llama: Path) -> None:
    exact = reference(llama)
    ours = np.abs(scores(load(llama, precision="bf16"), size=16) - exact)
    theirs = np.abs(reference(llama, dtype=torch.bfloat16) - exact)
    assert 0 < ours.mean() < 1.3 * theirs.mean()


def test_both_ways_of_attention_agree() -> None:
    from xlt.backends.torch.attention import by_kernel, by_products

    torch.manual_seed(0)
    q, k, v = torch.randn(3, 7, 6, 8), torch.randn(3, 7, 2, 8), torch.randn(3, 7, 2, 8)
    prefix = (torch.randn(2, 11, 8), torch.randn(2, 11, 8))
    for before in (prefix, None):
        torch.testing.assert_close(by_kernel(q, k, v, before, 0.3), by_products(q, k, v, before, 0.3))


def test_shards_are_one_model(llama: Path, tmp_path: Path) -> None:
    sharded = write_model(tmp_path / "sharded", shards=3)
    assert scores(load(sharded)).tobytes() == scores(load(llama)).tobytes()


@pytest.mark.parametrize("layout", ["peft", "mlx"])
def test_an_adapter_is_merged(llama: Path, tmp_path: Path, layout: Any) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    stock = write_adapter(tmp_path / "stock", llama)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), stock).merge_and_unload()
    model.save_pretrained(tmp_path / "merged")
    expected = reference(tmp_path / "merged")
    assert np.abs(expected - reference(llama)).max() > 0.1
    adapter = write_adapter(tmp_path / "adapter", llama, layout=layout)
    np.testing.assert_allclose(scores(load(llama, adapter)), expected, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_gguf_scores_equal_safetensors(tmp_path: Path, family: Any) -> None:
    folder = write_model(tmp_path / "model", family=family, **({} if family == "llama" else SHAPES["plain-rope"]))
    np.testing.assert_allclose(scores(load(write_gguf(tmp_path / "model.gguf", folder))), reference(folder), atol=1e-4)


def test_nf4_after_merging_equals_nf4_of_the_merged_model(llama: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter = write_adapter(tmp_path / "adapter", llama)
    base = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.bfloat16)
    PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(tmp_path / "merged")
    exact = reference(tmp_path / "merged")
    whole, merged = load(tmp_path / "merged", precision="nf4"), load(llama, adapter, precision="nf4")
    np.testing.assert_allclose(scores(merged), scores(whole), atol=0.02)
    assert 0.02 < np.abs(scores(whole) - exact).mean() < exact.std()
    assert merged.loaded.weight_bytes < load(llama, precision="bf16").loaded.weight_bytes


@pytest.mark.parametrize("make", [tiny_gemma, tiny_phi, sliding_mistral])
def test_other_architectures_go_through_transformers(tmp_path: Path, make: Any) -> None:
    from xlt.backends.torch.generic import GenericForward

    folder = make(tmp_path / "model")
    scorer = load(folder)
    assert isinstance(scorer._forward, GenericForward)  # type: ignore[attr-defined]
    expected = reference(folder)
    assert expected.std() > 0.05
    for size in (1, 7, 40):
        np.testing.assert_allclose(scores(scorer, size=size), expected, atol=1e-4)


def test_what_was_loaded_is_recorded(llama: Path) -> None:
    from safetensors import safe_open

    scorer = load(llama, precision="bf16", threads=1)
    with safe_open(llama / "model.safetensors", "np") as file:
        sizes = {name: int(np.prod(file.get_slice(name).get_shape())) for name in file.keys()}  # noqa: SIM118
    loaded = scorer.loaded
    assert (loaded.backend, loaded.device, loaded.precision, loaded.threads) == ("torch", "cpu", "bf16", 1)
    assert loaded.weight_bytes == 2 * sum(sizes.values())
    assert loaded.parameters == sum(sizes.values()) - sizes["model.embed_tokens.weight"]
    assert loaded.max_tokens == 2048
    assert {"torch", "transformers"} <= set(loaded.versions)
    assert load(llama, precision="nf4").loaded.parameters == loaded.parameters
    assert scorer.peak_memory() > 50e6


def test_a_prompt_beyond_the_models_positions_is_refused(llama: Path) -> None:
    scorer = load(llama)
    scorer.prepare(PROMPT)
    with pytest.raises(XltError, match="2072 tokens is longer than the 2048"):
        scorer.score([[5] * 2001])


def test_a_batch_beyond_the_memory_names_what_to_lower(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    scorer = load(llama)
    scorer.prepare(PROMPT)
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 200_000_000, before[1]))
    try:
        with pytest.raises(XltError, match="--batch-tokens"):
            scorer.score([[7] * 1900] * 64)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    np.testing.assert_allclose(scores(scorer), reference(llama), atol=1e-4)


def test_devices_that_are_not_there_are_refused(llama: Path) -> None:
    with pytest.raises(UsageError, match="no device 'tpu'"):
        load(llama, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="cuda:3"):
            load(llama, device="cuda:3")


def test_availability_names_the_cpu() -> None:
    found = TorchBackend().availability()
    assert found.usable
    assert found.versions["torch"] == torch.__version__.split("+")[0] or found.versions["torch"] == torch.__version__
    cpu = found.devices[-1]
    assert cpu.name == "cpu"
    assert 0 < cpu.free <= cpu.memory
    assert {"fp32", "bf16"} <= set(cpu.precisions)
