"""The three steps that make xlt-mini: language, words, task.

language: next-token prediction on tweets, makes the base. words: the embeddings learn what each word speaks for,
through the first layer's values alone, which is cheap. task: the whole network under the stock prompt, taught by
labels and by the n-gram teacher's soft labels.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from xlt.tasks.render import Renderer
from xlt_mini.network import Network
from xlt_mini.noise import snippet, vary
from xlt_mini.rows import Row, source_weights
from xlt_mini.teacher import Teachers
from xlt_mini.tokens import Unmerge

Say = Callable[[str], None]
TAIL = 5
"""Tokens at the end of a suffix that noise leaves alone: the label line."""
LONGEST = 112
"""Tokens of a training example's suffix; few tweets are longer, and those are cut in training only."""


@dataclass(frozen=True)
class Recipe:
    """How long and how hard each step works."""

    seed: int = 0
    batch: int = 64
    language_epochs: int = 3
    language_rate: float = 3e-3
    language_share: float = 0.5
    """Share of positions whose next token is scored: the head costs as much as the body."""
    words_epochs: int = 10
    words_rate: float = 2e-3
    task_epochs: int = 2
    task_rate: float = 1e-3
    soft: float = 0.5
    """Weight of the teacher's probabilities against the label's."""
    smooth: float = 0.05
    snippets: float = 1.0
    """Scraps of tweets, labelled by the teacher alone, per tweet."""
    unmerge: float = 0.2
    drop: float = 0.1
    silence: float = 0.1
    decay: float = 0.05
    unrelated: float = 0.5
    """Share of the unrelated in what the network is made to expect; the other labels share the rest alike."""
    also: float = 0.7
    """Weight of further files against our own tweets."""
    threads: int = 1


