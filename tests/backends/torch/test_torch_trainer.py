"""The trainer takes the steps that a plain loop over stock transformers and PEFT would take, and takes them again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from models import write_adapter, write_model
from torch_models import sliding_mistral, tiny_gemma, tiny_phi
from xlt.backends.base import Precision, Prompt
from xlt.backends.torch import TorchBackend
from xlt.backends.torch.trainer import TorchTrainer
from xlt.backends.training import Adapter, Course, Lora, Loss, NotFiniteError, Pair, Sample
from xlt.cards.files import ModelFiles
from xlt.errors import UsageError, XltError

RNG = np.random.default_rng(3)
PROMPT = Prompt((510, *map(int, RNG.integers(0, 510, 20))), (17, 18, 19, 20))
BATCH = [
    Sample(tuple(map(int, RNG.integers(0, 510, int(length)))), int(answer), float(weight))
    for length, answer, weight in zip(
        RNG.integers(1, 40, 9), RNG.integers(0, 4, 9), RNG.uniform(0.5, 2, 9), strict=True
    )
]
COURSE = Course(Lora(4, 8.0, 0.0, ("q_proj", "v_proj", "down_proj")), "fp32", "vocabulary", 1, 4096)
DROPPING = replace(COURSE, lora=replace(COURSE.lora, dropout=0.3))


def begin(folder: Path, course: Course = COURSE, seed: int = 5) -> TorchTrainer:
    """A trainer whose updates are random, so that every matrix has a gradient."""
    trainer = TorchBackend().trainer(ModelFiles("tiny", "hf", folder), course, device="cpu", threads=1)
    trainer.prepare(PROMPT)
    trainer.set_adapter(drawn(trainer.adapter(), seed))
    return trainer


def drawn(like: Adapter, seed: int) -> Adapter:
    rng = np.random.default_rng(seed)
    return {
        path: Pair(*(0.2 * rng.standard_normal(part.shape, np.float32) for part in (pair.down, pair.up)))
        for path, pair in like.items()
    }


def stock(folder: Path, adapter: Adapter, lora: Lora) -> Any:
    """The same model and adapter by transformers and PEFT."""
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=list(adapter), lora_dropout=0.0, task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config).eval()
    tensors = {}
    for path, pair in adapter.items():
        tensors[f"base_model.model.{path}.lora_A.weight"] = torch.from_numpy(pair.down)
        tensors[f"base_model.model.{path}.lora_B.weight"] = torch.from_numpy(pair.up)
    assert not set_peft_model_state_dict(model, tensors).unexpected_keys
    return model


def plain_loss(model: Any, batch: Sequence[Sample], loss: Loss) -> Any:
    """The weighted mean of the answers' cross-entropies, one whole text at a time."""
    total = torch.zeros(())
    for sample in batch:
        logits = model(torch.tensor([[*PROMPT.prefix, *sample.suffix]])).logits[0, -1]
        if loss == "labels":
            logits, wanted = logits[list(PROMPT.labels)], sample.answer
        else:
            wanted = PROMPT.labels[sample.answer]
        total = total + sample.weight * torch.nn.functional.cross_entropy(logits, torch.tensor(wanted))
    return total / sum(sample.weight for sample in batch)


def gradients(trainer: TorchTrainer, folder: Path) -> dict[str, Any]:
    """The gradient of the step before: a tenth of it is AdamW's mean after its first step."""
    trainer.save(folder)
    return {name: 10 * mean for name, mean in load_file(folder / "adam_mean.safetensors").items()}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("llama") / "model")


def qwen(folder: Path) -> Path:
    return write_model(folder, family="qwen3", head_dim=24)


def biased(folder: Path) -> Path:
    return write_model(folder, attention_bias=True, mlp_bias=True, tie_word_embeddings=False)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    ("make", "pass_tokens", "loss"),
    [
        (write_model, 4096, "vocabulary"),
        (write_model, 70, "labels"),
        (write_model, 1, "vocabulary"),
        (qwen, 100, "vocabulary"),
        (biased, 100, "labels"),
        (sliding_mistral, 100, "vocabulary"),
        (tiny_gemma, 200, "labels"),
        (tiny_gemma, 200, "vocabulary"),
    ],
)
def test_loss_and_gradients_equal_a_plain_computation(
    tmp_path: Path, make: Callable[[Path], Path], pass_tokens: int, loss: Loss, checkpointing: bool
) -> None:
    folder = make(tmp_path / "model")
    trainer = begin(folder, replace(COURSE, pass_tokens=pass_tokens, loss=loss, checkpointing=checkpointing))
    before = trainer.adapter()
    step = trainer.step(BATCH, 1e-3)
    model = stock(folder, before, COURSE.lora)
    expected = plain_loss(model, BATCH, loss)
    expected.backward()
    assert step.loss == pytest.approx(expected.item(), abs=1e-5)
    assert step.tokens == sum(len(sample.suffix) for sample in BATCH)
    found = gradients(trainer, tmp_path)
    squares = 0.0
    names = {"down": "lora_A", "up": "lora_B"}
    for name, gradient in found.items():
        path, _, part = name.rpartition(".")
        wanted = model.get_parameter(f"base_model.model.{path}.{names[part]}.default.weight").grad.numpy()
        assert np.abs(wanted).max() > 1e-5
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)
        squares += float((wanted**2).sum())
    assert len(found) == 2 * len(before)
    assert step.norm == pytest.approx(squares**0.5, rel=1e-4)


