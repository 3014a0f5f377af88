"""What `xlt finetune` makes of its options."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from xlt import backends
from xlt.cards.card import Model
from xlt.cards.fit import shape_of_model
from xlt.cards.read import NAME
from xlt.cards.registry import find
from xlt.corpus.importing.files import write_rejects as beside
from xlt.corpus.readers import kind_of
from xlt.corpus.rejects import Reject
from xlt.errors import UsageError, XltError
from xlt.languages import canonical
from xlt.tasks.load import load_task
from xlt.training.choose import Balance, Wish, choose
from xlt.training.job import Tuning
from xlt.training.material import Source, read_material
from xlt.training.recipe import DEFAULT, load_recipe

BASE, TINY_BASE = "llama-3.2-3b", "xlt-mini-base"
TINY = 100_000_000
"""Parameters below which the recipe `tiny` is taken unless one is named."""


@dataclass(frozen=True)
class Asked:
    """The options of `xlt finetune`, as given."""

    source: Source = field(default_factory=Source)
    langs: str | None = None
    shots: str | None = None
    per_lang: int | None = None
    balance: Balance = "none"
    by_author: bool = False
    base: str | None = None
    task: str = "immigration"
    name: str | None = None
    recipe: str | None = None
    changes: tuple[str, ...] = ()
    epochs: int | None = None
    average_checkpoints: int | None = None
    precision: str | None = None
    seed: int = 0
    backend: str = "auto"
    device: str = "auto"
    threads: int = 0
    resume: bool = False
    track: str | None = None
    command: tuple[str, ...] = ()


def build(asked: Asked) -> tuple[Tuning, list[str]]:
    """The job, and sentences about what was taken where nothing was named. Raises UsageError, XltError."""
    task = load_task(asked.task)
    langs, every = _langs(asked)
    shots = _shots(asked.shots)
    for path in asked.source.files:
        kind_of(path)
    if asked.name is not None and not re.fullmatch(NAME, asked.name):
        raise UsageError(f"--name {asked.name}: small letters, digits, '.', '-' and '_' only.")
    named = load_recipe(asked.recipe) if asked.recipe else None
    backend = backends.choose(asked.backend)
    base, notes = _base(asked, backend.name)
    if named is None:
        shape = shape_of_model(base.files)
        tiny = 0 < shape.parameters < TINY
        named = load_recipe("tiny" if tiny else DEFAULT)
        notes.append(f"Recipe {named.name}, since {'the base is tiny' if tiny else 'none was named'} (--recipe).")
    recipe = named.changed(_changes(asked))
    material = read_material(asked.source, task)
    wish = Wish(langs, every, shots, asked.per_lang, asked.balance, asked.by_author, recipe.dev_share, asked.seed)
    choice = choose(material, wish, task.names)
    tuning = Tuning(
        name=asked.name or _name(base, asked, langs, shots),
        base=base,
        task=task,
        choice=choice,
        recipe=recipe,
        seed=asked.seed,
        workspace=asked.source.workspace,
        backend=backend.name,
        device=asked.device,
        threads=asked.threads,
        resume=asked.resume,
        track=asked.track,
        command=asked.command,
    )
    return tuning, [*material.notes, *notes]


def _langs(asked: Asked) -> tuple[tuple[str, ...], bool]:
    """The languages named, and whether all of the data are meant: `all`, or no word about languages."""
    if asked.langs is None:
        return (), asked.shots is None
    parts = [part.strip() for part in asked.langs.split(",") if part.strip()]
    if not parts:
        raise UsageError("--langs is empty; write codes such as en,de, or all.")
    if "all" in parts:
        return (), True
    return tuple(dict.fromkeys(canonical(part) for part in parts)), False


def _shots(given: str | None) -> dict[str, int]:
    shots: dict[str, int] = {}
    for part in (part.strip() for part in (given or "").split(",")):
        lang, _, number = part.partition("=")
        if part and not (lang.strip() and number.strip().isdecimal() and int(number) > 0):
            raise UsageError(f"--shots {given}: write languages with numbers, such as it=50,hi=10.")
        if part:
            shots[canonical(lang)] = int(number)
    return shots


def _changes(asked: Asked) -> list[str]:
    """All settings in the order in which they count: the options with names of their own last."""
    own = {"epochs": asked.epochs, "average_checkpoints": asked.average_checkpoints, "precision": asked.precision}
    return [*asked.changes, *(f"{key}={value}" for key, value in own.items() if value is not None)]


def _base(asked: Asked, backend: str) -> tuple[Model, list[str]]:
    workspace = asked.source.workspace
    if asked.base is not None:
        return find(asked.base, backend=backend, workspace=workspace), []
    try:
        return find(BASE, backend=backend, workspace=workspace), [f"Base {BASE}, since none was named (--base)."]
    except XltError:
        note = (
            f"Base {TINY_BASE}, since none was named and {BASE} is not on this machine: it is for trying xlt; fetch a "
            f"real one with xlt models pull {BASE}."
        )
        return find(TINY_BASE, backend=backend, workspace=workspace), [note]


def _name(base: Model, asked: Asked, langs: tuple[str, ...], shots: dict[str, int]) -> str:
    """A name that tells base, languages and seed, such as `llama-3.2-3b-en-it50`."""
    stem = Path(base.name).name.lower().removesuffix(".gguf")
    parts = [*(langs if langs or shots else ("all",)), *(f"{lang}{count}" for lang, count in shots.items())]
    if asked.langs is not None and "all" in asked.langs.split(","):
        parts.insert(0, "all")
    parts += [f"x{asked.per_lang}"] if asked.per_lang else []
    parts += [f"seed{asked.seed}"] if asked.seed else []
    return re.sub(r"[^a-z0-9._-]+", "-", "-".join([stem, *dict.fromkeys(parts)])).strip("-.")


def write_rejects(tuning: Tuning, quiet: bool) -> None:
    """Write `FILE.rejects.jsonl` beside each file with rows that can't be used, and say so."""
    by_file: dict[str, list[Reject]] = {}
    for reject in tuning.choice.rejects:
        by_file.setdefault(reject.file, []).append(reject)
    for file, rejects in by_file.items():
        where = beside(Path(file), rejects, tuning.workspace)
        if not quiet:
            print(f"{len(rejects):,} rows of {file} could not be used: see {where}.", file=sys.stderr)
