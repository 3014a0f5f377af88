"""Whether a model's files are whole, and of which format they are. Reads names, sizes and headers, never weights.

Pickles can run code when they are loaded, and so can a model's own Python files: both are refused.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from xlt.cards import gguf_header, safetensors_header
from xlt.cards.files import Format
from xlt.errors import XltError

INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
WEIGHTS = (*PICKLES, ".safetensors", ".gguf")
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapters.safetensors")
"""As PEFT and as mlx-lm call them; a folder may hold both."""
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")


def is_adapter(folder: Path) -> bool:
    """Whether a folder is a PEFT or mlx-lm adapter."""
    return (folder / ADAPTER_CONFIG).is_file()


def is_model(path: Path) -> bool:
    """Whether a path looks like a model of some kind, whole or not."""
    if path.is_file():
        return path.suffix.lower() == ".gguf"
    if is_unfinished(path):
        return False
    names = ("config.json", ADAPTER_CONFIG, "card.toml")
    return any((path / name).is_file() for name in names) or bool(has_weights(path))


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds a training that was begun and is not finished: a model gets its card last."""
    return (folder / "training").is_dir() and not (folder / "card.toml").is_file()


def has_weights(folder: Path) -> bool:
    """Whether a folder holds weights, an adapter or a configuration, and not only a card."""
    names = ("config.json", ADAPTER_CONFIG)
    return any((folder / name).is_file() for name in names) or any(folder.glob("*.gguf"))


def check_folder(folder: Path, name: str, remedy: str) -> Format:
    """Check a Hugging Face or MLX folder and tell its format.

    Raises XltError in one sentence that names the missing, short or refused file and ends with `remedy`.
    """
    broken = _Broken(name, remedy)
    config = read_json(folder / "config.json", broken)
    weights = _weights(folder, broken)
    for path in weights:
        _check_safetensors(path, broken)
    if not _whole(folder / "tokenizer.json"):
        raise broken(f"its tokenizer, {folder / 'tokenizer.json'}, is missing or empty")
    if "auto_map" in config and not _built_in(str(config.get("model_type", ""))):
        raise XltError(
            f"Model {name!r} runs only with Python code of its own (auto_map in its config.json), which xlt never "
            "runs; choose a model of an architecture that transformers or mlx-lm knows."
        )
    return "mlx" if config.get("quantization") else "hf"


def check_adapter(folder: Path, name: str, remedy: str) -> dict[str, Any]:
    """Check an adapter folder; returns its `adapter_config.json`. Raises XltError in one sentence."""
    broken = _Broken(name, remedy)
    config = read_json(folder / ADAPTER_CONFIG, broken)
    present = [folder / each for each in ADAPTER_WEIGHTS if (folder / each).exists()]
    if not present:
        _refuse_pickles(folder, name)
        raise broken(f"its weights, {folder / ADAPTER_WEIGHTS[0]}, are missing")
    for path in present:
        _check_safetensors(path, broken)
    return config


def check_gguf(path: Path, name: str, remedy: str) -> None:
    """Check that a GGUF file is as long as its header says. Raises XltError in one sentence."""
    short = gguf_header.read_header(path).end() - path.stat().st_size
    if short > 0:
        raise _Broken(name, remedy)(f"{path} is cut short, {short} bytes are missing")


def refuse_file(path: Path) -> XltError:
    """What to say of a file that is no GGUF."""
    if path.suffix.lower() in PICKLES:
        return XltError(
            f"{path} is a pickle, which can run code when it is loaded and is refused; use the safetensors form of "
            "the model."
        )
    return XltError(f"{path} is no model; name a model's folder or a .gguf file.")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up a model folder, in order; those of its index, and those that are there."""
    names = {path.name for path in folder.glob("model*.safetensors")}
    # No index, or one that `check_folder` refuses.
    with contextlib.suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
        names.update(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    return [folder / name for name in sorted(names)]


class _Broken:
    """Makes the sentence about a model that is not whole."""

    def __init__(self, name: str, remedy: str) -> None:
        self.name = name
        self.remedy = remedy

    def __call__(self, what: str) -> XltError:
        return XltError(f"Model {self.name!r} is not whole: {what}; {self.remedy}.")


def read_json(path: Path, broken: _Broken) -> dict[str, Any]:
    """A JSON object from a file, or the sentence about why not."""
    if not _whole(path):
        raise broken(f"{path} is missing or empty")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise broken(f"{path} is no valid JSON") from None
    if not isinstance(value, dict):
        raise broken(f"{path} holds no JSON object")
    return value


def _weights(folder: Path, broken: _Broken) -> list[Path]:
    if (folder / INDEX).exists():
        index = read_json(folder / INDEX, broken)
        shards = index.get("weight_map")
        if not isinstance(shards, dict) or not shards or any(Path(str(v)).name != v for v in shards.values()):
            raise broken(f"{folder / INDEX} names no files of this folder")
    weights = weight_files(folder)
    for path in list(weights):
        if match := _SHARD.fullmatch(path.name):
            stem, _, count = match.groups()
            weights += [folder / f"{stem}-{n + 1:05d}-of-{count}.safetensors" for n in range(int(count))]
    weights = sorted(set(weights))
    if not weights:
        _refuse_pickles(folder, broken.name)
        raise broken(f"its weights, {folder / 'model.safetensors'}, are missing")
    return weights


def _refuse_pickles(folder: Path, name: str) -> None:
    found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLES)
    if found:
        raise XltError(
            f"Model {name!r} has its weights only as a pickle ({found[0]} in {folder}), which can run code when it is "
            "loaded and is refused; use its safetensors form."
        )


def _check_safetensors(path: Path, broken: _Broken) -> None:
    if not _whole(path):
        raise broken(f"{path} is missing or empty")
    safetensors_header.read_header(path, broken)


def _whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _built_in(model_type: str) -> bool:
    """Whether transformers or mlx-lm has this architecture; looks for its file, since importing them is slow."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", model_type):
        return False
    module = model_type.replace("-", "_")
    for library in ("transformers", "mlx_lm"):
        spec = importlib.util.find_spec(library)
        for root in (spec.submodule_search_locations or []) if spec else []:
            if (Path(root) / "models" / module).is_dir() or (Path(root) / "models" / f"{module}.py").is_file():
                return True
    return False
