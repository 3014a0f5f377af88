"""What every backend needs before it loads a model: its files checked, its size against the memory. No library."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from xlt.cards.safetensors_header import Tensor, read_header
from xlt.errors import XltError

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def go_offline() -> None:
    """Forbid the hub's client any download. Must be called before it is imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A model's JSON object. Raises XltError when it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise XltError(f"Model {name!r} is incomplete: {path} is missing; download or copy it again.") from None
    except (OSError, ValueError) as error:
        raise XltError(f"Model {name!r} can't be read ({path}: {error}); download or copy it again.") from None
    if not isinstance(content, dict):
        raise XltError(f"Model {name!r} can't be read ({path} holds no JSON object); download or copy it again.")
    return content


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """`config.json` of a causal language model. Raises XltError for another kind of model."""
    config = read_json(folder / "config.json", name)
    if not isinstance(config.get("model_type"), str):
        raise XltError(f"Model {name!r} names no model_type in {folder / 'config.json'}; is it a language model?")
    kinds = config.get("architectures") or []
    if kinds and not any(str(kind).endswith(_CAUSAL) for kind in kinds):
        raise XltError(
            f"Model {name!r} is a {kinds[0]}, which does not predict a next token; choose a causal language model."
        )
    return config


def weight_files(folder: Path, name: str) -> list[Path]:
    """The safetensors files of a model folder, in order. Raises XltError when one is missing or there are none."""
    index = folder / "model.safetensors.index.json"
    single = folder / "model.safetensors"
    if single.is_file():
        files = [single]
    elif index.is_file():
        where = read_json(index, name).get("weight_map")
        if not isinstance(where, dict) or not where:
            raise XltError(f"Model {name!r} can't be read ({index} names no weights); download or copy it again.")
        files = [folder / file for file in sorted({str(file) for file in where.values()})]
    else:
        raise _no_weights(folder, name)
    for file in files:
        if not file.is_file():
            raise XltError(f"Model {name!r} is incomplete: {file} is missing; download or copy it again.")
    strays = sorted(set(folder.glob("model*.safetensors")) - set(files))
    if strays:
        raise XltError(
            f"Model {name!r} holds weights twice: {strays[0].name} in {folder} does not belong to "
            f"{(single if files == [single] else index).name}; remove one of them."
        )
    return files


def read_headers(files: list[Path], name: str) -> dict[str, Tensor]:
    """All tensors of some safetensors files by name. Raises XltError for a file that is damaged or cut short."""

    def broken(reason: str) -> XltError:
        return XltError(f"Model {name!r} can't be read: {reason}; download or copy it again.")

    return {key: tensor for file in files for key, tensor in read_header(file, broken).items()}


def free_memory() -> int:
    """Bytes that a process can take now: what the machine has free, or what is left of the container's share."""
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        # The page cache counts as used, but the kernel gives it back.
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return min(free, max(0, limit - used + int(stat.get("inactive_file", 0))))
    except (OSError, ValueError):
        return free


def check_memory(name: str, needed: int, free: int, precision: str) -> None:
    """Raise XltError with both numbers when a model of `needed` bytes does not fit into `free`."""
    if needed > free:
        raise XltError(
            f"Model {name!r} needs {amount(needed)} of memory in {precision}, and {amount(free)} are free here; "
            "close other programs, choose a smaller precision (--precision), or a smaller or quantised model."
        )


def peak_resident() -> int:
    """The most bytes that this process has held in memory so far."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def amount(size: int) -> str:
    """Bytes for people: `6.4 GB`, `12 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def _no_weights(folder: Path, name: str) -> XltError:
    if not folder.is_dir():
        return XltError(f"Model {name!r} is not there: {folder} is no folder.")
    if any(file.suffix in PICKLES for file in folder.iterdir()):
        return XltError(
            f"Model {name!r} has its weights as a pickle, which can run code; convert {folder} to safetensors first."
        )
    if any(folder.glob("adapter*.safetensors")):
        return XltError(f"Model {name!r} is an adapter without its base: {folder} holds no model.safetensors.")
    return XltError(f"Model {name!r} has no weights: there is no model.safetensors in {folder}.")
