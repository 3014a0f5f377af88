"""What a fine-tuning is asked to do: everything that the command line or a study decides, in one object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xlt.backends.base import BackendName
from xlt.cards.card import Model
from xlt.tasks.spec import Task
from xlt.training.examples import Choice
from xlt.training.recipe import Recipe


@dataclass(frozen=True)
class Tuning:
    """One fine-tuning."""

    name: str
    """Of the model to be made, `<workspace>/models/NAME`."""
    base: Model
    task: Task
    choice: Choice
    recipe: Recipe
    """With what was changed by --set, --epochs, --precision and --average-checkpoints."""
    seed: int = 0
    """Of the choice, the adapter's beginning, the order of the examples and dropout."""
    workspace: Path = Path()
    backend: BackendName = "torch"
    device: str = "auto"
    threads: int = 0
    resume: bool = False
    """Go on with the run of this name; without it, an unfinished run of this name is refused."""
    track: str | None = None
    """`tensorboard` or `wandb`: also tell it the figures; never by default."""
    command: tuple[str, ...] = ()
    """The arguments of `xlt` that asked for this, for the run folder."""
