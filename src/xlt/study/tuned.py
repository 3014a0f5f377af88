"""The tuned model of a cell: made when it is not there, gone on with when it was cut short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xlt import backends
from xlt.cards.card import Model
from xlt.cards.check import is_unfinished
from xlt.cards.registry import find, locate
from xlt.study.design import Cell
from xlt.training.job import Tuning
from xlt.training.listener import Deaf, Listener
from xlt.training.loop import finetune
from xlt.training.recipe import load_recipe

if TYPE_CHECKING:
    from xlt.study.grid import Grid

MODEL = "model"


class _Teller(Deaf):
    """Passes on sentences; steps and evaluations are in the model's folder."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def say(self, sentence: str) -> None:
        """One sentence."""
        self._tell(f"  {sentence}")


def tune(grid: Grid, cell: Cell, say: Callable[[str], None]) -> tuple[Model, dict[str, object]]:
    """The model of a `finetune` cell (of which `translate-test` uses the same), and what made it.

    Raises XltError; Interrupted when it was stopped, with a checkpoint that the next run goes on from.
    """
    tuning = tuning_of(grid, cell)
    path = tuning.workspace / "models" / MODEL
    if not (path / "card.toml").is_file():
        listener: Listener = _Teller(say)
        finetune(tuning, listener)
    choice = tuning.choice
    record: dict[str, object] = {"data": choice.hash, "seen": list(choice.seen), "examples": len(choice.train)}
    return find(str(path.resolve()), backend=tuning.backend, workspace=grid.where.workspace), record


def tuning_of(grid: Grid, cell: Cell) -> Tuning:
    """What makes the model of a cell. Raises XltError."""
    workspace = grid.store.at(replace(cell, strategy="finetune"))
    backend = backends.choose(grid.where.backend)
    recipe = load_recipe(cell.recipe).changed(grid.study.settings)
    return Tuning(
        name=MODEL,
        base=_base(cell.base, backend.name, grid.where.workspace),
        task=grid.task,
        choice=grid.choice(cell, recipe.dev_share),
        recipe=recipe,
        seed=cell.seed,
        workspace=workspace,
        backend=backend.name,
        device=grid.where.device,
        threads=grid.where.threads,
        resume=is_unfinished(workspace / "models" / MODEL),
    )


def _base(name: str, backend: str, workspace: Path) -> Model:
    """The base; one of the workspace by its path, since the cell's model lies in a folder of its own."""
    place = locate(name, backend, workspace)
    if place.where == "workspace":
        name = str(place.path.resolve())
    return find(name, backend=backend, workspace=workspace)
