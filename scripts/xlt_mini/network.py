"""The network while it is trained: a Llama by its weights, with a forward of its own that is cheap for our prompt.

The instruction is the same in every example, so its keys and values are computed once per batch, with gradients,
and only the answer's position goes through the head. `state_dict` carries the names of LlamaForCausalLM, and tests
show that the stock classes give the same scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xlt_mini.embedding import Embedding

THETA = 500000.0
FACTOR, LOW, HIGH, ORIGINAL = 8.0, 1.0, 4.0, 1024
SCALING: dict[str, Any] = {
    "rope_type": "llama3",
    "factor": FACTOR,
    "low_freq_factor": LOW,
    "high_freq_factor": HIGH,
    "original_max_position_embeddings": ORIGINAL,
}


@dataclass(frozen=True)
class Shape:
    """Sizes of the network."""

    vocab: int = 8192
    hidden: int = 256
    inner: int = 640
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head: int = 64
    positions: int = 2048
    eps: float = 1e-5

    def config(self, bos: int, eot: int) -> dict[str, Any]:
        """`config.json`: both spellings of the rope settings, because libraries read one or the other."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.inner,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head,
            "max_position_embeddings": self.positions,
            "rms_norm_eps": self.eps,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "rope_theta": THETA,
            "rope_scaling": SCALING,
            "rope_parameters": {"rope_theta": THETA, **SCALING},
            "bos_token_id": bos,
            "eos_token_id": eot,
            "pad_token_id": eot,
            "initializer_range": 0.02,
            "use_cache": True,
            "dtype": "bfloat16",
            "torch_dtype": "bfloat16",
        }


def _frequencies(head: int) -> Tensor:
    """Llama 3's rotary frequencies: long wavelengths are stretched by the factor, short ones stay."""
    plain = 1.0 / THETA ** (torch.arange(0, head, 2, dtype=torch.float64) / head)
    wave = 2 * math.pi / plain
    smooth = ((ORIGINAL / wave - LOW) / (HIGH - LOW)).clamp(0, 1)
    return (1 - smooth) * plain / FACTOR + smooth * plain


