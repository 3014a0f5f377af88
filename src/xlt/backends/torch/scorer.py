"""The scorer that the engine sees: a forward pass, with out-of-memory turned into a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from xlt.backends.base import Loaded, Logits, Prompt
from xlt.backends.torch.devices import peak_memory
from xlt.errors import XltError

TOO_LARGE = "The memory does not hold a batch this large: lower --batch-tokens."


class Forward(Protocol):
    """A model's forward pass for scoring."""

    def prepare(self, prefix: Sequence[int], labels: Sequence[int]) -> None:
        """Run the prefix once and pick the labels' rows of the head."""

    def logits(self, suffixes: Sequence[Sequence[int]]) -> Tensor:
        """(texts, labels) float32 after the last token of each suffix."""


class TorchScorer:
    """`xlt.backends.base.Scorer` over a `Forward`."""

    def __init__(self, forward: Forward, loaded: Loaded) -> None:
        self.loaded = loaded
        self._forward: Forward | None = forward
        self._device = torch.device(loaded.device)
        self._prefix = -1

    def prepare(self, prompt: Prompt) -> None:
        """Run the prefix once and keep its keys and values."""
        self._fits(len(prompt.prefix))
        with torch.inference_mode(), memory_errors(TOO_LARGE):
            self._running().prepare(prompt.prefix, prompt.labels)
        self._prefix = len(prompt.prefix)

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        """Logits (texts, labels) in float32 for the token after each suffix."""
        if self._prefix < 0:
            raise RuntimeError("prepare() must come before score()")
        if not all(len(suffix) for suffix in suffixes):
            raise ValueError("a suffix has no tokens")
        if not suffixes:
            raise ValueError("there are no suffixes")
        self._fits(self._prefix + max(map(len, suffixes)))
        with torch.inference_mode(), memory_errors(TOO_LARGE):
            logits: Logits = self._running().logits(suffixes).cpu().numpy().astype(np.float32, copy=False)
        return logits

    def peak_memory(self) -> int:
        """The most bytes held so far."""
        return peak_memory(self._device)

    def close(self) -> None:
        """Free the weights."""
        self._forward = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _running(self) -> Forward:
        if self._forward is None:
            raise RuntimeError("the scorer is closed")
        return self._forward

    def _fits(self, tokens: int) -> None:
        if tokens > self.loaded.max_tokens:
            raise XltError(
                f"A prompt of {tokens} tokens is longer than the {self.loaded.max_tokens} this model was made for."
            )


@contextmanager
def memory_errors(sentence: str) -> Iterator[None]:
    """Turn running out of memory, which torch reports in three ways, into an XltError with this sentence."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        raise XltError(sentence) from None
    except RuntimeError as error:
        if "allocate memory" in str(error):
            raise XltError(sentence) from None
        raise
