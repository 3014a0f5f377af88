"""Attention of suffix tokens to a shared prefix and to the earlier tokens of their own suffix."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention.bias import causal_lower_right

KeysValues = tuple[Tensor, Tensor]
"""Keys and values, each (key heads, tokens, head size)."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, prefix: KeysValues | None, scale: float) -> Tensor:
    """Causal attention with grouped queries over right-padded texts that continue one prefix.

    queries: (texts, tokens, query heads, head size); keys, values: (texts, tokens, key heads, head size);
    returns (texts, tokens, query heads x head size). Padding stands right, so causality alone hides it.
    """
    function = by_products if queries.device.type == "cpu" else by_kernel
    return function(queries, keys, values, prefix, scale)


def by_kernel(queries: Tensor, keys: Tensor, values: Tensor, prefix: KeysValues | None, scale: float) -> Tensor:
    """Through torch's fused kernels: the prefix is copied beside each text's keys, once per key head."""
    if prefix is not None:
        before = [part.transpose(0, 1).expand(len(keys), -1, -1, -1) for part in prefix]
        keys, values = torch.cat((before[0], keys), 1), torch.cat((before[1], values), 1)
    bias = causal_lower_right(queries.shape[1], keys.shape[1])
    q, k, v = (part.transpose(1, 2) for part in (queries, keys, values))
    grouped = q.shape[1] != k.shape[1]
    out: Tensor = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale, enable_gqa=grouped)
    return out.transpose(1, 2).flatten(2)


def by_products(queries: Tensor, keys: Tensor, values: Tensor, prefix: KeysValues | None, scale: float) -> Tensor:
    """Through plain matrix products: on a CPU 2.5 times as fast in bf16 as the fused kernel.

    All texts meet the prefix in one product per key head, whose keys are therefore never copied; the query heads
    of a group count as more rows of that product.
    """
    texts, tokens, heads, size = queries.shape
    groups = keys.shape[2]
    share = heads // groups
    # Rows of one key head lie together: (groups, texts, tokens, share, size).
    q = queries.mul(scale).view(texts, tokens, groups, share, size).permute(2, 0, 1, 3, 4).contiguous()
    k, v = (part.permute(2, 0, 1, 3).reshape(groups * texts, tokens, size) for part in (keys, values))
    rows = q.view(groups * texts, tokens * share, size)
    future = torch.full((tokens, tokens), -math.inf, dtype=q.dtype).triu(1).repeat_interleave(share, 0)
    scores = torch.baddbmm(future, rows, k.transpose(1, 2))
    if prefix is None:
        out = torch.bmm(scores.softmax(-1), v)
    else:
        length = prefix[0].shape[1]
        before = torch.bmm(q.view(groups, -1, size), prefix[0].transpose(1, 2)).view(*rows.shape[:2], length)
        weights = torch.cat((before, scores), -1).softmax(-1)
        out = torch.bmm(weights[..., :length].reshape(groups, -1, length), prefix[1]).view(rows.shape)
        out = torch.baddbmm(out, weights[..., length:], v)
    return out.view(groups, texts, tokens, share, size).permute(1, 2, 0, 3, 4).reshape(texts, tokens, heads * size)
