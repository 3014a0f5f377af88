"""Reads what stands in front of a GGUF file's weights: metadata, and the names, shapes and places of its tensors.

The `gguf` package reads it too, but takes an array per string: seconds for a vocabulary, at every start.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from xlt.errors import XltError

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
# Type number in the file → struct code.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class Tensor:
    """One tensor's entry."""

    shape: tuple[int, ...]
    """As in the file: the fastest dimension first."""
    type: int
    """The number of its ggml type."""
    offset: int
    """Bytes after `Header.data`."""


@dataclass(frozen=True)
class Header:
    """Metadata and tensors of a GGUF file."""

    metadata: dict[str, Any]
    tensors: dict[str, Tensor]
    data: int
    """Where the weights begin, in bytes."""

    @property
    def parameters(self) -> int:
        """Numbers in all tensors but the rope table."""
        return sum(prod(tensor.shape) for name, tensor in self.tensors.items() if name != "rope_freqs.weight")

    def end(self) -> int:
        """The least size of a whole file in bytes, as far as the tensors' types are known."""
        from gguf.constants import GGML_QUANT_SIZES

        sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
        ends = [self.data]
        for tensor in self.tensors.values():
            block, of_block = sizes.get(tensor.type, (1, 0))
            ends.append(self.data + tensor.offset + prod(tensor.shape) // block * of_block)
        return max(ends)


def read_header(path: Path) -> Header:
    """The header of a GGUF file. Raises XltError when it is none, or is cut short or damaged."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:4] != MAGIC:
                raise XltError(f"{path} is no GGUF file; copy or download it again.")
            return _Reader(content).header()
    except XltError:
        raise
    except OSError as error:
        raise XltError(f"{path} can't be read: {(error.strerror or str(error)).lower()}.") from None
    except (struct.error, IndexError, ValueError, KeyError, OverflowError, MemoryError):
        # An empty file can't be mapped: ValueError.
        raise XltError(f"{path} is cut short or damaged; copy or download it again.") from None


class _Reader:
    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.at = 4
        self.readers: dict[str, Callable[..., tuple[Any, ...]]] = {
            code: struct.Struct(f"<{code}").unpack_from for code in _SCALARS.values()
        }

    def header(self) -> Header:
        version = self.scalar("I")
        if version not in _VERSIONS:
            raise XltError(f"The GGUF file is of version {version}; versions 2 and 3 can be read (little-endian).")
        tensors, entries = self.scalar("Q"), self.scalar("Q")
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self.string()
            metadata[key] = self.value(self.scalar("I"))
        found = {}
        for _ in range(tensors):
            name = self.string()
            shape = tuple(self.scalar("Q") for _ in range(self.scalar("I")))
            found[name] = Tensor(shape, self.scalar("I"), self.scalar("Q"))
        alignment = metadata.get("general.alignment", 32)
        return Header(metadata, found, -(-self.at // alignment) * alignment)

    def scalar(self, code: str) -> Any:
        (value,) = self.readers[code](self.content, self.at)
        self.at += struct.calcsize(f"<{code}")
        return value

    def string(self) -> str:
        length = self.scalar("Q")
        start, self.at = self.at, self.at + length
        if self.at > len(self.content):
            raise ValueError
        return self.content[start : self.at].decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.scalar(_SCALARS[kind])
        kind, count = self.scalar("I"), self.scalar("Q")
        if kind in (_STRING, _ARRAY):
            return [self.value(kind) for _ in range(count)]
        values = struct.unpack_from(f"<{count}{_SCALARS[kind]}", self.content, self.at)
        self.at += struct.calcsize(f"<{count}{_SCALARS[kind]}")
        return list(values)
