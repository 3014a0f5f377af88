"""Makes a quantised model of one that is not, and says what that cost."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from xlt.backends import NAMES, get, preferred
from xlt.backends.base import BackendName
from xlt.cards.card import Card
from xlt.cards.files import ModelFiles
from xlt.cards.read import FILE, write_card
from xlt.disk import check_space, new_folder
from xlt.errors import UsageError, XltError
from xlt.release.compare import Compared, compared, held_out, labels_of
from xlt.release.gguf import write_gguf
from xlt.release.merge import copy_tokenizer, derived_card, keep_history, merged_size, target_folder, write_merged
from xlt.release.source import Source, unquantised

Kind = Literal["mlx", "nf4", "gguf"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What is to be quantised, into what, and what it may cost."""

    name: str
    kind: Kind
    bits: int = 4
    out: str | None = None
    """The new model's name; None: the old one's and the format."""
    data: tuple[Path, ...] = ()
    """Labelled files to compare on; none: the bundled sample."""
    task: str | None = None
    """None: the model's own, or `immigration`."""
    limit: int | None = None
    max_loss: float | None = None
    """Macro-F1 above which the new model is not kept."""
    workspace: Path = Path()


@dataclass(frozen=True)
class Quantised:
    """What was made."""

    folder: Path
    before: int
    """Bytes of the unquantised weights on disk, merged in bfloat16."""
    after: int
    compared: Compared


def default_kind() -> Kind:
    """MLX where MLX is preferred, otherwise NF4."""
    return "mlx" if preferred()[0] == "mlx" else "nf4"


def check_kind(kind: str, bits: int) -> Kind:
    """Raise UsageError for a format that there is not, or not in so many bits."""
    if kind not in KINDS:
        raise UsageError(f"There is no format {kind!r}; there are {', '.join(KINDS)}.")
    if bits not in (4, 8) or (kind == "nf4" and bits != 4):
        raise UsageError(f"--bits {bits}: mlx and gguf come in 4 and 8 bits, nf4 in 4.")
    return kind


def quantise(order: Order, say: Say) -> Quantised:
    """Merge if there is an adapter, quantise once, compare, and keep the result as a model of the workspace.

    Raises XltError when the format can't hold the model, the disk is full, or more was lost than `max_loss` allows;
    then nothing is left behind.
    """
    source = unquantised(order.name, order.workspace)
    backend = runs_on(order.kind)
    target = target_folder(order.out or f"{source.name}-{_suffix(order)}", order.workspace)
    task = source.task(order.task)
    examples, data = held_out(source, order.data, task, order.workspace, order.limit)
    size = merged_size(source)
    check_space(target.parent, (size if source.model.files.adapter else 0) + size * order.bits // 10, "Quantising")
    with new_folder(target) as folder, plain_folder(source, folder / "merged", say) as plain:
        say(f"Quantising {source.name} to {described(order.kind, order.bits)} …")
        write_quantised(order.kind, plain, folder, source.name, order.bits, target.name)
        texts = [example.text for example in examples]
        say(f"Comparing labels of {len(texts):,} texts ({data}) …")
        labels = [labels_of(each, backend, task, texts) for each in (_plain(plain), files_of(order.kind, folder))]
        result = compared(examples, data, task, *labels)
        _judge(result, order, target)
        keep_history(source, folder)
        write_card(folder / FILE, _card(source, order, target.name, result))
        return Quantised(target, weights_size(plain), weights_size(folder), result)


@contextlib.contextmanager
def plain_folder(source: Source, made: Path, say: Say) -> Iterator[Path]:
    """The model's weights without an adapter: its own folder, or `made`, merged, which goes when the block ends."""
    if source.model.files.adapter is None:
        yield source.folder
        return
    say(f"Merging {source.name} into its unquantised base …")
    try:
        made.mkdir()
        write_merged(source, made)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_quantised(kind: Kind, plain: Path, folder: Path, name: str, bits: int, file: str) -> None:
    """Write an unquantised folder in another format into an empty folder, tokenizer included.

    `name` is the model's, for messages; `file` names a GGUF file.
    """
    if kind == "gguf":
        write_gguf(plain, folder / f"{file}.gguf", name, bits)
        return
    if kind == "mlx":
        from xlt.backends.mlx.quantise import quantise as to_mlx

        to_mlx(plain, folder, name, bits)
    else:
        from xlt.backends.torch.quantise import quantise as to_nf4

        to_nf4(plain, folder, name)
    copy_tokenizer(plain, folder, name)


def described(kind: Kind, bits: int) -> str:
    """A format in words, for people and cards."""
    if kind == "nf4":
        return "NF4 (bitsandbytes)"
    if kind == "gguf":
        return f"GGUF {'Q4_0, embedding Q8_0' if bits == 4 else 'Q8_0'}"
    return f"MLX, {bits} bits in groups of 64{', label head 8 bits' if bits == 4 else ''}"


def files_of(kind: Kind, folder: Path) -> ModelFiles:
    """The files that `write_quantised` wrote."""
    if kind == "gguf":
        return ModelFiles(folder.name, "gguf", next(folder.glob("*.gguf")))
    return ModelFiles(folder.name, "mlx" if kind == "mlx" else "hf", folder)


def _plain(folder: Path) -> ModelFiles:
    return ModelFiles(folder.name, "hf", folder)


def runs_on(kind: Kind) -> BackendName:
    """The backend that runs the format here. Raises XltError with what to install."""
    wanted: tuple[BackendName, ...] = {"mlx": ("mlx",), "nf4": ("torch",), "gguf": preferred()}[kind]  # type: ignore[assignment]
    states = [(name, get(name).availability()) for name in NAMES if name in wanted]
    for name in wanted:
        if any(name == each and state.usable for each, state in states):
            return name
    raise XltError(" ".join(state.reason for _, state in states))


def _suffix(order: Order) -> str:
    if order.kind == "gguf":
        return f"gguf-q{order.bits}_0"
    return "nf4" if order.kind == "nf4" else f"mlx-{order.bits}bit"


def _judge(result: Compared, order: Order, target: Path) -> None:
    if order.max_loss is not None and result.all.lost > order.max_loss:
        raise XltError(
            f"{target.name} is not kept: quantising cost {result.all.lost:.3f} of macro-F1 on {result.data} "
            f"({result.all.before:.3f} to {result.all.after:.3f}, n = {result.all.n:,}), more than --max-loss "
            f"{order.max_loss:g}; try --bits 8 or another format."
        )


def _card(source: Source, order: Order, name: str, result: Compared) -> Card:
    line = result.all
    card = derived_card(
        source,
        name,
        quantised=described(order.kind, order.bits),
        compared_on=f"{result.data}, n = {line.n}",
        same_labels=round(line.agreement, 4),
        macro_f1_lost=round(line.lost, 4),
    )
    title = f"{source.card.title if source.card else source.name} ({described(order.kind, order.bits)})"
    if order.data:
        card = replace(card, scores=result.scores)
    if "temperature" in card.made:
        card = replace(card, made={**card.made, "temperature_of": f"{source.name}, before quantising"})
    return replace(card, title=title)


def weights_size(folder: Path) -> int:
    """Bytes of the weights in a folder."""
    return sum(path.stat().st_size for pattern in ("*.safetensors", "*.gguf") for path in folder.glob(pattern))
