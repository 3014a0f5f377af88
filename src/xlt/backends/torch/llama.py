"""A lean forward pass for Llama-shaped models: what scoring needs and nothing else.

Linear layers see only real tokens, packed one text after the other; attention alone sees them padded. The last
layer computes only the last token of each text, the head only the rows of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from xlt.backends.torch.attention import KeysValues, attend
from xlt.backends.torch.linear import linear, take

FAMILIES = {"llama", "mistral", "qwen2", "qwen3"}
ROPES = {"default", "linear", "llama3", "yarn"}
"""Rope types whose frequencies do not depend on the length of the text."""


def is_llama_shaped(model: Any) -> bool:
    """Whether `LlamaForward` computes what this transformers model computes."""
    config = model.config
    window = getattr(config, "sliding_window", None)
    slides = window is not None and window < config.max_position_embeddings
    return (
        config.model_type in FAMILIES
        and type(model).__name__.endswith("ForCausalLM")
        and config.hidden_act == "silu"
        and config.rope_parameters.get("rope_type", "default") in ROPES
        and not slides
    )


@dataclass(frozen=True)
class Packed:
    """A batch of texts without padding, and where its tokens lie when padded."""

    tokens: Tensor
    """(tokens,) ids, one text after the other."""
    positions: Tensor
    """(tokens,) counted from the start of the prefix."""
    places: Tensor
    """(tokens,) row of each token in the padded grid, flattened to texts x longest."""
    last: Tensor
    """(texts,) where each text's last token lies in `tokens`."""
    texts: int
    longest: int

    @staticmethod
    def of(texts: Sequence[Sequence[int]], start: int, device: torch.device) -> Packed:
        """Pack token ids whose first position is `start`."""
        lengths = torch.tensor([len(text) for text in texts])
        longest = int(lengths.max())
        column = torch.arange(longest).expand(len(texts), longest)
        places = (column < lengths[:, None]).flatten().nonzero().squeeze(1)
        tokens = torch.tensor([token for text in texts for token in text])
        positions = places % longest + start
        last = lengths.cumsum(0) - 1
        return Packed(tokens.to(device), positions.to(device), places.to(device), last.to(device), len(texts), longest)

    def pad(self, x: Tensor) -> Tensor:
        """From (tokens, heads, size) to (texts, longest, heads, size), zeros where there is no token."""
        if len(x) < self.texts * self.longest:
            x = x.new_zeros(self.texts * self.longest, *x.shape[1:]).index_copy_(0, self.places, x)
        return torch.unflatten(x, 0, (self.texts, self.longest))

    def unpad(self, x: Tensor) -> Tensor:
        """From (texts, longest, width) to (tokens, width)."""
        x = x.flatten(0, 1)
        return x if len(x) == len(self.tokens) else x.index_select(0, self.places)