def test_another_architecture_trains_too(tmp_path: Path) -> None:
    folder = tiny_phi(tmp_path / "model")
    course = replace(COURSE, lora=replace(COURSE.lora, targets=("dense", "fc1")))
    trainer = begin(folder, course)
    expected = plain_loss(stock(folder, trainer.adapter(), course.lora), BATCH, "vocabulary")
    assert trainer.step(BATCH, 1e-3).loss == pytest.approx(expected.item(), abs=1e-5)


def test_steps_equal_those_of_adamw_with_clipping_and_decay(llama: Path) -> None:
    course = replace(COURSE, max_norm=0.05, weight_decay=0.1, betas=(0.8, 0.95), epsilon=1e-3)
    trainer = begin(llama, course)
    model = stock(llama, trainer.adapter(), COURSE.lora)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    adam = torch.optim.AdamW(weights, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)
    for rate in (1e-2, 5e-3, 2e-2):
        step = trainer.step(BATCH, rate)
        adam.zero_grad()
        plain_loss(model, BATCH, "vocabulary").backward()
        norm = torch.nn.utils.clip_grad_norm_(weights, 0.05)
        assert norm > 0.1
        assert step.norm == pytest.approx(float(norm), rel=1e-4)
        adam.param_groups[0]["lr"] = rate
        adam.step()
    for path, pair in trainer.adapter().items():
        for part, name in ((pair.down, "lora_A"), (pair.up, "lora_B")):
            wanted = model.get_parameter(f"base_model.model.{path}.{name}.default.weight").detach().numpy()
            np.testing.assert_allclose(part, wanted, atol=2e-5)


@pytest.mark.parametrize("make", [write_model, sliding_mistral])
def test_scores_equal_those_of_stock_peft(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path / "model")
    trainer = begin(folder, DROPPING)
    texts = [sample.suffix for sample in BATCH]
    model = stock(folder, trainer.adapter(), COURSE.lora)
    with torch.inference_mode():
        rows = [model(torch.tensor([[*PROMPT.prefix, *text]])).logits[0, -1, list(PROMPT.labels)] for text in texts]
    np.testing.assert_allclose(trainer.score(texts), torch.stack(rows).numpy(), atol=1e-4)


def test_a_fresh_adapter_changes_nothing_and_every_linear_module_has_one(llama: Path) -> None:
    course = replace(COURSE, lora=Lora(2, 4.0, 0.0, (), layers=2))
    trainer = TorchBackend().trainer(ModelFiles("tiny", "hf", llama), course, device="cpu")
    trainer.prepare(PROMPT)
    scorer = TorchBackend().load(ModelFiles("tiny", "hf", llama), device="cpu", precision="fp32")
    scorer.prepare(PROMPT)
    texts = [sample.suffix for sample in BATCH]
    np.testing.assert_allclose(trainer.score(texts), scorer.score(texts), atol=1e-4)
    adapter = trainer.adapter()
    assert {path.split(".")[2] for path in adapter} == {"1", "2"}
    assert len(adapter) == 14
    assert not any(pair.down.any() or pair.up.any() for pair in adapter.values())
    assert trainer.trainable == sum(pair.down.size + pair.up.size for pair in adapter.values())


def bits(trainer: TorchTrainer) -> bytes:
    return b"".join(pair.down.tobytes() + pair.up.tobytes() for pair in trainer.adapter().values())


def test_the_same_steps_give_the_same_bits(llama: Path) -> None:
    ends: list[bytes] = []
    for _ in range(2):
        torch.manual_seed(len(ends))  # what else draws random numbers in the process must not matter
        trainer = begin(llama, DROPPING)
        for _ in range(3):
            trainer.step(BATCH, 1e-2)
        ends.append(bits(trainer))
    assert ends[0] == ends[1]
    other = begin(llama, replace(DROPPING, seed=2))
    for _ in range(3):
        other.step(BATCH, 1e-2)
    assert bits(other) != ends[0]


