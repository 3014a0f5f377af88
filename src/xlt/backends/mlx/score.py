"""Label scores from any of mlx-lm's models: the prefix run once, the texts right-padded, the labels' rows only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache, RotatingKVCache, create_attention_mask, make_prompt_cache

from xlt.backends.base import Loaded, Logits, Prompt
from xlt.backends.common import free_memory, peak_resident
from xlt.backends.mlx.config import Shape
from xlt.backends.mlx.head import LabelRows, take_over_head
from xlt.errors import XltError

KeysValues = tuple[mx.array, mx.array]
"""Keys and values of one layer, each (1, key heads, tokens, head size)."""


_ITEM = {"fp32": 4, "bf16": 2, "fp16": 2}
_CHECKED_FROM = 256 << 20


class SharedPrefix(KVCache):  # type: ignore[misc]
    """One layer's cache for one pass: keys and values of the prefix, then those of the texts behind it.

    The prefix is copied once per text and key head, which is what the fused attention of Metal reads; query heads
    share it. Padding stands right, so causality alone hides it.
    """

    def __init__(self, prefix: KeysValues | None, window: int | None) -> None:
        super().__init__()
        self.prefix = prefix
        self.window = window
        self.offset = 0 if prefix is None else prefix[0].shape[2]

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> KeysValues:
        """All keys and values so far, from the new ones (texts, key heads, tokens, head size)."""
        self.offset += keys.shape[2]
        if self.prefix is not None:
            keys, values = (
                mx.concatenate([mx.broadcast_to(before, (len(new), *before.shape[1:])), new], axis=2)
                for before, new in zip(self.prefix, (keys, values), strict=True)
            )
        self.keys, self.values = keys, values
        return keys, values

    def keys_and_values(self) -> KeysValues:
        """What `update_and_fetch` returned last."""
        return self.keys, self.values

    def make_mask(self, N: int, window_size: int | None = None, return_array: bool = False) -> Any:  # noqa: N803
        """Causal over prefix and text; within the layer's window where it has one."""
        window = window_size or self.window
        if window is not None and self.offset + N <= window:
            window = None
        return create_attention_mask(N, offset=self.offset, return_array=return_array, window_size=window)