class Layer:
    """One transformer layer over a transformers layer's weights, which it takes out of it."""

    def __init__(self, module: Any, head_size: int) -> None:
        attention, mlp = module.self_attn, module.mlp
        self.head_size = head_size
        self.scale: float = attention.scaling
        self.rotated = attention.q_proj.out_features + attention.k_proj.out_features
        self.query_heads = attention.q_proj.out_features // head_size
        self.qkv = linear(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out = linear(attention.o_proj)
        self.gate_up = linear(mlp.gate_proj, mlp.up_proj)
        self.down = linear(mlp.down_proj)
        self.norm_in = Norm(module.input_layernorm)
        self.norm_mid = Norm(module.post_attention_layernorm)
        self.norm_q = Norm(attention.q_norm) if hasattr(attention, "q_norm") else None
        self.norm_k = Norm(attention.k_norm) if hasattr(attention, "k_norm") else None

    def __call__(
        self, x: Tensor, batch: Packed, rope: KeysValues, prefix: KeysValues | None, keep: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """From (tokens, hidden) to the same, with this layer's padded keys and values.

        rope: cosines and sines as `Rope` gives them. keep: the only tokens whose output is wanted.
        """
        queries, keys, values = self.heads(self.qkv(self.norm_in(x)), rope)
        keys, values = batch.pad(keys), batch.pad(values)
        attended = batch.unpad(attend(batch.pad(queries), keys, values, prefix, self.scale))
        if keep is not None:
            x, attended = x.index_select(0, keep), attended.index_select(0, keep)
        x = x + self.out(attended)
        gate, up = self.gate_up(self.norm_mid(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate).mul_(up)), keys, values

    def heads(self, qkv: Tensor, rope: KeysValues) -> tuple[Tensor, Tensor, Tensor]:
        """Split into queries, keys and values, each (tokens, heads, size), the first two turned."""
        heads = torch.unflatten(qkv, -1, (-1, self.head_size))
        turning = self.rotated // self.head_size
        if self.norm_q is not None and self.norm_k is not None:
            queries, keys = heads[:, : self.query_heads], heads[:, self.query_heads : turning]
            rotating = torch.cat((self.norm_q(queries), self.norm_k(keys)), 1).flatten(1)
        else:
            rotating = qkv[:, : self.rotated]
        turned = torch.unflatten(rotate(rotating, *rope, self.head_size), -1, (-1, self.head_size))
        return turned[:, : self.query_heads], turned[:, self.query_heads :], heads[:, turning:]


class Norm:
    """RMS norm over the last dimension, in one pass."""

    def __init__(self, module: Any) -> None:
        self.weight = take(module, "weight")
        self.epsilon: float = module.variance_epsilon

    def __call__(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.weight.shape, self.weight, self.epsilon)

    def exact(self, x: Tensor) -> Tensor:
        """The same in float32."""
        return functional.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.epsilon)


def rotate(x: Tensor, cosines: Tensor, sines: Tensor, head_size: int) -> Tensor:
    """Rotary embedding in place of (tokens, heads x size); the sine of each head's first half is negative.

    Rows of all heads at once: an inner loop of one head is too short to be fast.
    """
    swapped = torch.unflatten(x, -1, (-1, head_size)).roll(head_size // 2, -1).flatten(-2)
    return x.mul_(cosines).addcmul_(swapped, sines)


class LlamaForward:
    """The forward pass over a loaded transformers model, whose weights it takes over."""

    def __init__(self, model: Any) -> None:
        body = model.model
        self.embedding: nn.Embedding = body.embed_tokens
        self.device = self.embedding.weight.device
        self.rotary = body.rotary_emb
        self.head = model.get_output_embeddings().weight.detach()
        self.norm = Norm(body.norm)
        first = body.layers[0].self_attn
        self.head_size: int = first.head_dim
        self.heads = (first.q_proj.out_features + first.k_proj.out_features) // self.head_size
        self.layers = [Layer(layer, self.head_size) for layer in body.layers]
        self.prefix: list[KeysValues] = []
        self.start = 0
        self.rows = self.head[:0]
        self.cosines = self.sines = self.head[:0]

    def prepare(self, prefix: Sequence[int], labels: Sequence[int]) -> None:
        """Compute the prefix's keys and values and pick the labels' rows of the head."""
        self.rows = self.head[torch.tensor(labels, device=self.device)].float()
        batch = Packed.of([prefix], 0, self.device)
        computed: list[KeysValues] = []
        self.run(batch, computed)
        self.prefix = [
            (keys[0].transpose(0, 1).contiguous(), values[0].transpose(0, 1).contiguous()) for keys, values in computed
        ]
        self.start = len(prefix)

    def logits(self, suffixes: Sequence[Sequence[int]]) -> Tensor:
        """(texts, labels) float32 after the last token of each suffix."""
        hidden = self.norm.exact(self.run(Packed.of(suffixes, self.start, self.device)))
        logits: Tensor = hidden @ self.rows.T
        return logits

    def run(self, batch: Packed, record: list[KeysValues] | None = None) -> Tensor:
        """(texts, hidden) of each text's last token after all layers; with `record`, from position 0."""
        x: Tensor = self.embedding(batch.tokens)
        rope = self.rope(batch.positions, x.dtype)
        for number, layer in enumerate(self.layers):
            keep = batch.last if number == len(self.layers) - 1 else None
            prefix = self.prefix[number] if record is None else None
            x, keys, values = layer(x, batch, rope, prefix, keep)
            if record is not None:
                record.append((keys, values))
        return x

    def rope(self, positions: Tensor, dtype: torch.dtype) -> KeysValues:
        """Cosines and sines, each (tokens, heads x size), from the model's own rotary module.

        Tables for all positions so far are kept; they grow when a longer text comes.
        """
        needed = int(positions.max()) + 1
        if needed > len(self.cosines):
            every = torch.arange(-(-needed // 256) * 256, device=self.device)[None]
            cosines, sines = self.rotary(torch.empty(0, device=self.device, dtype=torch.float32), every)
            sines[..., : self.head_size // 2].neg_()
            self.cosines, self.sines = (table[0].to(dtype).repeat(1, self.heads) for table in (cosines, sines))
        return self.cosines.index_select(0, positions), self.sines.index_select(0, positions)
