"""Makes what one would release: weights in every form, a model card, checksums; or a classifier folder."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from xlt.backends.common import read_json
from xlt.cards.card import Card
from xlt.cards.check import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from xlt.cards.files import ModelFiles
from xlt.cards.read import FILE, HUB_ID, write_card
from xlt.cards.registry import TASK, named_cards
from xlt.disk import check_space, new_folder, write_json, write_text
from xlt.errors import XltError
from xlt.release.compare import Compared, compared, held_out, labels_of
from xlt.release.merge import merged_card, merged_size, write_merged
from xlt.release.quantise import Kind, described, files_of, runs_on, weights_size, write_quantised
from xlt.release.readme import Part, release_readme, seqcls_readme, sums
from xlt.release.seqcls import export_seqcls
from xlt.release.source import Source, unquantised
from xlt.tasks.spec import Task

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Export:
    """What is to be exported, and where to."""

    name: str
    out: Path
    kinds: tuple[Kind, ...] | None = None
    """Quantised forms; None: what the machine can make of MLX and GGUF."""
    data: tuple[Path, ...] = ()
    """Labelled files on which quantised forms are compared; none: the bundled sample."""
    task: str | None = None
    limit: int | None = None
    workspace: Path = Path()


def export_classifier(order: Export) -> None:
    """Write a `…ForSequenceClassification` folder. Raises XltError, UsageError; nothing half-done is left."""
    source = unquantised(order.name, order.workspace)
    card, task, base = _about(source, order)
    export_seqcls(source, task, order.out, seqcls_readme(card, task, base))


def export_release(order: Export, say: Callable[[str], None]) -> None:
    """Write a release folder. Raises XltError, UsageError; nothing half-done is left."""
    source = unquantised(order.name, order.workspace)
    card, task, base = _about(source, order)
    kinds = order.kinds if order.kinds is not None else (("mlx", "gguf") if _has_mlx() else ("gguf",))
    check_space(order.out.parent, merged_size(source) * (1 + len(kinds)), f"The release of {source.name}")
    with new_folder(order.out) as folder:
        say(f"Merging {source.name} …" if source.model.files.adapter else f"Copying {source.name} …")
        write_merged(source, folder)
        if task.source:
            write_text(folder / TASK, task.source)
        write_card(folder / FILE, card)
        parts = [Part(".", "merged, bfloat16, for transformers and mlx-lm", weights_size(folder))]
        if source.model.files.adapter:
            parts.append(_adapter(source.model.files.adapter, folder / "adapter", base))
        parts += _quantised(source, folder, kinds, order, task, say)
        write_text(folder / "README.md", release_readme(card, task, base, parts))
        write_text(folder / SUMS, sums(folder))


def _about(source: Source, order: Export) -> tuple[Card, Task, str | None]:
    """The card of what is exported, its task, and what its base is called elsewhere."""
    own = source.card or Card(source.name, source.name, "")
    if own.task is None and order.task is None:
        raise XltError(
            f"Model {order.name!r} is tuned for no task, so there is nothing to release; name its task with --task, or "
            "tune it first (xlt finetune)."
        )
    task, base = source.task(order.task), public_base(own.base, order.workspace)
    return replace(merged_card(source, source.name), title=own.title, task=task.name, base=base), task, base


def public_base(base: str | None, workspace: Path) -> str | None:
    """What others call a base: its hub id where there is one, never a path of this machine."""
    if base is None:
        return None
    hub = next((card.hub.get("torch") for card in named_cards(workspace) if card.name == base), None)
    if hub:
        return hub
    on_this_machine = Path(base).is_absolute() or base.startswith((".", "~")) or base.count("/") > 1
    return Path(base).name if on_this_machine or not re.fullmatch(HUB_ID, base) else base


def _adapter(adapter: Path, folder: Path, base: str | None) -> Part:
    folder.mkdir()
    for name in ADAPTER_WEIGHTS:
        if (adapter / name).is_file():
            shutil.copyfile(adapter / name, folder / name)
    settings = read_json(adapter / ADAPTER_CONFIG, "adapter")
    if base is not None and "base_model_name_or_path" in settings:
        settings["base_model_name_or_path"] = base
    write_json(folder / ADAPTER_CONFIG, settings)
    return Part("adapter/", f"LoRA adapter on {base or 'its base'}, for PEFT and mlx-lm", weights_size(folder))


def _quantised(
    source: Source, folder: Path, kinds: tuple[Kind, ...], order: Export, task: Task, say: Callable[[str], None]
) -> list[Part]:
    parts = []
    examples, data = held_out(source, order.data, task, order.workspace, order.limit) if kinds else ([], "")
    texts = [example.text for example in examples]
    before = {}
    for kind in kinds:
        what = described(kind, 4)
        say(f"Quantising to {what} …")
        made = folder / ("mlx-4bit" if kind == "mlx" else kind)
        made.mkdir()
        try:
            write_quantised(kind, folder, made, source.name, 4, f"{source.name}-q4_0")
        except XltError as error:
            if order.kinds is not None:
                raise
            shutil.rmtree(made)
            say(f"Left out: {error}")
            continue
        backend = runs_on(kind)
        say(f"Comparing labels of {len(texts):,} texts ({data}) …")
        if backend not in before:
            before[backend] = labels_of(ModelFiles(source.name, "hf", folder), backend, task, texts)
        after = labels_of(files_of(kind, made), backend, task, texts)
        found: Compared = compared(examples, data, task, before[backend], after)
        parts.append(Part(f"{made.name}/", what, weights_size(made), found))
    return parts


def _has_mlx() -> bool:
    return importlib.util.find_spec("mlx_lm") is not None
