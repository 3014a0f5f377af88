"""What this machine can run, and what is missing: everything `xlt doctor` shows, as data."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from xlt import __version__
from xlt.backends import get, preferred
from xlt.backends.base import Availability, BackendName, Device
from xlt.cache import cache_folder
from xlt.cards import check
from xlt.cards.card import Card
from xlt.cards.files import ModelFiles
from xlt.cards.fit import Fit, Shape, Stored, fits, shape_of_card, shape_of_model
from xlt.cards.hub import hub_cache
from xlt.cards.listing import Entry, known
from xlt.cards.registry import find, named_cards
from xlt.errors import XltError

# A batch of this many tokens, the shared prefix among them, is what a model is given room for.
TOKENS = 8192


@dataclass(frozen=True)
class BackendState:
    """One backend, and whether it is the one that `--backend auto` takes."""

    name: BackendName
    chosen: bool
    availability: Availability


@dataclass(frozen=True)
class Folder:
    """A folder that xlt writes to or reads from."""

    what: str
    path: Path
    exists: bool
    writable: bool
    """Whether it, or the nearest folder above it that exists, can be written."""
    free: int
    """Bytes free on its disk; 0 when nobody can say."""


@dataclass(frozen=True)
class ModelFit:
    """One model, and what it takes in the precisions of the chosen backend."""

    name: str
    where: str
    """Where its files are, or `not downloaded`."""
    parameters: int
    """0 when unknown."""
    fits: tuple[Fit, ...]
    """At bf16 and at 4 bits; empty when the size is unknown or no backend works."""
    problem: str = ""
    """Why it can't be used, as one sentence; empty when nothing is known against it."""


@dataclass(frozen=True)
class Report:
    """The state of this machine. Sizes in bytes."""

    xlt: str
    python: str
    executable: Path
    platform: str
    machine: str
    cores: int
    memory: int
    free: int
    backends: tuple[BackendState, ...]
    folders: tuple[Folder, ...]
    models: tuple[ModelFit, ...]
    """The model asked about, or all that have a name here."""
    advice: tuple[str, ...]
    """What to do next, a sentence each; empty when nothing is missing."""

    @property
    def backend(self) -> BackendState | None:
        """The backend that a run takes when none is named; None when no backend works."""
        return next((each for each in self.backends if each.chosen), None)


def examine(workspace: Path, model: str | None = None) -> Report:
    """Look at the machine, and at one model or all that have a name here.

    Imports the backends' libraries where they are installed, and never raises for what is not. Raises UsageError or
    XltError for a model that is unknown or not whole.
    """
    import psutil

    from xlt.backends.common import free_memory

    states = {name: get(name).availability() for name in preferred()}
    chosen = next((name for name in preferred() if states[name].usable), None)
    models = _models(workspace, model, chosen, states[chosen].devices[0] if chosen else None)
    folders = (
        _folder("workspace", workspace.resolve()),
        _folder("xlt's cache", cache_folder()),
        _folder("models from the hub", hub_cache()),
    )
    return Report(
        xlt=__version__,
        python=platform.python_version(),
        executable=Path(sys.executable),
        platform=platform.platform(aliased=True),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        memory=int(psutil.virtual_memory().total),
        free=free_memory(),
        backends=tuple(BackendState(name, name == chosen, states[name]) for name in states),
        folders=folders,
        models=models,
        advice=(*_advice(states, chosen, folders), *_missing(models if model else ())),
    )


def _advice(
    states: dict[BackendName, Availability], chosen: BackendName | None, folders: tuple[Folder, ...]
) -> list[str]:
    said = []
    if chosen is None:
        said.append("No backend works here, so nothing can be classified yet; install one of those below.")
    said += [state.reason for state in states.values() if not state.usable]
    said += [
        f"{each.path} ({each.what}) can't be written; choose another or mend that."
        for each in folders
        if not each.writable
    ]
    return said


def _missing(asked: tuple[ModelFit, ...]) -> list[str]:
    return [f"Fetch it with: xlt models pull {each.name}" for each in asked if each.where == "not downloaded"]


def _models(
    workspace: Path, wanted: str | None, backend: BackendName | None, device: Device | None
) -> tuple[ModelFit, ...]:
    cards = named_cards(workspace)
    entries = known(workspace)
    if wanted is not None:
        entries = [entry for entry in entries if entry.name == wanted]
        if not entries:
            files = find(wanted, backend=backend or "torch", workspace=workspace).files
            return (_fit(wanted, str(files.weights), shape_of_model(files), backend, device),)
    return tuple(
        _fit(entry.name, entry.where, _shape(entry, cards), backend, device, entry.problem) for entry in entries
    )


def _fit(
    name: str, where: str, shape: Shape, backend: BackendName | None, device: Device | None, problem: str = ""
) -> ModelFit:
    kinds: tuple[Stored, ...] = ("bf16", "mlx-4bit" if backend == "mlx" else "nf4")
    found = fits(shape, device.free, TOKENS, kinds) if device and shape.parameters else []
    return ModelFit(name, where, shape.parameters, tuple(found), problem)


def _shape(entry: Entry, cards: list[Card]) -> Shape:
    """The size of a model that may not be downloaded; an adapter's is that of its base."""
    card = next((each for each in cards if each.name == entry.name), None)
    base = card and next((each for each in cards if card.base in (each.name, *each.hub.values())), None)
    for each in (card, base):
        if each and each.shape:
            return shape_of_card(each)
    if entry.path and not entry.problem:
        try:
            form = "gguf" if entry.path.is_file() else check.check_folder(entry.path, entry.name, "")
            return shape_of_model(ModelFiles(entry.name, form, entry.path))
        except (XltError, OSError, ValueError):
            pass  # An adapter without a known base: its card may still say how many.
    return Shape(entry.parameters)


def _folder(what: str, path: Path) -> Folder:
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        free = shutil.disk_usage(nearest).free
    except OSError:
        free = 0
    return Folder(what, path, path.is_dir(), nearest.is_dir() and os.access(nearest, os.W_OK), free)