@pytest.mark.parametrize("make", [write_model, sliding_mistral])
def test_recomputed_activations_drop_the_same(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path / "model")
    ends = set()
    for checkpointing in (False, True):
        trainer = begin(folder, replace(DROPPING, checkpointing=checkpointing))
        trainer.step(BATCH, 1e-2)
        ends.add(bits(trainer))
    assert len(ends) == 1


def test_a_restored_trainer_goes_on_exactly(llama: Path, tmp_path: Path) -> None:
    trainer = begin(llama, DROPPING)
    for _ in range(2):
        trainer.step(BATCH, 1e-2)
    trainer.save(tmp_path)
    at_saving = bits(trainer)
    for _ in range(3):
        trainer.step(BATCH[:5], 1e-2)
    other = begin(llama, DROPPING, seed=9)
    other.step(BATCH, 1.0)
    other.restore(tmp_path)
    assert bits(other) == at_saving
    for _ in range(3):
        other.score([BATCH[0].suffix])
        other.step(BATCH[:5], 1e-2)
    assert bits(other) == bits(trainer)


def test_a_state_saved_before_the_first_step_is_whole(llama: Path, tmp_path: Path) -> None:
    trainer = begin(llama, DROPPING)
    trainer.save(tmp_path)
    trainer.step(BATCH, 1e-2)
    other = begin(llama, DROPPING, seed=9)
    other.restore(tmp_path)
    other.step(BATCH, 1e-2)
    assert bits(other) == bits(trainer)


