"""MLX's LoRA steps: the gradients of the plain way, the same weights after a resume, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import load_file

from adapters import random_adapter
from models import write_model
from scoring import PROMPT, TEXTS, by_mlx_lm, load, quantised, score
from training_steps import ALL, COURSE, SAMPLES, states, trainer
from xlt.backends.base import Prompt
from xlt.backends.training import Course, Lora, NotFiniteError, Sample
from xlt.cards.adapter import write_adapter
from xlt.cards.files import ModelFiles
from xlt.errors import UsageError, XltError

GRADIENT = replace(COURSE, betas=(0.0, 0.0), max_norm=0.0)
"""With these the running mean is the last gradient."""


def gradients(base: Path, course: Course, folder: Path, samples: list[Sample] = SAMPLES) -> dict[str, Any]:
    """What the trainer finds, by `path.down` and `path.up`."""
    taught = trainer("mlx", base, course)
    taught.set_adapter(random_adapter(base, course.lora.targets or ALL, course.lora.layers))
    taught.step(samples, 1e-3)
    folder.mkdir(exist_ok=True)
    taught.save(folder)
    return {
        name.removeprefix("mean."): array
        for name, array in load_file(folder / "state.safetensors").items()
        if name.startswith("mean.")
    }


def plainly(base: Path, course: Course, folder: Path, samples: list[Sample] = SAMPLES) -> dict[str, Any]:
    """The same by stock mlx-lm and its own LoRA layers, one whole text at a time."""
    import mlx.nn as nn
    from mlx.utils import tree_flatten
    from mlx_lm.utils import load_adapters, load_model

    lora = course.lora
    adapter = random_adapter(base, lora.targets or ALL, lora.layers)
    write_adapter(folder, adapter, alpha=lora.alpha, dropout=0.0, base=str(base))
    model, _ = load_model(base)
    model.freeze()
    model = load_adapters(model, str(folder))

    def loss(model: Any) -> Any:
        found = mx.array(0.0)
        for sample in samples:
            logits = model(mx.array([[*PROMPT.prefix, *sample.suffix]]))[0, -1]
            answer = PROMPT.labels[sample.answer]
            if course.loss == "labels":
                logits, answer = logits[mx.array(PROMPT.labels)], sample.answer
            found = found + sample.weight * nn.losses.cross_entropy(logits, mx.array(answer))
        return found / sum(sample.weight for sample in samples)

    _, found = nn.value_and_grad(model, loss)(model)
    named = dict(tree_flatten(found))
    return {
        **{f"{path}.down": np.array(named[f"{path}.lora_a"]).T for path in adapter},
        **{f"{path}.up": np.array(named[f"{path}.lora_b"]).T for path in adapter},
    }


def assert_same_gradients(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert np.abs(gradient).max() > 1e-5
        np.testing.assert_allclose(found[name], gradient, atol=2e-5 * np.abs(gradient).max(), rtol=1e-3, err_msg=name)


@pytest.mark.parametrize("loss", ["vocabulary", "labels"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"pass_tokens": 150}, {"checkpointing": True}, {"checkpointing": True, "pass_tokens": 1}],
    ids=["one pass", "passes", "recomputed", "recomputed, a text a pass"],
)
def test_gradients_are_those_of_the_plain_way(changes: dict[str, Any], loss: Any, tmp_path: Path, llama: Path) -> None:
    course = replace(GRADIENT, loss=loss, **changes)
    assert_same_gradients(gradients(llama, course, tmp_path), plainly(llama, course, tmp_path))


@pytest.mark.parametrize("family", ["qwen3", "mistral"])
def test_gradients_of_other_families_with_a_head_of_their_own(family: Any, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", family=family, tie_word_embeddings=False)
    lora = Lora(4, 8.0, 0.0, ("q_proj", "up_proj"), layers=2)
    course = replace(GRADIENT, lora=lora, checkpointing=True)
    assert_same_gradients(gradients(base, course, tmp_path), plainly(base, course, tmp_path))


def test_a_quantised_base_stays_so_and_learns(tmp_path: Path, llama: Path) -> None:
    base = quantised(llama, tmp_path / "quantised", bits=4)
    course = replace(GRADIENT, lora=replace(COURSE.lora, targets=("q_proj", "down_proj")))
    fresh = random_adapter(llama, course.lora.targets)
    taught = trainer("mlx", base, course)
    assert taught.loaded.weight_bytes < (llama / "model.safetensors").stat().st_size / 4
    taught.set_adapter(fresh)
    losses = [taught.step(SAMPLES, 1e-3).loss for _ in range(8)]
    assert losses[-1] < losses[0] * 0.9
    write_adapter(tmp_path / "adapter", taught.adapter(), alpha=course.lora.alpha, dropout=0.0, base=str(base))
    # A batch of another shape rounds otherwise, so not to the last bit.
    np.testing.assert_allclose(taught.score(TEXTS), by_mlx_lm(base, tmp_path / "adapter"), atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="on the CPU MLX compiles with g++")
def test_compiled_passes_find_the_same(tmp_path: Path) -> None:
    """As on Metal; here each fused operation goes through a C++ compiler."""
    base = write_model(tmp_path / "base", num_hidden_layers=1)
    lora = Lora(4, 8.0, 0.2, ("q_proj",))
    course = replace(GRADIENT, lora=lora)
    expected = gradients(base, course, tmp_path / "plain")
    taught = trainer("mlx", base, course)
    taught.set_adapter(random_adapter(base, lora.targets))
    mx.enable_compile()
    try:
        taught.step(SAMPLES, 1e-3)
    finally:
        mx.disable_compile()
    (tmp_path / "compiled").mkdir()
    taught.save(tmp_path / "compiled")
    found = load_file(tmp_path / "compiled" / "state.safetensors")
    assert_same_gradients({name: found[f"mean.{name}"] for name in expected}, expected)


def test_widths_of_metal_change_nothing(tmp_path: Path, llama: Path) -> None:
    expected = gradients(llama, GRADIENT, tmp_path / "exact")
    taught: Any = trainer("mlx", llama, GRADIENT)
    taught._multiple = 32
    taught.set_adapter(random_adapter(llama, ALL))
    taught.step(SAMPLES, 1e-3)
    (tmp_path / "wide").mkdir()
    taught.save(tmp_path / "wide")
    found = load_file(tmp_path / "wide" / "state.safetensors")
    assert_same_gradients({name: found[f"mean.{name}"] for name in expected}, expected)


def test_a_base_in_bf16_points_the_same_way(tmp_path: Path, llama: Path) -> None:
    exact = gradients(llama, GRADIENT, tmp_path / "fp32")
    found = gradients(llama, replace(GRADIENT, precision="bf16"), tmp_path / "bf16")
    one, other = (np.concatenate([each[name].ravel() for name in sorted(exact)]) for each in (exact, found))
    assert one.dtype == other.dtype == np.float32
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.98
    assert not np.array_equal(one, other)


def test_four_bits_are_what_nf4_asks_for(tmp_path: Path, llama: Path) -> None:
    from xlt.backends.mlx import BACKEND

    files = ModelFiles("tiny", "mlx", quantised(llama, tmp_path / "quantised", bits=4))
    assert BACKEND.trainer(files, replace(COURSE, precision="nf4"), device="cpu").loaded.precision == "fp32"


def test_dropout_drops_and_keeps_the_mean() -> None:
    from xlt.backends.mlx.lora import Masks

    masks = Masks(0.25)
    assert masks.drop(mx.ones((4,))).tolist() == [1, 1, 1, 1]
    masks.key = mx.random.key(3)
    first, second = (np.array(masks.drop(mx.ones((100, 100)))) for _ in range(2))
    assert set(np.unique(first)) == {0.0, np.float32(4 / 3)}
    assert abs((first == 0).mean() - 0.25) < 0.02
    assert abs((first == second).mean() - (0.25**2 + 0.75**2)) < 0.02


@pytest.mark.parametrize("checkpointing", [False, True])
def test_dropout_changes_what_is_learnt_and_recomputing_draws_the_same(
    checkpointing: bool, tmp_path: Path, llama: Path
) -> None:
    """What is forgotten and computed again must meet the masks that the loss was computed with."""
    course = replace(GRADIENT, lora=replace(COURSE.lora, dropout=0.3))
    kept = gradients(llama, course, tmp_path / "kept")
    plain = plainly(llama, course, tmp_path / "plain")
    assert any(np.abs(kept[name] - plain[name]).max() > 0.1 * np.abs(plain[name]).max() for name in kept)
    assert_gradient_of_own_loss(replace(course, checkpointing=checkpointing), llama)


def assert_gradient_of_own_loss(course: Course, base: Path) -> None:
    """The gradient predicts how the loss changes along it; with other masks in the backward pass it would not."""
    adapter = random_adapter(base, ALL)

    def stepped(rate: float) -> Any:
        taught: Any = trainer("mlx", base, course)
        taught.set_adapter(adapter)
        step = taught.step(SAMPLES, 0.0)
        slopes = {name: np.array(array) for name, array in taught._mean.items()}
        scale = rate / step.norm
        moved = {
            path: type(pair)(pair.down + scale * slopes[f"{path}.down"], pair.up + scale * slopes[f"{path}.up"])
            for path, pair in adapter.items()
        }
        again: Any = trainer("mlx", base, course)
        again.set_adapter(moved)
        return again.step(SAMPLES, 0.0).loss, step.norm

    (above, norm), (below, _) = stepped(0.01), stepped(-0.01)
    assert (above - below) / 0.02 == pytest.approx(norm, rel=0.02)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_an_interrupted_run_ends_in_the_same_bits(checkpointing: bool, tmp_path: Path, llama: Path) -> None:
    course = replace(
        COURSE, lora=replace(COURSE.lora, dropout=0.3), pass_tokens=300, checkpointing=checkpointing, weight_decay=0.1
    )

    def fresh() -> Any:
        taught = trainer("mlx", llama, course)
        taught.set_adapter(random_adapter(llama, ALL))
        return taught

    through, first, second = fresh(), fresh(), fresh()
    for _ in range(6):
        through.step(SAMPLES, 1e-3)
    for _ in range(3):
        first.step(SAMPLES, 1e-3)
    first.score(TEXTS)
    first.save(tmp_path)
    mx.random.seed(99)
    second.step(SAMPLES[:2], 0.5)
    second.restore(tmp_path)
    assert np.array_equal(second.score(TEXTS), first.score(TEXTS))
    for _ in range(3):
        second.step(SAMPLES, 1e-3)
    assert states(second) == states(through)
    assert states(first) != states(through)
    assert np.array_equal(second.score(TEXTS), through.score(TEXTS))


def test_scoring_between_steps_changes_nothing(llama: Path) -> None:
    course = replace(COURSE, lora=replace(COURSE.lora, dropout=0.3))
    ends = []
    for scores in (False, True):
        taught = trainer("mlx", llama, course)
        for _ in range(3):
            taught.step(SAMPLES, 1e-2)
            if scores:
                taught.score(TEXTS)
        ends.append(states(taught))
    assert ends[0] == ends[1]


def test_scores_are_those_of_the_adapter_folder(tmp_path: Path, llama: Path) -> None:
    taught = trainer("mlx", llama, COURSE)
    np.testing.assert_allclose(taught.score(TEXTS), score(load("mlx", llama)), atol=1e-5, rtol=1e-5)
    taught.set_adapter(random_adapter(llama, ALL))
    taught.step(SAMPLES, 1e-2)
    write_adapter(tmp_path / "a", taught.adapter(), alpha=COURSE.lora.alpha, dropout=0.0, base=str(llama))
    np.testing.assert_allclose(taught.score(TEXTS), score(load("mlx", llama, tmp_path / "a")), atol=1e-4, rtol=0)


def test_a_step_that_is_no_number_is_not_taken(llama: Path) -> None:
    taught = trainer("mlx", llama, COURSE)
    adapter = random_adapter(llama, ALL)
    path = next(iter(adapter))
    taught.set_adapter({**adapter, path: replace(adapter[path], up=adapter[path].up * np.float32(np.nan))})
    before = states(taught)
    with pytest.raises(NotFiniteError, match="no step was taken"):
        taught.step(SAMPLES, 1e-3)
    assert states(taught) == before


def test_a_prompt_without_prefix_and_another_prompt_later(llama: Path) -> None:
    taught = trainer("mlx", llama, replace(COURSE, checkpointing=True))
    taught.prepare(Prompt((), (5, 6)))
    first = taught.step([Sample((1, 2, 3), 0), Sample((7, 8), 1)], 1e-3)
    taught.prepare(PROMPT)
    assert first.tokens == 5
    assert taught.step(SAMPLES, 1e-3).tokens == sum(map(len, TEXTS))
    assert taught.score(TEXTS).shape == (len(TEXTS), 4)


def test_no_pass_holds_more_than_it_may(llama: Path) -> None:
    taught: Any = trainer("mlx", llama, replace(COURSE, pass_tokens=200))
    passes = taught._passes(SAMPLES)
    assert sorted(id(sample) for part in passes for sample in part) == sorted(map(id, SAMPLES))
    held = [len(PROMPT.prefix) + len(part) * max(len(sample.suffix) for sample in part) for part in passes]
    assert all(tokens <= 200 or len(part) == 1 for tokens, part in zip(held, passes, strict=True))
    assert 1 < len(passes) < len(SAMPLES)


def spoil(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-9])


@pytest.mark.parametrize("damage", [spoil, Path.unlink, lambda path: path.write_bytes(b"{}")])
def test_a_damaged_checkpoint_is_refused_and_changes_nothing(
    damage: Callable[[Path], Any], tmp_path: Path, llama: Path
) -> None:
    taught = trainer("mlx", llama, COURSE)
    taught.save(tmp_path)
    damage(tmp_path / "state.safetensors")
    before = states(taught)
    with pytest.raises(XltError, match="is not whole or of another recipe"):
        taught.restore(tmp_path)
    assert states(taught) == before


def test_a_checkpoint_of_another_rank_is_refused(tmp_path: Path, llama: Path) -> None:
    trainer("mlx", llama, replace(COURSE, lora=replace(COURSE.lora, rank=2))).save(tmp_path)
    with pytest.raises(XltError, match="is not whole or of another recipe"):
        trainer("mlx", llama, COURSE).restore(tmp_path)


def test_what_cannot_be_tuned_is_refused(tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xlt.backends.mlx import BACKEND

    def refused(files: ModelFiles, course: Course, error: type[Exception], said: str) -> None:
        with pytest.raises(error, match=said):
            BACKEND.trainer(files, course, device="cpu")

    base = ModelFiles("tiny", "hf", llama)
    refused(ModelFiles("tiny", "hf", llama, tmp_path), COURSE, XltError, "is an adapter: merge it first")
    refused(ModelFiles("tiny", "gguf", tmp_path / "a.gguf"), COURSE, XltError, "GGUF file")
    refused(base, replace(COURSE, precision="fp16"), UsageError, "fp16 gradients underflow")
    refused(base, replace(COURSE, precision="nf4"), UsageError, "xlt quantise tiny --to mlx.*or --set precision=bf16")
    refused(base, replace(COURSE, lora=Lora(4, 8, 0, ("qkv_proj",))), UsageError, "no linear layers called 'qkv_proj'")
    refused(base, replace(COURSE, lora=Lora(4, 8, 0, (), layers=4)), UsageError, "has 3 layers")
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(base, COURSE, UsageError, "one process: start it without torchrun")


def test_what_does_not_fit_is_refused(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = trainer("mlx", llama, COURSE)
    adapter = random_adapter(llama, ALL)
    with pytest.raises(XltError, match="does not fit this model and recipe"):
        taught.set_adapter(random_adapter(llama, ("q_proj",)))
    with pytest.raises(XltError, match="should have"):
        taught.set_adapter({path: replace(pair, up=pair.up[:1]) for path, pair in adapter.items()})
    with pytest.raises(XltError, match="longer than the 2048"):
        taught.step([Sample((1,) * 2000, 0)], 1e-3)
    with pytest.raises(XltError, match="Token 512 is not among the 512"):
        taught.step([Sample((512,), 0)], 1e-3)
    monkeypatch.setattr("xlt.backends.mlx.score.free_memory", lambda: 0)
    monkeypatch.setattr("xlt.backends.mlx.score._CHECKED_FROM", 0)
    mx.clear_cache()
    with pytest.raises(XltError, match=r"pass of 4096 tokens: lower it with --set pass_tokens=2048, or --set check"):
        taught.step(SAMPLES, 1e-3)
    with pytest.raises(XltError, match=r"lower --set pass_tokens"):
        taught.score(TEXTS)
