"""Merges an adapter into its unquantised base, tensor by tensor: in float32, rounded to bfloat16 once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy.typing as npt

from xlt import __version__
from xlt.backends.common import read_json
from xlt.cards.card import Card, Scalar
from xlt.cards.lora import Tuned, Update, read_lora
from xlt.cards.read import FILE, NAME, write_card
from xlt.cards.registry import TASK, refuse_built_in
from xlt.cards.rope import with_both_spellings
from xlt.cards.tensors import SHARD, Made, Stored, in_bf16, stored, to_bf16, write_model_files
from xlt.disk import check_space, new_folder, write_json
from xlt.errors import UsageError, XltError
from xlt.release.source import Source, unquantised
from xlt.tasks.load import load_task
from xlt.training.signatures import FILE as SIGNATURES

# What goes along unchanged, where the base has it.
_BESIDE = ("generation_config.json", "special_tokens_map.json", "chat_template.jinja", "LICENSE*", "USE_POLICY*")


def merge(name: str, out: str | None, workspace: Path) -> Path:
    """Make `models/OUT` from an adapter's model: a plain Hugging Face folder in bfloat16, with a card. Returns it.

    Raises XltError when the adapter's base is missing or quantised, the adapter does not fit it, or the disk is full;
    UsageError when there is no adapter or OUT is there already. Nothing half-done is left.
    """
    source = unquantised(name, workspace)
    if source.model.files.adapter is None:
        raise UsageError(f"Model {name!r} has no adapter: it is merged already, and there is nothing to do.")
    target = target_folder(out or f"{source.name}-merged", workspace)
    check_space(target.parent, merged_size(source), f"The merged {name}")
    with new_folder(target) as folder:
        write_merged(source, folder)
        keep_history(source, folder)
        write_card(folder / FILE, merged_card(source, target.name))
    return target


def target_folder(name: str, workspace: Path) -> Path:
    """`models/NAME` of the workspace. Raises UsageError when it is there or its name is none for a card."""
    if not re.fullmatch(NAME, name):
        raise UsageError(f"A model can't be called {name!r}; small letters, digits, '.', '-' and '_' will do.")
    refuse_built_in(name)
    target = workspace / "models" / name
    for path in (target, target.with_name(f"{name}.gguf")):
        if path.exists():
            raise UsageError(f"{path} is there already; remove it (xlt models remove {name}) or choose another --name.")
    return target


def merged_size(source: Source) -> int:
    """Bytes of the merged weights, about."""
    return sum(2 * prod(tensor.shape) for tensor in stored(source.weights, source.name).values())


def write_merged(source: Source, folder: Path, shard: int = SHARD) -> None:
    """Write weights, configuration and tokenizer of the model in bfloat16 into an empty folder."""
    write_model_files(folder, merged_tensors(source), shard)
    write_settings(source, folder)


def merged_tensors(source: Source) -> dict[str, Made]:
    """The model's tensors in bfloat16, each computed when it is written."""
    tensors = stored(source.weights, source.name)
    adapter = source.model.files.adapter
    tuned = read_lora(adapter, source.name) if adapter else Tuned({}, {})
    changed = {f"{path}.weight": update for path, update in tuned.updates.items()}
    for key in [*changed, *tuned.replaced]:
        fits = key in tensors and tensors[key].shape == (changed[key] if key in changed else tuned.replaced[key]).shape
        if not fits:
            raise XltError(
                f"The adapter in {adapter} does not fit its base in {source.folder} ({key}); it was trained on another."
            )
    made = {}
    for key, tensor in tensors.items():
        if key in changed:
            made[key] = _sum(tensor, changed[key])
        else:
            made[key] = in_bf16(tuned.replaced.get(key, tensor))
    return made


def _sum(tensor: Stored, update: Update) -> Made:
    def parts() -> Iterator[npt.NDArray[Any]]:
        for first, rows in tensor.rows():
            yield to_bf16(rows + update.rows(first, len(rows)))

    return Made("BF16", tensor.shape, parts)


def write_settings(source: Source, folder: Path) -> None:
    """`config.json` as every reader needs it, the tokenizer, and licence files."""
    config = with_both_spellings(source.config) | {"dtype": "bfloat16", "torch_dtype": "bfloat16"}
    write_json(folder / "config.json", config)
    copy_tokenizer(source.folder, folder, source.name)
    copy_beside(source.folder, folder)


def copy_beside(folder: Path, out: Path) -> None:
    """Copy licences and what else goes along unchanged."""
    for pattern in _BESIDE:
        for path in folder.glob(pattern):
            shutil.copyfile(path, out / path.name)


def copy_tokenizer(folder: Path, out: Path, name: str) -> None:
    """Copy `tokenizer.json` with settings for a reader that takes it as it is."""
    shutil.copyfile(folder / "tokenizer.json", out / "tokenizer.json")
    write_json(out / "tokenizer_config.json", tokenizer_settings(folder, name))


def tokenizer_settings(folder: Path, name: str) -> dict[str, Any]:
    """A folder's `tokenizer_config.json` without what would rebuild the tokenizer or run code."""
    path = folder / "tokenizer_config.json"
    settings = read_json(path, name) if path.is_file() else {}
    settings.pop("auto_map", None)
    return {**settings, "tokenizer_class": "PreTrainedTokenizerFast"}


def keep_history(source: Source, folder: Path) -> None:
    """Copy a task of the user's own, and the signatures by which texts of the training are known again."""
    for name in (TASK, SIGNATURES):
        if (source.home / name).is_file():
            shutil.copyfile(source.home / name, folder / name)


def merged_card(source: Source, name: str) -> Card:
    """The card of the merged model: the adapter's, and where it came from."""
    return replace(
        derived_card(source, name),
        title=f"{source.card.title if source.card else source.name} (merged)",
        scores=source.card.scores if source.card else (),
    )


def derived_card(source: Source, name: str, **made: Scalar) -> Card:
    """A card for what is made of a model: its task, languages and licence, and its history with `made` added."""
    card = source.card or Card(source.name, source.name, "")
    origin: dict[str, Scalar] = {"from": source.name, "from_hash": source.model.hash, "xlt": __version__}
    if source.model.files.adapter:
        origin |= {"base_hash": source.base_hash(), "merged": "in fp32 into the unquantised base, rounded to bf16 once"}
    # A task that lies in the model's folder goes by its path once it is read.
    task = load_task(card.task).name if card.task and card.task.endswith(".toml") else card.task
    return replace(
        card, name=name, task=task, hub={}, gated=False, shape={}, made={**card.made, **origin, **made}, scores=()
    )
