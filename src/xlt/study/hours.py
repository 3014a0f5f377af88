"""How long the cells of a study may still take: by finished ones, else by work that is timed on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from xlt import backends
from xlt.cards.registry import find
from xlt.errors import XltError
from xlt.study.baselines import ngrams
from xlt.study.design import PROMPTED, TUNED, Cell
from xlt.study.prompting import Labeller
from xlt.study.shown import examples_of
from xlt.study.tuned import tuning_of
from xlt.training.loop import seconds_per_step

if TYPE_CHECKING:
    from xlt.study.grid import Grid

Kind = tuple[str, str, str]
"""Strategy, base, recipe: cells of one kind differ in their training texts alone."""
TIMED_TEXTS = 32
Source = Literal["", "done cells", "timed steps"]


@dataclass(frozen=True)
class Left:
    """What is left of some cells."""

    seconds: float | None
    """None where it can't be told."""
    source: Source = ""
    problem: str | None = None
    """Why it can't be told."""


def kind_of(cell: Cell) -> Kind:
    """What a cell's time hangs on, beside its training texts."""
    return cell.strategy, cell.base, cell.recipe


def time_left(grid: Grid, cells: Sequence[Cell], *, measure: bool = True) -> Left:
    """How long the unfinished ones of cells of one kind may take.

    By the time that finished cells of the kind took per training text; where there is none, and `measure`, by some
    steps and some test texts that are timed now. Keeps nothing.
    """
    left = [cell for cell in cells if not grid.store.finished(cell)]
    if not left:
        return Left(0.0)
    done = [cell for cell in grid.study.cells if kind_of(cell) == kind_of(left[0]) and grid.store.finished(cell)]
    try:
        if done:
            return Left(_by_done(grid, done, left), "done cells")
        return Left(_by_timing(grid, left), "timed steps") if measure else Left(None)
    except XltError as error:
        return Left(None, problem=str(error))


def _by_done(grid: Grid, done: Sequence[Cell], left: Sequence[Cell]) -> float:
    took = [float(grid.store.record(cell)["seconds"]) for cell in done]
    if left[0].strategy not in ("finetune", "ngrams"):
        return fmean(took) * len(left)
    learnt = sum(int(grid.store.record(cell).get("examples", 1)) for cell in done)
    return sum(took) * sum(len(grid.choice(cell, 0.0).train) for cell in left) / max(1, learnt)


def _by_timing(grid: Grid, left: Sequence[Cell]) -> float:
    strategy = left[0].strategy
    if strategy == "commonest":
        return 0.0
    sizes = [len(grid.choice(cell, 0.0).train) for cell in left] if strategy not in PROMPTED else []
    if strategy == "ngrams":
        # Not the import's time, which a run spends once.
        import sklearn.feature_extraction.text
        import sklearn.linear_model  # noqa: F401

        largest = grid.choice(left[sizes.index(max(sizes))], 0.0).train
        labels = [grid.task.names.index(each.label) for each in largest]
        begun = time.monotonic()
        ngrams([each.text for each in largest], labels, grid.test.texts, len(grid.task.names))
        return (time.monotonic() - begun) * sum(sizes) / max(sizes)
    load, per_text = _labelling(grid, left[0])
    seconds = (load + per_text * len(grid.test.texts)) * len(left)
    # translate-test uses the models of finetune where the study makes them.
    tuned = [cell for cell in left if cell.strategy in TUNED and not _has_model(grid, cell)]
    if tuned:
        biggest = max(tuned, key=lambda cell: len(grid.choice(cell, 0.0).train))
        with TemporaryDirectory(prefix="xlt-") as scratch:
            per_step = seconds_per_step(replace(tuning_of(grid, biggest), workspace=Path(scratch), resume=False))
        for cell in tuned:
            tuning = tuning_of(grid, cell)
            recipe, choice = tuning.recipe, tuning.choice
            seconds += load + per_step * recipe.steps_per_epoch(len(choice.train)) * recipe.epochs
            seconds += per_text * len(choice.dev) * recipe.evals * recipe.epochs
    return seconds


def _labelling(grid: Grid, cell: Cell) -> tuple[float, float]:
    """Seconds until a base is ready, and seconds for a text: the tuned model takes as long."""
    backend = backends.choose(grid.where.backend)
    files = find(cell.base, backend=backend.name, workspace=grid.where.workspace).files
    every = max(1, len(grid.test.texts) // TIMED_TEXTS)
    texts, langs = grid.test.texts[::every][:TIMED_TEXTS], grid.test.langs[::every][:TIMED_TEXTS]
    begun = time.monotonic()
    labeller = Labeller(files, backend, device=grid.where.device, threads=grid.where.threads)
    try:
        labeller(grid.task, texts[:1])
        ready = time.monotonic()
        if cell.strategy in PROMPTED:
            shown = examples_of(grid, cell) if cell.strategy == "few-shot" else {}
            pairs = {lang: [(each.text, each.label) for each in some] for lang, some in shown.items()}
            labeller.prompted(grid.task, texts, langs, pairs)
        else:
            labeller(grid.task, texts)
        return ready - begun, (time.monotonic() - ready) / len(texts)
    finally:
        labeller.close()


def _has_model(grid: Grid, cell: Cell) -> bool:
    owner = replace(cell, strategy="finetune")
    made = (grid.store.at(owner) / "models").is_dir() and grid.store.finished(owner)
    return made or (cell.strategy == "translate-test" and owner in grid.study.cells)