def test_a_checkpoint_that_does_not_fit_is_refused(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    begin(llama).save(tmp_path / "whole")
    wider = begin(llama, replace(COURSE, lora=replace(COURSE.lora, rank=6)))
    with pytest.raises(XltError, match="not whole or of another recipe"):
        wider.restore(tmp_path / "whole")
    for file in ("state.json", "adapter.safetensors", "adam_mean.safetensors"):
        broken = tmp_path / f"without {file}"
        shutil.copytree(tmp_path / "whole", broken)
        content = (broken / file).read_bytes()
        (broken / file).write_bytes(content[: len(content) // 2])
        with pytest.raises(XltError, match="not whole"):
            begin(llama).restore(broken)
        (broken / file).unlink()
        with pytest.raises(XltError, match="not whole"):
            begin(llama).restore(broken)


def test_an_adapter_of_another_shape_is_refused(llama: Path) -> None:
    trainer = begin(llama)
    adapter = trainer.adapter()
    path = next(iter(adapter))
    with pytest.raises(XltError, match=path):
        trainer.set_adapter({**adapter, path: Pair(adapter[path].down[:2], adapter[path].up)})
    with pytest.raises(XltError, match="elsewhere"):
        trainer.set_adapter({**adapter, "elsewhere": adapter[path]})


def test_a_loss_that_is_no_number_takes_no_step(llama: Path, tmp_path: Path) -> None:
    trainer = begin(llama)
    trainer.step(BATCH, 1e-3)
    good = trainer.adapter()
    path = "model.layers.0.self_attn.v_proj"
    huge = {**good, path: Pair(np.full_like(good[path].down, 1e30), np.full_like(good[path].up, 1e30))}
    trainer.set_adapter(huge)
    with pytest.raises(NotFiniteError, match="no step was taken"):
        trainer.step(BATCH, 1e-3)
    np.testing.assert_equal(trainer.adapter()[path].down, huge[path].down)
    trainer.set_adapter(good)
    after = trainer.step(BATCH, 1e-3)
    twin = begin(llama)
    twin.step(BATCH, 1e-3)
    assert twin.step(BATCH, 1e-3) == after
    assert bits(twin) == bits(trainer)


def cosine(one: dict[str, Any], other: dict[str, Any]) -> float:
    a, b = (np.concatenate([grads[name].ravel() for name in sorted(one)]) for grads in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def rounded(folder: Path) -> Path:
    """A model whose matrices are what NF4 keeps of random ones.

    bitsandbytes errs on the CPU where a row is no whole number of its blocks of 64.
    """
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    from safetensors.torch import load_file, save_file

    file = write_model(folder, intermediate_size=192) / "model.safetensors"
    weights = load_file(file)
    for name, weight in weights.items():
        if weight.dim() == 2 and ".layers." in name:
            packed, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=False)
            weights[name] = dequantize_4bit(packed, state).contiguous()
    save_file(weights, file, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("precision", ["bf16", "nf4"])
def test_lower_precision_points_the_same_way(tmp_path: Path, precision: Precision) -> None:
    llama = rounded(tmp_path / "model")
    exact = begin(llama)
    exact.step(BATCH, 1e-3)
    (tmp_path / "exact").mkdir()
    trainer = begin(llama, replace(COURSE, precision=precision))
    # Scoring must leave 4-bit matrices as they are: those packed for scoring carry no gradient.
    scores = trainer.score([sample.suffix for sample in BATCH])
    losses = [trainer.step(BATCH, 0.0).loss]
    assert cosine(gradients(trainer, tmp_path), gradients(exact, tmp_path / "exact")) > 0.98
    np.testing.assert_array_equal(trainer.score([sample.suffix for sample in BATCH]), scores)
    losses += [trainer.step(BATCH, 5e-3).loss for _ in range(8)]
    assert losses[-1] < losses[0] - 0.3
    assert all(pair.down.dtype == np.float32 for pair in trainer.adapter().values())


def test_a_pass_beyond_the_memory_names_the_setting(llama: Path) -> None:
    import resource

    trainer = begin(llama, replace(COURSE, pass_tokens=200_000))
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 200_000_000, before[1]))
    try:
        with pytest.raises(XltError, match=r"--set pass_tokens=100000, or --set checkpointing=true"):
            trainer.step([Sample((7,) * 1900, 0)] * 64, 1e-3)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert trainer.step(BATCH, 1e-3) == begin(llama).step(BATCH, 1e-3)


def test_bases_that_cannot_be_trained_are_refused(llama: Path, tmp_path: Path) -> None:
    backend = TorchBackend()
    adapter = write_adapter(tmp_path / "adapter", llama)
    with pytest.raises(XltError, match="merge it first"):
        backend.trainer(ModelFiles("tuned", "hf", llama, adapter), COURSE)
    with pytest.raises(XltError, match="GGUF"):
        backend.trainer(ModelFiles("small", "gguf", tmp_path / "small.gguf"), COURSE)
    with pytest.raises(UsageError, match="fp16"):
        backend.trainer(ModelFiles("tiny", "hf", llama), replace(COURSE, precision="fp16"))
    with pytest.raises(UsageError, match=r"'qproj'; it has down_proj, gate_proj"):
        backend.trainer(ModelFiles("tiny", "hf", llama), replace(COURSE, lora=Lora(4, 8, 0, ("qproj",))))
    with pytest.raises(UsageError, match="has 3 layers"):
        backend.trainer(ModelFiles("tiny", "hf", llama), replace(COURSE, lora=Lora(4, 8, 0, (), layers=4)))
    trainer = begin(llama)
    with pytest.raises(XltError, match="longer than the 2048"):
        trainer.step([Sample((7,) * 2100, 0)], 1e-3)


RANK = """
import json, sys
from pathlib import Path
from test_torch_trainer import BATCH, begin, bits
import torch.distributed as distributed
trainer = begin(Path(sys.argv[1]))
assert distributed.get_world_size() == 2
steps = [trainer.step(BATCH[:size], 1e-3) for size in (9, 4, 1)]
scores = trainer.score([sample.suffix for sample in BATCH[:3]])
told = json.dumps([trainer.leads, [[s.loss, s.norm, s.tokens] for s in steps], scores.tolist()])
sys.stdout.write(told + "\\n")
if trainer.leads:
    Path(sys.argv[2]).mkdir()
    trainer.save(Path(sys.argv[2]))
trainer.close()
"""


@pytest.mark.slow
def test_two_processes_of_torchrun_learn_what_one_does(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(RANK)
    here = Path(__file__).resolve()
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    environment = {**os.environ, "PYTHONPATH": f"{here.parent}:{here.parents[2]}", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*command, str(tmp_path / "rank.py"), str(llama), str(tmp_path / "saved")],
        env=environment, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert sorted(leads for leads, _, _ in told) == [False, True]
    assert told[0][1:] == told[1][1:]
    alone = begin(llama)
    for size, (loss, norm, tokens) in zip((9, 4, 1), told[0][1], strict=True):
        step = alone.step(BATCH[:size], 1e-3)
        assert (loss, norm, tokens) == pytest.approx((step.loss, step.norm, step.tokens), rel=1e-4)
    np.testing.assert_allclose(told[0][2], alone.score([sample.suffix for sample in BATCH[:3]]), atol=1e-4)
    saved = load_file(tmp_path / "saved" / "adapter.safetensors")
    for path, pair in alone.adapter().items():
        np.testing.assert_allclose(saved[f"{path}.down"], pair.down, atol=2e-5)
        np.testing.assert_allclose(saved[f"{path}.up"], pair.up, atol=2e-5)
