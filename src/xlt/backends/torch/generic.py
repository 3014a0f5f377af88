"""Scores with transformers' own forward pass, for architectures that `llama.py` does not know."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class LabelRows(nn.Module):
    """The head with the labels' rows alone, in float32. What a model does to its logits afterwards still happens."""

    def __init__(self, head: Any, labels: Tensor) -> None:
        super().__init__()
        self.weight = head.weight.detach()[labels].float()
        bias = getattr(head, "bias", None)
        self.bias = None if bias is None else bias.detach()[labels].float()

    def forward(self, hidden: Tensor) -> Tensor:
        """From (..., hidden) to (..., labels)."""
        return nn.functional.linear(hidden.float(), self.weight, self.bias)


class GenericForward:
    """The forward pass through transformers, the prefix's cache repeated for each text of a batch."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.get_input_embeddings().weight.device
        self.head = model.get_output_embeddings()
        self.prefix: list[int] = []
        self.cache: Any = None

    def prepare(self, prefix: Sequence[int], labels: Sequence[int]) -> None:
        """Compute the prefix's cache and put the labels' rows in the place of the head."""
        self.model.set_output_embeddings(LabelRows(self.head, torch.tensor(labels, device=self.device)))
        self.prefix = list(prefix)
        tokens = torch.tensor([self.prefix], device=self.device)
        cache = self.model(input_ids=tokens, use_cache=True).past_key_values
        # State-space layers keep a state that cannot be repeated for a batch: such models run the prefix each time.
        layers = getattr(cache, "layers", [])
        self.cache = cache if layers and all(hasattr(layer, "keys") for layer in layers) else None

    def logits(self, suffixes: Sequence[Sequence[int]]) -> Tensor:
        """(texts, labels) float32 after the last token of each suffix."""
        before = [] if self.cache is not None else self.prefix
        texts = [[*before, *suffix] for suffix in suffixes]
        longest = max(map(len, texts))
        tokens = torch.tensor([text + [0] * (longest - len(text)) for text in texts], device=self.device)
        last = torch.tensor([len(text) - 1 for text in texts], device=self.device)
        start = 0
        cache = None
        if self.cache is not None:
            start = len(self.prefix)
            cache = copy.deepcopy(self.cache)
            cache.batch_repeat_interleave(len(texts))
        positions = torch.arange(start, start + longest, device=self.device).expand(len(texts), longest)
        # Right padding after causal attention needs no mask; an all-ones mask says so.
        mask = torch.ones(len(texts), start + longest, dtype=torch.long, device=self.device)
        output = self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        rows: Tensor = output.logits[torch.arange(len(texts), device=self.device), last]
        return rows.float()
