"""Takes LoRA steps with torch: passes over a batch, gradients added up, AdamW, and a state that can be restored."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from xlt.backends.base import Loaded, Logits, Prompt
from xlt.backends.torch import lora
from xlt.backends.torch.devices import peak_memory
from xlt.backends.torch.ranks import Ranks
from xlt.backends.torch.scorer import memory_errors
from xlt.backends.torch.train_forward import TrainingForward
from xlt.backends.train_common import check_lengths, too_large
from xlt.backends.training import Adapter, Course, NotFiniteError, Pair, Sample, Step
from xlt.cards.adapter import write_tensors
from xlt.disk import write_json
from xlt.errors import XltError

STATE = "state.json"
PARTS = {"adapter": "adapter.safetensors", "mean": "adam_mean.safetensors", "square": "adam_square.safetensors"}
"""The updates, and AdamW's running means of the gradient and of its square."""


class TorchTrainer:
    """`xlt.backends.training.Trainer` over a `TrainingForward`."""

    def __init__(
        self,
        forward: TrainingForward,
        layers: dict[str, lora.LoraLinear],
        course: Course,
        loaded: Loaded,
        ranks: Ranks,
    ) -> None:
        self.loaded = loaded
        self.leads = ranks.own == 0
        self._forward: TrainingForward | None = forward
        self._layers, self._course, self._ranks = layers, course, ranks
        self._device = torch.device(loaded.device)
        self._named = {
            f"{path}.{part}": getattr(layer, part) for path, layer in layers.items() for part in ("down", "up")
        }
        self._weights = list(self._named.values())
        self.trainable = sum(weight.numel() for weight in self._weights)
        for weight in self._weights:
            weight.grad = torch.zeros_like(weight)
        self._adam = torch.optim.AdamW(
            self._weights, betas=course.betas, eps=course.epsilon, weight_decay=course.weight_decay, fused=True
        )
        self._steps = 0
        self._prompt: Prompt | None = None

    def prepare(self, prompt: Prompt) -> None:
        """Fix prefix and labels."""
        self._running().prepare(prompt.prefix, prompt.labels)
        self._prompt = prompt

    def step(self, batch: Sequence[Sample], rate: float) -> Step:
        """One AdamW step on the weighted mean loss; `batch` is the whole one under torchrun too."""
        if not batch:
            raise ValueError("a batch has no samples")
        self._fits([sample.suffix for sample in batch])
        # All that dropout draws hangs on this number, so it is all the random state that there is.
        torch.manual_seed(_draw(self._course.seed, self._steps, self._ranks.own))
        total = math.fsum(sample.weight for sample in batch)
        own = sorted(batch, key=lambda sample: len(sample.suffix))[self._ranks.own :: self._ranks.count]
        loss = torch.zeros(1, device=self._device)
        gradients = [_gradient(weight) for weight in self._weights]
        torch._foreach_zero_(gradients)
        for layer in self._layers.values():
            layer.train()
        try:
            with memory_errors(too_large(self._course)):
                for part in self._passes(own):
                    passed = self._loss(part) / total
                    passed.backward()  # type: ignore[no-untyped-call]
                    loss += passed.detach()
                self._ranks.add_up([*gradients, loss])
                norm = torch.nn.utils.get_total_norm(gradients)
        finally:
            for layer in self._layers.values():
                layer.eval()
        values = Step(float(loss), float(norm), sum(len(sample.suffix) for sample in batch))
        if not math.isfinite(values.loss) or not math.isfinite(values.norm):
            raise NotFiniteError(f"The loss is {values.loss} and its gradient's norm {values.norm}; no step was taken.")
        self._update(gradients, values.norm, rate)
        return values

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        """Logits (texts, labels) of the labels; under torchrun each process does a part, and all get the same."""
        if not suffixes:
            raise ValueError("there are no suffixes")
        self._fits(suffixes)
        own = range(self._ranks.own, len(suffixes), self._ranks.count)
        logits = torch.zeros(len(suffixes), len(self._prepared().labels), device=self._device)
        with torch.no_grad(), memory_errors(too_large(self._course)):
            if own:
                logits[list(own)] = self._running().logits([suffixes[at] for at in own], labels_only=True)
            self._ranks.add_up([logits])
        scores: Logits = logits.cpu().numpy()
        return scores

    def adapter(self) -> dict[str, Pair]:
        """A copy of the adapter."""
        return lora.read(self._layers)

    def set_adapter(self, adapter: Adapter) -> None:
        """Replace all updates; under torchrun by those of the leading process."""
        lora.write(self._layers, adapter)
        self._ranks.take_first(weight.detach() for weight in self._weights)

    def save(self, folder: Path) -> None:
        """Write updates and AdamW's means as safetensors, the number of steps as JSON."""
        for part, file in PARTS.items():
            write_tensors(folder / file, {name: tensor.cpu().numpy() for name, tensor in self._part(part).items()})
        write_json(folder / STATE, {"backend": "torch", "steps": self._steps})

    def restore(self, folder: Path) -> None:
        """Go back to a saved state."""
        broken = XltError(f"The checkpoint {folder} is not whole or of another recipe; remove it and run again.")
        try:
            steps = json.loads((folder / STATE).read_text(encoding="utf-8"))["steps"]
            saved = {part: load_file(folder / file) for part, file in PARTS.items()}
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            raise broken from None
        for tensors in saved.values():
            if {name: tensor.shape for name, tensor in tensors.items()} != {
                name: weight.shape for name, weight in self._named.items()
            }:
                raise broken
        self._steps = int(steps)
        for part, tensors in saved.items():
            for name, held in self._part(part).items():
                held.copy_(tensors[name])
        for weight in self._weights:
            self._adam.state[weight]["step"].fill_(self._steps)

    def peak_memory(self) -> int:
        """The most bytes held so far."""
        return peak_memory(self._device)

    def close(self) -> None:
        """Free the memory, and part from the other processes."""
        self._forward = None
        self._layers, self._named, self._weights = {}, {}, []
        self._adam.state.clear()
        self._adam.param_groups.clear()
        self._ranks.leave()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _passes(self, samples: Sequence[Sample]) -> list[list[Sample]]:
        """Samples in order of length, cut so that no pass holds more than the course allows."""
        passes: list[list[Sample]] = []
        lengths: list[int] = []
        for sample in samples:
            lengths.append(len(sample.suffix))
            if not passes or self._running().cost(lengths) > self._course.pass_tokens:
                passes.append([])
                lengths = [len(sample.suffix)]
            passes[-1].append(sample)
        return passes

    def _loss(self, samples: Sequence[Sample]) -> Tensor:
        """Weighted sum of the answers' cross-entropies."""
        labels_only = self._course.loss == "labels"
        logits = self._running().logits([sample.suffix for sample in samples], labels_only)
        labels = self._prepared().labels
        answers = [sample.answer if labels_only else labels[sample.answer] for sample in samples]
        losses = functional.cross_entropy(logits, torch.tensor(answers, device=self._device), reduction="none")
        weights = torch.tensor([sample.weight for sample in samples], device=self._device)
        return (losses * weights).sum()

    def _update(self, gradients: list[Tensor], norm: float, rate: float) -> None:
        limit = self._course.max_norm
        if limit and norm > limit:
            torch._foreach_mul_(gradients, limit / norm)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()
        self._steps += 1

    def _part(self, part: str) -> dict[str, Tensor]:
        """The updates or AdamW's means by name; means are zero before the first step."""
        if part == "adapter":
            return {name: weight.detach() for name, weight in self._named.items()}
        key = {"mean": "exp_avg", "square": "exp_avg_sq"}[part]
        found = {}
        for name, weight in self._named.items():
            state = self._adam.state[weight]
            if not state:
                state["step"] = torch.zeros((), device=weight.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
            found[name] = state[key]
        return found

    def _running(self) -> TrainingForward:
        if self._forward is None:
            raise RuntimeError("the trainer is closed")
        return self._forward

    def _prepared(self) -> Prompt:
        if self._prompt is None:
            raise RuntimeError("prepare() must come first")
        return self._prompt

    def _fits(self, suffixes: Sequence[Sequence[int]]) -> None:
        if not all(suffixes):
            raise ValueError("a suffix has no tokens")
        check_lengths(self._prepared(), suffixes, self.loaded)


def _draw(seed: int, step: int, rank: int) -> int:
    """A seed of its own for each step and process."""
    return int.from_bytes(hashlib.sha256(f"dropout {seed} {step} {rank}".encode()).digest()[:4], "big")


def _gradient(weight: Any) -> Tensor:
    assert weight.grad is not None
    gradient: Tensor = weight.grad
    return gradient