class MlxScorer:
    """`Scorer` over a loaded mlx-lm model; see `xlt.backends.base`."""

    def __init__(self, model: Any, loaded: Loaded, name: str, vocabulary: int, shape: Shape) -> None:
        """`vocabulary` is the number of rows of the embedding. Raises XltError for a model that is no transformer."""
        self.loaded = loaded
        self.shape = shape
        self._name = name
        self._vocabulary = vocabulary
        self._windows = windows(model, name)
        self.depth = len(self._windows)
        self.head: LabelRows = take_over_head(model, name)
        self.model: Any = model
        self._prefix: list[KeysValues] | None = None
        self.setting = "--batch-tokens"
        """What a user lowers when the memory is too small."""

    def prepare(self, prompt: Prompt) -> None:
        """Run the prefix once and keep its keys and values. Must be called before `score`."""
        self.check_ids([prompt.prefix, prompt.labels])
        self.head.choose(prompt.labels)
        self._prefix = None
        if not prompt.prefix:
            return
        _, caches = self._run([prompt.prefix])
        kept = [cache.keys_and_values() for cache in caches]
        mx.eval(kept)
        self._prefix = kept

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        """Logits of shape (len(suffixes), labels), float32, for the token after each suffix."""
        if not self.head.count:
            raise RuntimeError("prepare() must be called before score()")
        self.check_ids(suffixes)
        self._check_memory(suffixes)
        with memory_errors(self._too_big(suffixes)):
            logits, _ = self._run(suffixes)
            mx.eval(logits)
        return np.array(logits)

    def peak_memory(self) -> int:
        """The most bytes held so far: device memory on a GPU, resident memory of the process on a CPU."""
        return peak_resident() if self.loaded.device == "cpu" else int(mx.get_peak_memory())

    def close(self) -> None:
        """Free the memory. The scorer can't be used afterwards."""
        self.model = None
        self._prefix = None
        self.head.forget()
        mx.clear_cache()

    def forward(
        self, tokens: mx.array, last: mx.array, prefix: Sequence[KeysValues] | None
    ) -> tuple[mx.array, list[SharedPrefix]]:
        """Lazy logits (texts, labels) float32 and the caches, for padded texts (texts, tokens) behind a prefix.

        `last`: (texts,) the position of each text's last token.
        """
        before: Sequence[KeysValues | None] = prefix or [None] * len(self._windows)
        caches = [SharedPrefix(part, window) for part, window in zip(before, self._windows, strict=True)]
        self.head.last = last
        # The model's own outer call, so that whatever it does to its logits (scaling, capping) is done to these.
        try:
            logits = self.model(tokens, cache=caches)
        except (AttributeError, TypeError, NotImplementedError, LookupError, ValueError) as error:
            raise unsupported(self._name, str(error)) from None
        if logits.shape != (len(tokens), self.head.width):
            raise unsupported(self._name, f"its output has the shape {logits.shape}")
        return logits.astype(mx.float32), caches

    def _run(self, texts: Sequence[Sequence[int]]) -> tuple[mx.array, list[SharedPrefix]]:
        """Lazy logits after each text, behind the prefix if there is one, and the caches."""
        return self.forward(*padded(texts), self._prefix)

    def check_ids(self, texts: Sequence[Sequence[int]]) -> None:
        """Raise XltError for a token that the model does not have."""
        # MLX reads whatever lies behind the last row without an error.
        largest = max((max(text, default=0) for text in texts), default=0)
        if largest >= self._vocabulary:
            raise XltError(
                f"Token {largest} is not among the {self._vocabulary} that model {self._name!r} knows; "
                "its tokenizer belongs to another model: download or copy it again."
            )

    def _check_memory(self, texts: Sequence[Sequence[int]]) -> None:
        prefix = self._prefix[0][0].shape[2] if self._prefix else 0
        if lacks(self.shape.numbers(len(texts), max(map(len, texts)), prefix), self.loaded):
            raise self._too_big(texts)

    def _too_big(self, texts: Sequence[Sequence[int]]) -> XltError:
        return XltError(
            f"The memory is too small for a batch of {len(texts)} texts of up to {max(map(len, texts))} tokens; lower "
            f"{self.setting}."
        )


def padded(texts: Sequence[Sequence[int]], multiple: int = 1) -> tuple[mx.array, mx.array]:
    """Texts as one right-padded array whose width is a multiple, and the position of each one's last token."""
    lengths = np.array([len(text) for text in texts])
    tokens = np.zeros((len(texts), -(-int(lengths.max()) // multiple) * multiple), np.int32)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = np.concatenate([np.asarray(text) for text in texts])
    return mx.array(tokens), mx.array(lengths - 1)


def windows(model: Any, name: str) -> list[int | None]:
    """The sliding window of each layer's cache, None for full attention.

    Raises XltError for models whose state is more than keys and values (recurrent and hybrid ones).
    """
    caches = make_prompt_cache(model)
    for cache in caches:
        if type(cache) not in (KVCache, RotatingKVCache):
            raise unsupported(name, f"its layers keep a {type(cache).__name__}")
    return [cache.max_size if isinstance(cache, RotatingKVCache) else None for cache in caches]


def lacks(numbers: int, loaded: Loaded) -> bool:
    """Whether a pass that holds so many numbers is too much for what is free; only ever true on a CPU.

    There MLX does not notice that it got no memory: the process would die without a word.
    """
    if loaded.device != "cpu":
        return False
    needed = numbers * _ITEM[loaded.precision] - int(mx.get_cache_memory())
    return needed > _CHECKED_FROM and needed > free_memory()


@contextmanager
def memory_errors(said: XltError) -> Iterator[None]:
    """Raise `said` in the place of what MLX raises when the memory runs out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or "alloc" in str(error).lower() or "memory" in str(error).lower():
            mx.clear_cache()
            raise said from None
        raise


def unsupported(name: str, reason: str) -> XltError:
    """One sentence for a model that mlx-lm knows but this backend can't share a prefix in."""
    return XltError(f"The MLX backend can't score model {name!r} ({reason}); use --backend torch.")
