"""Takes LoRA steps with MLX: passes over a batch, gradients added up, AdamW, and a state that can be restored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from xlt.backends.base import Logits, Prompt
from xlt.backends.mlx.lora import LoraLinear, Masks, Numbers, numbers, put_numbers
from xlt.backends.mlx.score import MlxScorer, lacks, memory_errors, padded
from xlt.backends.train_common import check_fit, check_lengths, too_large
from xlt.backends.training import Adapter, Course, NotFiniteError, Pair, Sample, Step
from xlt.cards.adapter import write_tensors
from xlt.errors import XltError

STATE = "state.safetensors"
# On Metal a pass is compiled for each shape that it meets, so that there should be few.
_WIDTH = 32


class MlxTrainer:
    """`xlt.backends.training.Trainer` over a scorer's model whose layers carry LoRA updates."""

    def __init__(self, scorer: MlxScorer, layers: dict[str, LoraLinear], masks: Masks, course: Course) -> None:
        self.loaded = scorer.loaded
        self.leads = True
        scorer.setting = "--set pass_tokens"
        self._scorer, self._layers, self._masks, self._course = scorer, layers, masks, course
        self._numbers = numbers(layers)
        self.trainable = sum(array.size for array in self._numbers.values())
        self._mean = {name: mx.zeros_like(array) for name, array in self._numbers.items()}
        self._square = dict(self._mean)
        self._steps = 0
        self._prompt: Prompt | None = None
        self._stale = True
        self._multiple = 1 if self.loaded.device == "cpu" else _WIDTH
        self._gradient: Any = None
        self._updated: Any = mx.compile(self._adamw)

    def prepare(self, prompt: Prompt) -> None:
        """Fix prefix and labels."""
        self._prompt = prompt
        self._scorer.prepare(prompt)
        self._stale = False
        # What is compiled keeps the labels' rows of the head.
        self._gradient = mx.compile(mx.value_and_grad(self._loss))

    def step(self, batch: Sequence[Sample], rate: float) -> Step:
        """One AdamW step on the weighted mean loss."""
        prompt = self._prepared()
        self._fits([sample.suffix for sample in batch])
        total = math.fsum(sample.weight for sample in batch)
        passes = self._passes(batch)
        # All that dropout draws hangs on seed and step: the step's number is all the random state that there is.
        keys = mx.random.split(mx.random.key((self._course.seed & 0xFFFFFFFF) << 32 | self._steps), len(passes))
        loss, gradients = 0.0, {name: mx.zeros_like(array) for name, array in self._numbers.items()}
        try:
            with memory_errors(XltError(too_large(self._course))):
                for part, key in zip(passes, keys, strict=True):
                    self._check_memory(part)
                    tokens, last = padded([sample.suffix for sample in part], self._multiple)
                    answers = mx.array([sample.answer for sample in part])
                    weights = mx.array([sample.weight / total for sample in part])
                    prefix = mx.array([prompt.prefix]) if prompt.prefix else None
                    passed, found = self._gradient(self._numbers, key, prefix, tokens, last, answers, weights)
                    gradients = {name: gradients[name] + found[name] for name in gradients}
                    mx.eval(passed, gradients)
                    loss += passed.item()
                norm = _norm(gradients)
        finally:
            # Tracing leaves placeholders behind.
            put_numbers(self._layers, self._numbers)
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise NotFiniteError(f"The loss is {loss} and its gradient's norm {norm}; no step was taken.")
        self._update(gradients, norm, rate)
        return Step(loss, norm, sum(len(sample.suffix) for sample in batch))

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        """Logits (texts, labels) of the labels."""
        prompt = self._prepared()
        self._fits(suffixes)
        if self._stale:
            # The prefix's keys and values change with the adapter.
            self._scorer.prepare(prompt)
            self._stale = False
        return self._scorer.score(suffixes)

    def adapter(self) -> dict[str, Pair]:
        """A copy of the adapter."""
        return {path: Pair(np.array(layer.down), np.array(layer.up)) for path, layer in self._layers.items()}

    def set_adapter(self, adapter: Adapter) -> None:
        """Replace all updates."""
        check_fit(adapter, {path: (layer.down.shape, layer.up.shape) for path, layer in self._layers.items()})
        for path, pair in adapter.items():
            for part, new in (("down", pair.down), ("up", pair.up)):
                self._numbers[f"{path}.{part}"] = mx.array(np.ascontiguousarray(new, np.float32))
        self._changed()

    def save(self, folder: Path) -> None:
        """Write updates, AdamW's means and the number of steps as one safetensors file."""
        tensors = {
            f"{part}.{name}": np.array(array) for part, held in self._state().items() for name, array in held.items()
        }
        write_tensors(folder / STATE, tensors, backend="mlx", steps=str(self._steps))

    def restore(self, folder: Path) -> None:
        """Go back to a saved state."""
        broken = XltError(f"The checkpoint {folder} is not whole or of another recipe; remove it and run again.")
        try:
            saved = load_file(folder / STATE)
            with safe_open(folder / STATE, "np") as file:
                steps = int(file.metadata()["steps"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            raise broken from None
        held = {f"{part}.{name}": array for part, held in self._state().items() for name, array in held.items()}
        if {name: array.shape for name, array in saved.items()} != {name: array.shape for name, array in held.items()}:
            raise broken
        self._steps = steps
        for part, arrays in self._state().items():
            arrays.update({name: mx.array(saved[f"{part}.{name}"]) for name in arrays})
        self._changed()

    def peak_memory(self) -> int:
        """The most bytes held so far."""
        return self._scorer.peak_memory()

    def close(self) -> None:
        """Free the memory. The trainer can't be used afterwards."""
        self._prompt = None
        self._layers, self._numbers, self._mean, self._square = {}, {}, {}, {}
        self._gradient = self._updated = None
        self._scorer.close()

    def _passes(self, batch: Sequence[Sample]) -> list[list[Sample]]:
        """The samples, longest first, cut so that no pass holds more than the course allows: a grid and the prefix."""
        room = self._course.pass_tokens - len(self._prepared().prefix)
        passes: list[list[Sample]] = []
        for sample in sorted(batch, key=lambda sample: -len(sample.suffix)):
            if not passes or (len(passes[-1]) + 1) * len(passes[-1][0].suffix) > room:
                passes.append([])
            passes[-1].append(sample)
        return passes

    def _loss(
        self,
        held: Numbers,
        key: mx.array,
        prefix: mx.array | None,
        tokens: mx.array,
        last: mx.array,
        answers: mx.array,
        weights: mx.array,
    ) -> mx.array:
        """Weighted sum of the answers' cross-entropies: (texts, tokens) behind the prefix (1, tokens)."""
        head, labels = self._scorer.head, self._prepared().labels
        put_numbers(self._layers, held)
        self._masks.key = key
        head.whole = self._course.loss == "vocabulary"
        try:
            before = None
            if prefix is not None:
                _, caches = self._scorer.forward(prefix, mx.array([0]), None)
                before = [cache.keys_and_values() for cache in caches]
            logits, _ = self._scorer.forward(tokens, last, before)
        finally:
            self._masks.key, head.whole = None, False
        ids = mx.array(labels)[answers] if self._course.loss == "vocabulary" else answers
        right = mx.take_along_axis(logits, ids[:, None], axis=1)[:, 0]
        return ((mx.logsumexp(logits, axis=1) - right) * weights).sum()

    def _update(self, gradients: Numbers, norm: float, rate: float) -> None:
        limit, (first, second) = self._course.max_norm, self._course.betas
        self._steps += 1
        factor = limit / norm if limit and norm > limit else 1.0
        stride = rate / (1 - first**self._steps)
        root = math.sqrt(1 - second**self._steps)
        # As arrays, since the compiled function would be compiled anew for every other number.
        scalars = [mx.array(each, mx.float32) for each in (factor, stride, root, 1 - rate * self._course.weight_decay)]
        for name, gradient in gradients.items():
            self._numbers[name], self._mean[name], self._square[name] = self._updated(
                self._numbers[name], gradient, self._mean[name], self._square[name], *scalars
            )
        mx.eval(self._state())
        self._changed()

    def _adamw(
        self,
        number: mx.array,
        gradient: mx.array,
        mean: mx.array,
        square: mx.array,
        factor: mx.array,
        stride: mx.array,
        root: mx.array,
        decay: mx.array,
    ) -> tuple[mx.array, mx.array, mx.array]:
        """Loshchilov and Hutter 2019, algorithm 2, with the corrections of both means, as torch computes it."""
        first, second = self._course.betas
        gradient = gradient * factor
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * mx.square(gradient)
        return number * decay - stride * mean / (mx.sqrt(square) / root + self._course.epsilon), mean, square

    def _state(self) -> dict[str, Numbers]:
        return {"adapter": self._numbers, "mean": self._mean, "square": self._square}

    def _changed(self) -> None:
        put_numbers(self._layers, self._numbers)
        self._stale = True

    def _check_memory(self, part: Sequence[Sample]) -> None:
        longest, prefix = len(part[0].suffix), len(self._prepared().prefix)
        shape, depth = self._scorer.shape, self._scorer.depth
        one = shape.numbers(len(part), longest, prefix) + shape.numbers(1, prefix, 0)
        # Measured, rounded up: what all layers keep, or what one takes twice beside the hidden states of all.
        tokens = len(part) * longest + prefix
        kept = 3 * one + 2 * depth * shape.width * tokens if self._course.checkpointing else one * depth * 5 // 4
        if lacks(kept, self.loaded):
            raise XltError(too_large(self._course))

    def _prepared(self) -> Prompt:
        if self._prompt is None:
            raise RuntimeError("prepare() must come first")
        return self._prompt

    def _fits(self, suffixes: Sequence[Sequence[int]]) -> None:
        if not suffixes or not all(suffixes):
            raise ValueError("there are no suffixes, or one has no tokens")
        self._scorer.check_ids(suffixes)
        check_lengths(self._prepared(), suffixes, self.loaded)


def _norm(gradients: Numbers) -> float:
    squares = [mx.square(gradient).sum() for gradient in gradients.values()]
    return math.sqrt(float(np.array(mx.stack(squares).sum())))
