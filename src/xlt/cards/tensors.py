"""Tensors of safetensors files, read and written a few rows at a time: memory stays small whatever the model's size.

Numpy has no bfloat16; here such numbers are the upper halves of float32, which is what they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xlt.cards.check import INDEX
from xlt.cards.safetensors_header import Tensor, read_header
from xlt.disk import write_json
from xlt.errors import XltError

Floats = npt.NDArray[np.float32]

SHARD = 5_000_000_000
"""Bytes above which a model is cut into several files, as on the hub."""
_ROWS = 1 << 24
_FLOATS: dict[str, str] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_WIDTH = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}


@dataclass(frozen=True)
class Stored:
    """One tensor where it lies in its file."""

    name: str
    path: Path
    entry: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return self.entry.shape

    def raw(self, first: int = 0, last: int | None = None) -> npt.NDArray[np.uint8]:
        """Its bytes as they lie, or those from `first` to `last`; mapped, not read."""
        last = self.entry.bytes if last is None else last
        if first == last:
            return np.empty(0, np.uint8)
        return np.memmap(self.path, np.uint8, "r", self.entry.start + first, (last - first,))

    def rows(self) -> Iterator[tuple[int, Floats]]:
        """Number of the first row and rows, in float32, a few million numbers at a time. A vector is one row."""
        shape = self.shape if len(self.shape) > 1 else (1, prod(self.shape))
        across = prod(shape[1:])
        step = max(1, _ROWS // max(1, across))
        width = across * _WIDTH[self.entry.dtype]
        for first in range(0, shape[0], step):
            last = min(first + step, shape[0])
            yield first, self._floats(first * width, last * width).reshape(last - first, *shape[1:])

    def floats(self) -> Floats:
        """All of it in float32."""
        return self._floats(0, self.entry.bytes).reshape(self.shape)

    def _floats(self, first: int, last: int) -> Floats:
        if not self.entry.floating:
            raise XltError(f"{self.path} holds {self.name} as {self.entry.dtype}, which are no plain numbers.")
        raw = self.raw(first, last).view(_FLOATS[self.entry.dtype])
        if self.entry.dtype == "BF16":
            return (raw.astype("<u4") << 16).view("<f4")
        made: Floats = raw.astype("<f4")
        return made


def stored(paths: Sequence[Path], name: str) -> dict[str, Stored]:
    """All tensors of some files by name. `name` is the model's, for the message when a file is not whole."""

    def broken(reason: str) -> XltError:
        return XltError(f"Model {name!r} can't be read: {reason}; download or copy it again.")

    return {key: Stored(key, path, entry) for path in paths for key, entry in read_header(path, broken).items()}


def to_bf16(numbers: Floats) -> npt.NDArray[np.uint16]:
    """Float32 rounded to bfloat16, half to even, as its bits."""
    bits = np.ascontiguousarray(numbers, "<f4").view("<u4")
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    # Adding could carry a NaN over into infinity or zero.
    rounded[np.isnan(numbers)] = 0x7FC0
    halves: npt.NDArray[np.uint16] = rounded.astype("<u2")
    return halves


@dataclass(frozen=True)
class Made:
    """A tensor to be written: what it will be, and what yields its bytes in order when its turn comes."""

    dtype: str
    shape: tuple[int, ...]
    parts: Callable[[], Iterator[npt.NDArray[Any]]]

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        return prod(self.shape) * _WIDTH.get(self.dtype, 1)


def as_it_is(tensor: Stored) -> Made:
    """A tensor to be copied."""
    step = 1 << 26

    def parts() -> Iterator[npt.NDArray[Any]]:
        for first in range(0, tensor.entry.bytes, step):
            yield tensor.raw(first, min(first + step, tensor.entry.bytes))

    return Made(tensor.entry.dtype, tensor.shape, parts)


def in_bf16(tensor: Stored) -> Made:
    """A tensor to be written in bfloat16; one that holds no floating-point numbers, or bfloat16 already, is copied."""
    if not tensor.entry.floating or tensor.entry.dtype == "BF16":
        return as_it_is(tensor)
    return Made("BF16", tensor.shape, lambda: (to_bf16(rows) for _, rows in tensor.rows()))


def write_model_files(folder: Path, tensors: dict[str, Made], shard: int = SHARD) -> None:
    """Write `model.safetensors`, or shards and their index where it gets larger than `shard` bytes.

    For a folder that is not in use yet: a file that breaks off stays. OSError is the caller's.
    """
    groups: list[list[str]] = [[]]
    filled = 0
    for name, made in tensors.items():
        if groups[-1] and filled + made.bytes > shard:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += made.bytes
    where: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        several = len(groups) > 1
        file = f"model-{number:05d}-of-{len(groups):05d}.safetensors" if several else "model.safetensors"
        _write_file(folder / file, {name: tensors[name] for name in group})
        where.update(dict.fromkeys(group, file))
    if len(groups) > 1:
        total = sum(made.bytes for made in tensors.values())
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": where})


def _write_file(path: Path, tensors: dict[str, Made]) -> None:
    # Wider numbers first: then every tensor lies at a multiple of its width.
    order = sorted(tensors, key=lambda name: -_WIDTH.get(tensors[name].dtype, 1))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in order:
        made = tensors[name]
        header[name] = {"dtype": made.dtype, "shape": list(made.shape), "data_offsets": [at, at + made.bytes]}
        at += made.bytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            for part in tensors[name].parts():
                # Not `tofile`, which tells a full disk by an error without its number.
                file.write(np.ascontiguousarray(part).data)