class Norm(nn.Module):
    """RMSNorm with a learnt weight."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Attention(nn.Module):
    """Grouped-query attention over the shared instruction and each row's own tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head, shape.hidden, bias=False)

    def forward(self, x: Tensor, where: Layout) -> Tensor:
        """Every token's update: x (prefix + rows * width, hidden)."""
        q, k, v = self._split(x, where.cos, where.sin)
        out = []
        if where.prefix:
            first_q, first_k, first_v = (t[: where.prefix].transpose(0, 1)[None] for t in (q, k, v))
            first = F.scaled_dot_product_attention(first_q, first_k, first_v, is_causal=True)
            out.append(first[0].transpose(0, 1).flatten(1))
        rows_q = q[where.prefix :].view(where.rows, where.width, *q.shape[1:]).transpose(1, 2)
        got = F.scaled_dot_product_attention(rows_q, where.spread(k), where.spread(v), attn_mask=where.mask)
        out.append(got.transpose(1, 2).reshape(where.rows * where.width, -1))
        update: Tensor = self.o_proj(torch.cat(out))
        return update

    def ends(self, x: Tensor, where: Layout, ends: Tensor) -> Tensor:
        """The update of each row's last token only, (rows, hidden)."""
        at = where.prefix + torch.arange(where.rows) * where.width + ends
        q = Layout.rotate(self.q_proj(x[at]).view(len(at), self.shape.heads, -1), where.cos[at], where.sin[at])
        _, k, v = self._split(x, where.cos, where.sin, queries=False)
        visible = torch.arange(where.prefix + where.width)[None] <= where.prefix + ends[:, None]
        got = F.scaled_dot_product_attention(
            q[:, :, None], where.spread(k), where.spread(v), attn_mask=visible[:, None, None]
        )
        update: Tensor = self.o_proj(got.flatten(1))
        return update

    def pooled(self, means: Tensor) -> Tensor:
        """The update that attention to all tokens alike would give: means (rows, hidden) of normed inputs."""
        groups = self.shape.heads // self.shape.kv_heads
        v = self.v_proj(means).view(len(means), self.shape.kv_heads, -1)
        update: Tensor = self.o_proj(v.repeat_interleave(groups, 1).flatten(1))
        return update

    def _split(self, x: Tensor, cos: Tensor, sin: Tensor, queries: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        groups = self.shape.heads // self.shape.kv_heads
        k = Layout.rotate(self.k_proj(x).view(len(x), self.shape.kv_heads, -1), cos, sin)
        v = self.v_proj(x).view(len(x), self.shape.kv_heads, -1)
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        q = Layout.rotate(self.q_proj(x).view(len(x), self.shape.heads, -1), cos, sin) if queries else k
        return q, k, v


class MLP(nn.Module):
    """Gated feed-forward layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        update: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return update


class Layer(nn.Module):
    """One block; dropout on what it adds."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = Norm(shape.hidden, shape.eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = Norm(shape.hidden, shape.eps)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, where: Layout, drop: float) -> Tensor:
        return self._finish(x, self.self_attn(self.input_layernorm(x), where), drop)

    def ends(self, x: Tensor, where: Layout, ends: Tensor, drop: float) -> Tensor:
        """As forward, for each row's last token only, (rows, hidden): enough in the last layer."""
        at = where.prefix + torch.arange(where.rows) * where.width + ends
        return self._finish(x[at], self.self_attn.ends(self.input_layernorm(x), where, ends), drop)

    def _finish(self, x: Tensor, update: Tensor, drop: float) -> Tensor:
        x = x + F.dropout(update, drop, self.training)
        return x + F.dropout(self.mlp(self.post_attention_layernorm(x)), drop, self.training)


class Layout:
    """Where tokens stand: `prefix` shared ones first, then `rows` rows of `width`, right-padded."""

    def __init__(self, prefix: int, rows: int, width: int, head: int) -> None:
        self.prefix, self.rows, self.width = prefix, rows, width
        positions = torch.cat([torch.arange(prefix), torch.arange(prefix, prefix + width).repeat(rows)])
        angles = positions[:, None].double() * _frequencies(head)[None]
        angles = torch.cat([angles, angles], -1)[:, None]
        self.cos, self.sin = angles.cos().float(), angles.sin().float()
        causal = torch.ones(width, width, dtype=torch.bool).tril()
        self.mask = torch.cat([torch.ones(width, prefix, dtype=torch.bool), causal], 1)

    def spread(self, x: Tensor) -> Tensor:
        """Keys or values as every row sees them: (tokens, heads, head) → (rows, heads, prefix + width, head)."""
        own = x[self.prefix :].view(self.rows, self.width, *x.shape[1:]).transpose(1, 2)
        if not self.prefix:
            return own
        shared = x[: self.prefix].transpose(0, 1)[None].expand(self.rows, -1, -1, -1)
        return torch.cat([shared, own], 2)

    @staticmethod
    def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotary positions, x (tokens, heads, head)."""
        left, right = x.chunk(2, -1)
        return x * cos.to(x.dtype) + torch.cat([-right, left], -1) * sin.to(x.dtype)


class Network(nn.Module):
    """A Llama with tied embeddings; `spellings` of the tokens let them learn together."""

    def __init__(self, shape: Shape, spellings: Sequence[str] | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.embed = Embedding(shape.vocab, shape.hidden, spellings)
        self.layers: list[Layer] = nn.ModuleList(Layer(shape) for _ in range(shape.layers))  # type: ignore[assignment]
        self.norm = Norm(shape.hidden, shape.eps)
        for name, weight in self.named_parameters():
            if weight.dim() == 2 and not name.startswith("embed"):
                # Queries and keys begin small, so that attention begins as an average over all tokens.
                scale = 0.3 if name.endswith(("q_proj.weight", "k_proj.weight", "down_proj.weight")) else 1.0
                nn.init.normal_(weight, std=scale / math.sqrt(weight.shape[1]))

    def forward(self, ids: Tensor, drop: float = 0.0) -> Tensor:
        """Normed hidden states of plain rows without the instruction: (rows, width) → (rows, width, hidden)."""
        where = Layout(0, ids.shape[0], ids.shape[1], self.shape.head)
        x = F.dropout(self.embed(ids.flatten()), drop, self.training)
        for layer in self.layers:
            x = layer(x, where, drop)
        hidden: Tensor = self.norm(x).view(*ids.shape, -1)
        return hidden

    def answers(self, prefix: Tensor, ids: Tensor, ends: Tensor, drop: float = 0.0, silence: float = 0.0) -> Tensor:
        """Normed hidden states at each row's last token, behind the shared instruction: (rows, hidden).

        `drop` is dropout on embeddings and layers; `silence` is the share of a row's tokens that are zeroed.
        """
        where = Layout(len(prefix), ids.shape[0], ids.shape[1], self.shape.head)
        own = self.embed(ids.flatten())
        if self.training and silence:
            own = own * (torch.rand(len(own), 1) >= silence)
        x = F.dropout(torch.cat([self.embed(prefix), own]), drop, self.training)
        *first, last = self.layers
        for layer in first:
            x = layer(x, where, drop)
        hidden: Tensor = self.norm(last.ends(x, where, ends, drop))
        return hidden

    def begin_tuning(self) -> None:
        """Start with attention as simple as can be: the first layer sees all alike, later layers add nothing yet.

        `answers` then equals `bags`, so that what is learnt cheaply there holds here.
        """
        first, *later = self.layers
        with torch.no_grad():
            first.self_attn.q_proj.weight.zero_()
            for layer in later:
                layer.self_attn.o_proj.weight.zero_()

    def bags(self, prefix: Tensor, rows: Sequence[Sequence[int]], drop: float = 0.0, silence: float = 0.0) -> Tensor:
        """`answers` right after `begin_tuning`, at a fraction of the cost: (rows, hidden)."""
        first = self.layers[0]
        sizes = torch.tensor([len(row) for row in rows])
        owner = torch.repeat_interleave(torch.arange(len(rows)), sizes)
        tokens = self.embed(torch.tensor([token for row in rows for token in row]))
        if self.training and silence:
            tokens = tokens * (torch.rand(len(tokens), 1) >= silence)
        shared = first.input_layernorm(self.embed(prefix)).sum(0)
        sums = shared.expand(len(rows), -1).index_add(0, owner, first.input_layernorm(tokens))
        x = F.dropout(tokens[sizes.cumsum(0) - 1], drop, self.training)
        x = x + F.dropout(first.self_attn.pooled(sums / (sizes + len(prefix))[:, None]), drop, self.training)
        for layer in self.layers:
            x = x + F.dropout(layer.mlp(layer.post_attention_layernorm(x)), drop, self.training)
        hidden: Tensor = self.norm(x)
        return hidden

    def label_logits(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """Scores of the labels, (rows, labels), float32."""
        return (hidden @ self.embed.table(labels).T.to(hidden.dtype)).float()

    def checkpoint(self) -> dict[str, Tensor]:
        """bf16 weights by the names of LlamaForCausalLM."""
        weights = {name: weight for name, weight in self.state_dict().items() if not name.startswith("embed.")}
        weights["embed_tokens.weight"] = self.embed.table()
        return {f"model.{name}": weight.detach().to(torch.bfloat16).contiguous() for name, weight in weights.items()}

    def sizes(self) -> dict[str, int]:
        """The shape as plain numbers, for the card."""
        body = sum(weight.numel() for name, weight in self.named_parameters() if not name.startswith("embed."))
        return {**asdict(self.shape), "parameters": body + self.shape.vocab * self.shape.hidden}
