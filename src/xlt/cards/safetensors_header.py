"""Reads and checks the header of a safetensors file: 8 bytes of length, then JSON with every tensor's place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xlt.errors import XltError


@dataclass(frozen=True)
class Tensor:
    """One tensor, as the header gives it."""

    dtype: str
    """`F32`, `BF16`, `F16`, `U32`, …"""
    shape: tuple[int, ...]
    bytes: int
    start: int
    """Where its numbers begin, in bytes from the beginning of the file."""

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)

    @property
    def floating(self) -> bool:
        """Whether it holds numbers that a change of precision changes."""
        return self.dtype in ("F64", "F32", "F16", "BF16")


def read_header(path: Path, broken: Callable[[str], XltError]) -> dict[str, Tensor]:
    """All tensors of the file by name. Raises what `broken` makes of the reason when the file is not whole."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > size - 8:
                raise broken(f"{path} is cut short within its header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors: dict[str, Tensor] = {}
        end = 0
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            tensors[name] = Tensor(entry["dtype"], tuple(map(int, entry["shape"])), last - first, 8 + length + first)
            end = max(end, last)
    except OSError as error:
        raise broken(f"{path} can't be read, {(error.strerror or str(error)).lower()}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise broken(f"{path} is damaged or no safetensors file") from None
    missing = 8 + length + end - size
    if missing > 0:
        raise broken(f"{path} is cut short, {missing} bytes are missing")
    if missing < 0:
        raise broken(f"{path} is {-missing} bytes longer than its header says")
    return tensors
