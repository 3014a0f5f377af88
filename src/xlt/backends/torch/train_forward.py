"""Forward passes for training: many texts behind one shared prefix, the head at the answers only.

Every text of a pass continues the same instruction. A Llama-shaped model therefore runs one sequence, the prefix and
then the texts one after the other, none of them padded and the prefix once; gradients flow through it from all texts.
Other architectures run right-padded texts through transformers' own forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from xlt.backends.torch.attention import attend
from xlt.backends.torch.llama import Packed

Rope = tuple[Tensor, Tensor]


class TrainingForward(Protocol):
    """From suffixes to logits for the token after each."""

    def prepare(self, prefix: Sequence[int], labels: Sequence[int]) -> None:
        """Fix what all texts share."""

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens that a pass over suffixes of these lengths holds."""

    def logits(self, suffixes: Sequence[Sequence[int]], labels_only: bool) -> Tensor:
        """(texts, labels) or (texts, vocabulary), float32, with gradients where they are enabled."""


class PackedForward:
    """A Llama-shaped transformers model, its own modules called on packed tokens."""

    def __init__(self, model: Any, checkpointing: bool) -> None:
        self.body = model.model
        self.head = model.get_output_embeddings().weight
        self.device = self.head.device
        self.checkpointing = checkpointing
        self.prefix = self.head.new_zeros(0, dtype=torch.long)
        self.labels = self.prefix

    def prepare(self, prefix: Sequence[int], labels: Sequence[int]) -> None:
        """Fix what all texts share."""
        self.prefix = torch.tensor(prefix, device=self.device)
        self.labels = torch.tensor(labels, device=self.device)

    def cost(self, lengths: Sequence[int]) -> int:
        """The prefix once and every text as long as it is."""
        return len(self.prefix) + sum(lengths)

    def logits(self, suffixes: Sequence[Sequence[int]], labels_only: bool) -> Tensor:
        """(texts, labels or vocabulary) float32."""
        hidden = self.hidden(suffixes)
        if labels_only:
            return functional.linear(hidden.float(), self.head[self.labels].float())
        return functional.linear(hidden, self.head).float()

    def hidden(self, suffixes: Sequence[Sequence[int]]) -> Tensor:
        """(texts, hidden) after the last token of each suffix, normed."""
        start = len(self.prefix)
        batch = Packed.of(suffixes, start, self.device)
        x: Tensor = self.body.embed_tokens(torch.cat((self.prefix, batch.tokens)))
        positions = torch.cat((torch.arange(start, device=self.device), batch.positions))
        cosines, sines = self.body.rotary_emb(x, positions[None])
        rope = (cosines[0][:, None], sines[0][:, None])
        *first, last = self.body.layers
        for layer in first:
            x = self._run(partial(self._layer, layer, batch, rope, None), x)
        x = self._run(partial(self._layer, last, batch, rope, batch.last + start), x)
        return _norm(self.body.norm, x)

    def _run(self, function: Any, x: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            again: Tensor = checkpoint(function, x, use_reentrant=False)
            return again
        done: Tensor = function(x)
        return done

    def _layer(self, layer: Any, batch: Packed, rope: Rope, keep: Tensor | None, x: Tensor) -> Tensor:
        """From (prefix + tokens, hidden) to the same, or to the rows `keep` alone, which is enough at the end."""
        attended = self._attention(layer.self_attn, batch, rope, _norm(layer.input_layernorm, x))
        if keep is not None:
            x, attended = x[keep], attended[keep]
        x = x + layer.self_attn.o_proj(attended)
        mlp, inner = layer.mlp, _norm(layer.post_attention_layernorm, x)
        out: Tensor = x + mlp.down_proj(functional.silu(mlp.gate_proj(inner)) * mlp.up_proj(inner))
        return out

    def _attention(self, module: Any, batch: Packed, rope: Rope, x: Tensor) -> Tensor:
        """Every token attends to the prefix and to the earlier tokens of its own text."""
        start, size = len(self.prefix), module.head_dim
        queries, keys, values = (
            proj(x).unflatten(-1, (-1, size)) for proj in (module.q_proj, module.k_proj, module.v_proj)
        )
        if hasattr(module, "q_norm"):
            queries, keys = _norm(module.q_norm, queries), _norm(module.k_norm, keys)
        queries, keys = _rotate(queries, rope), _rotate(keys, rope)
        before = [part[None, :start] for part in (queries, keys, values)]
        shared = attend(before[0], before[1], before[2], None, module.scaling)[0]
        prefix = (keys[:start].transpose(0, 1), values[:start].transpose(0, 1))
        own = [batch.pad(part[start:]) for part in (queries, keys, values)]
        return torch.cat((shared, batch.unpad(attend(own[0], own[1], own[2], prefix, module.scaling))))


class PaddedForward:
    """Any causal transformers model: every text with the prefix before it, right-padded."""

    def __init__(self, model: Any, checkpointing: bool) -> None:
        self.model = model
        self.head = AnswerHead(model.get_output_embeddings())
        model.set_output_embeddings(self.head)
        self.device = model.get_input_embeddings().weight.device
        self.prefix: list[int] = []
        self.labels: Tensor | None = None
        if checkpointing:
            from transformers.modeling_layers import GradientCheckpointingLayer

            model.activation_checkpointing_enable({"use_reentrant": False})
            for module in model.modules():
                if isinstance(module, GradientCheckpointingLayer):
                    # It recomputes in training mode only. What it holds stays as it is, so no dropout awakes.
                    module.training = True

    def prepare(self, prefix: Sequence[int], labels: Sequence[int]) -> None:
        """Fix what all texts share."""
        self.prefix = list(prefix)
        self.labels = torch.tensor(labels, device=self.device)

    def cost(self, lengths: Sequence[int]) -> int:
        """A grid as wide as the longest text behind the prefix."""
        return len(lengths) * (len(self.prefix) + max(lengths))

    def logits(self, suffixes: Sequence[Sequence[int]], labels_only: bool) -> Tensor:
        """(texts, labels or vocabulary) float32."""
        texts = [[*self.prefix, *suffix] for suffix in suffixes]
        longest = max(map(len, texts))
        tokens = torch.tensor([text + [0] * (longest - len(text)) for text in texts], device=self.device)
        self.head.last = torch.tensor([len(text) - 1 for text in texts], device=self.device)
        self.head.rows = self.labels if labels_only else None
        # Right padding after causal attention needs no mask; an all-ones mask says so.
        output = self.model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False)
        logits: Tensor = output.logits.float()
        return logits


class AnswerHead(nn.Module):
    """A head that sees the last token of each text alone. What a model does to its logits afterwards still happens."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.weight, self.bias = head.weight, getattr(head, "bias", None)
        self.last: Tensor | None = None
        self.rows: Tensor | None = None

    def forward(self, hidden: Tensor) -> Tensor:
        """From (texts, tokens, hidden) to (texts, labels or vocabulary)."""
        assert self.last is not None
        chosen = hidden[torch.arange(len(hidden), device=hidden.device), self.last]
        if self.rows is None:
            return functional.linear(chosen, self.weight, self.bias)
        bias = None if self.bias is None else self.bias[self.rows].float()
        return functional.linear(chosen.float(), self.weight[self.rows].float(), bias)


def _norm(module: Any, x: Tensor) -> Tensor:
    """RMS norm in one operation; transformers' own keeps four fp32 copies for the backward pass."""
    return functional.rms_norm(x, module.weight.shape, module.weight, module.variance_epsilon)


def _rotate(x: Tensor, rope: Rope) -> Tensor:
    """Rotary embedding of (tokens, heads, size)."""
    left, right = x.chunk(2, -1)
    return x * rope[0] + torch.cat((-right, left), -1) * rope[1]