class Course:
    """One network on its way through the steps."""

    def __init__(self, network: Network, renderer: Renderer, unmerge: Unmerge, recipe: Recipe, say: Say) -> None:
        self.network, self.renderer, self.unmerge, self.recipe, self.say = network, renderer, unmerge, recipe, say
        self.rng = random.Random(recipe.seed)
        self.prefix = torch.tensor(renderer.prefix)
        self.labels = torch.tensor(renderer.labels)

    def language(self, texts: Sequence[str], encode: Callable[[Sequence[str]], list[list[int]]]) -> None:
        """Next-token prediction; `encode` gives ids with BOS and EOT."""
        recipe, rng, network = self.recipe, self.rng, self.network
        optimizer = self._optimizer(recipe.language_rate)
        steps = _Steps(optimizer, recipe.language_epochs * math.ceil(len(texts) / recipe.batch))
        started = time.monotonic()
        for epoch in range(recipe.language_epochs):
            varied = encode([vary(text, rng) if rng.random() < 0.3 else text for text in texts])
            rows = [self._split(ids, 0.1)[:LONGEST] for ids in varied]
            total = count = 0.0
            for at in self._batches(rows):
                ids, ends = _pad([rows[i] for i in at])
                scored = torch.arange(ids.shape[1] - 1)[None] < ends[:, None]
                scored &= torch.rand(scored.shape) < recipe.language_share
                with torch.autocast("cpu", torch.bfloat16):
                    logits = network(ids[:, :-1], recipe.drop)[scored] @ network.embed.table().T
                loss = F.cross_entropy(logits.float(), ids[:, 1:][scored])
                steps.take(loss, network)
                total, count = total + loss.item(), count + 1
            self.say(f"  language, epoch {epoch + 1}: loss {total / count:.3f}, {time.monotonic() - started:.0f} s")

    def words(self, rows: Sequence[Row], targets: Tensor, teachers: Teachers | None) -> None:
        """What each word speaks for, while attention is still an average over all tokens."""
        recipe, rng, network = self.recipe, self.rng, self.network
        network.begin_tuning()
        extra = int(len(rows) * recipe.snippets) if teachers else 0
        count = len(rows) + extra
        steps = _Steps(self._optimizer(recipe.words_rate), recipe.words_epochs * math.ceil(count / recipe.batch))
        started, total = time.monotonic(), 0.0
        for _ in range(recipe.words_epochs):
            suffixes, goals, weights = self._lesson(rows, targets, teachers, extra)
            order = list(range(len(suffixes)))
            rng.shuffle(order)
            total = 0.0
            for start in range(0, len(order), recipe.batch):
                at = order[start : start + recipe.batch]
                hidden = network.bags(self.prefix, [suffixes[i] for i in at], recipe.drop, recipe.silence)
                loss = _loss(network.label_logits(hidden, self.labels), goals[at], weights[at])
                steps.take(loss, network)
                total += loss.item() * len(at)
        self.say(
            f"  words: loss {total / count:.3f} after {recipe.words_epochs} epochs, {time.monotonic() - started:.0f} s"
        )

    def _lesson(
        self, rows: Sequence[Row], targets: Tensor, teachers: Teachers | None, extra: int
    ) -> tuple[list[list[int]], Tensor, Tensor]:
        """One epoch's noisy suffixes, targets and weights; `extra` scraps of tweets labelled by the teachers."""
        suffixes, goals, weights = self._noisy([row.text for row in rows]), targets, self._weights(rows)
        if teachers and extra:
            sources = [self.rng.choice(rows) for _ in range(extra)]
            scraps = [snippet(row.text, self.rng) for row in sources]
            suffixes += self._noisy(scraps)
            goals = torch.cat([goals, torch.tensor(teachers(scraps, sources), dtype=torch.float32)])
            weights = torch.cat([weights, torch.ones(extra)])
        return suffixes, goals, weights

    def task(self, rows: Sequence[Row], targets: Tensor, teachers: Teachers | None, watch: Callable[[], str]) -> None:
        """The whole network; weights are averaged over the last third of the way."""
        recipe, network = self.recipe, self.network
        extra = int(len(rows) * recipe.snippets) if teachers else 0
        optimizer = self._optimizer(recipe.task_rate)
        steps = _Steps(optimizer, recipe.task_epochs * math.ceil((len(rows) + extra) / recipe.batch))
        started = time.monotonic()
        average: dict[str, Tensor] = {}
        for epoch in range(recipe.task_epochs):
            suffixes, goals, weights = self._lesson(rows, targets, teachers, extra)
            total = count = 0.0
            for at in self._batches(suffixes):
                ids, ends = _pad([suffixes[i] for i in at])
                with torch.autocast("cpu", torch.bfloat16):
                    hidden = network.answers(self.prefix, ids, ends, recipe.drop, recipe.silence)
                    logits = network.label_logits(hidden, self.labels)
                loss = _loss(logits, goals[at], weights[at])
                steps.take(loss, network)
                total, count = total + loss.item(), count + 1
                if steps.done > 0.67:
                    for name, weight in network.state_dict().items():
                        average[name] = weight.clone() if name not in average else average[name].lerp(weight, 0.02)
            seen = watch() if epoch % 2 or epoch == recipe.task_epochs - 1 else ""
            self.say(f"  task, epoch {epoch + 1}: loss {total / count:.3f}, {time.monotonic() - started:.0f} s {seen}")
        if average:
            network.load_state_dict(average)

    def probabilities(self, texts: Sequence[str]) -> Tensor:
        """Label probabilities under the stock prompt, (texts, labels)."""
        network = self.network.eval()
        suffixes = self.renderer.encode(texts).suffixes
        out = torch.zeros(len(texts), len(self.labels))
        with torch.no_grad():
            for at in self._batches(suffixes, shuffle=False):
                ids, ends = _pad([suffixes[i] for i in at])
                out[at] = network.label_logits(network.answers(self.prefix, ids, ends), self.labels)
        network.train()
        return out.softmax(-1)

    def targets(self, rows: Sequence[Row], teachers: Teachers | None) -> Tensor:
        """Soft labels: the gold one, smoothed, mixed with a teacher that has not seen the row."""
        gold = F.one_hot(torch.tensor([row.label for row in rows]), len(self.labels)).float()
        gold = gold * (1 - self.recipe.smooth) + self.recipe.smooth / len(self.labels)
        if teachers is None:
            return gold
        soft = torch.tensor(teachers([row.text for row in rows], rows), dtype=torch.float32)
        return gold.lerp(soft, self.recipe.soft)

    def _weights(self, rows: Sequence[Row]) -> Tensor:
        """One weight per row, so that labels weigh what the recipe expects of unseen tweets."""
        labels = torch.tensor([row.label for row in rows])
        by_source = torch.tensor(source_weights(rows, self.recipe.also), dtype=torch.float32)
        own = torch.tensor([row.source == "own" for row in rows])
        others = (1 - self.recipe.unrelated) / (len(self.labels) - 1)
        share = torch.full((len(self.labels),), others)
        share[self.renderer.task.names.index("unrelated")] = self.recipe.unrelated
        weights = by_source.clone()
        for side in (own, ~own):
            count = torch.bincount(labels[side], minlength=len(self.labels)).clamp(min=1)
            weights[side] *= (share * int(side.sum()) / count)[labels[side]]
        return weights

    def _noisy(self, texts: Sequence[str]) -> list[list[int]]:
        varied = [vary(text, self.rng) if self.rng.random() < 0.7 else text for text in texts]
        return [
            self._split(ids[:-TAIL], self.recipe.unmerge)[: LONGEST - TAIL] + ids[-TAIL:]
            for ids in self.renderer.encode(varied).suffixes
        ]

    def _split(self, ids: list[int], rate: float) -> list[int]:
        return self.unmerge(ids, self.rng.choice((0.0, rate, 2 * rate)), self.rng)

    def _batches(self, rows: Sequence[Sequence[int]], shuffle: bool = True) -> Iterator[list[int]]:
        jitter = 8 if shuffle else 0
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]) + self.rng.random() * jitter)
        found = [order[i : i + self.recipe.batch] for i in range(0, len(order), self.recipe.batch)]
        if shuffle:
            self.rng.shuffle(found)
        yield from found

    def _optimizer(self, rate: float) -> torch.optim.Optimizer:
        matrices = [weight for weight in self.network.parameters() if weight.dim() > 1]
        vectors = [weight for weight in self.network.parameters() if weight.dim() == 1]
        groups = [{"params": matrices, "weight_decay": self.recipe.decay}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


class _Steps:
    """Takes optimiser steps: warm-up, then a cosine to a thirtieth of the rate."""

    def __init__(self, optimizer: torch.optim.Optimizer, total: int) -> None:
        self._optimizer, self._total, self._taken = optimizer, max(1, total), 0
        self._rates = [float(group["lr"]) for group in optimizer.param_groups]

    @property
    def done(self) -> float:
        """The part of the way that lies behind."""
        return self._taken / self._total

    def take(self, loss: Tensor, network: Network) -> None:
        """One step down the gradient of `loss`."""
        factor = min(1.0, (self._taken + 1) / 50) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * self.done)))
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        self._optimizer.step()
        self._taken += 1


def _loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return -((targets * F.log_softmax(logits, -1)).sum(-1) * weights).mean()


def _pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Right-padded ids and each row's last position."""
    ids = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return torch.from_numpy(ids), torch.tensor([len(row) - 1 for row in rows])
