"""Token embeddings that share what they learn between tokens of like spelling.

While it is trained, a token's vector is its own part plus the vectors of the character n-grams in it, so that
`migrants`, `migrantes` and `Migranten` learn together, and rare tokens learn from frequent ones. In the end the sum
is one ordinary table.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BUCKETS = 16384
MOST = 40
"""N-grams per token; only very long tokens have more."""


def ngrams(token: str, buckets: int = BUCKETS) -> list[int]:
    """Buckets of the token's 2- to 5-grams, without case and accents; a leading space counts as a character.

    Bucket 0 stands for none.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", token.casefold()) if not unicodedata.combining(c))
    marked = f"{plain}|"
    grams = {marked[i : i + n] for n in range(2, 6) for i in range(len(marked) - n + 1)}
    grams.add(f"={plain}")
    return sorted({zlib.crc32(gram.encode("utf-8", "replace")) % (buckets - 1) + 1 for gram in grams})[:MOST]


class Embedding(nn.Module):
    """`spellings` holds the text of each token; None leaves out the shared part."""

    def __init__(self, vocab: int, hidden: int, spellings: Sequence[str] | None) -> None:
        super().__init__()
        self.grams: Tensor
        self.scale: Tensor
        self.own = nn.Parameter(torch.randn(vocab, hidden) * (0.02 if spellings else 0.04))
        self.shared: nn.Parameter | None = None
        if spellings:
            grams = [ngrams(spelling) for spelling in spellings]
            table = torch.zeros(vocab, max(map(len, grams)), dtype=torch.long)
            for row, found in zip(table, grams, strict=True):
                row[: len(found)] = torch.tensor(found)
            self.shared = nn.Parameter(torch.randn(BUCKETS, hidden) * 0.04)
            self.register_buffer("grams", table, persistent=False)
            scale = (table > 0).sum(1, keepdim=True).float().rsqrt()
            self.register_buffer("scale", scale, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of tokens, (n,) → (n, hidden); each distinct token is put together once."""
        if self.shared is None:
            return F.embedding(ids, self.own)
        distinct, where = torch.unique(ids, return_inverse=True)
        return F.embedding(where, self.table(distinct))

    def table(self, ids: Tensor | None = None) -> Tensor:
        """Vectors of the given tokens, or of all."""
        own = self.own if ids is None else self.own[ids]
        if self.shared is None:
            return own
        grams, scale = (self.grams, self.scale) if ids is None else (self.grams[ids], self.scale[ids])
        return own + F.embedding_bag(grams, self.shared, mode="sum", padding_idx=0) * scale
