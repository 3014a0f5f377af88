"""The figures of a training, read back from its folder: at work, stopped, or long finished."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt.cards.read import FILE as CARD
from xlt.errors import XltError
from xlt.locks import holder_of
from xlt.training.evaluation import SEEN, UNSEEN
from xlt.training.folder import EPOCHS, STEPS, Folder


@dataclass(frozen=True)
class Mark:
    """Some held-out examples at one evaluation."""

    step: int
    epoch: float
    of: str
    """`seen`, `unseen`, or a language."""
    n: int
    loss: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Curves:
    """A training, as far as it is written down."""

    folder: Path
    """The model's."""
    pid: int | None
    """The process at work on it."""
    finished: bool
    base: str
    recipe: str
    languages: tuple[str, ...]
    """Trained on."""
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    """Of each step, before its update."""
    tokens_per_second: float | None
    """Over all steps."""
    marks: tuple[Mark, ...]
    """In the order in which they were made."""

    def of(self, name: str) -> list[Mark]:
        """The marks of a group or a language, by step."""
        return [mark for mark in self.marks if mark.of == name]

    @property
    def marked(self) -> list[str]:
        """The languages with held-out examples, in the order of their codes."""
        return sorted({mark.of for mark in self.marks} - {SEEN, UNSEEN})


def has_training(model: Path | None) -> bool:
    """Whether a model's folder holds figures of its training."""
    return model is not None and (model / "training" / "config.json").is_file()


def trainings(workspace: Path) -> list[Path]:
    """Models in the making, at work or stopped: folders with a training and no card yet."""
    found = (workspace / "models").glob("*/training/config.json")
    return sorted(path.parents[1] for path in found if not (path.parents[1] / CARD).is_file())


def read_curves(model: Path) -> Curves:
    """The figures in a model's folder. Raises XltError when there is no training in it, or its record is broken.

    Lines that are cut short, as by a process that is just writing, are left out.
    """
    folder = Folder(model)
    path = folder.training / "config.json"
    try:
        made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["made_of"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise XltError(f"{path} can't be read: {error}.") from None
    steps = [
        (int(step), float(loss), int(tokens), float(seconds))
        for step, _, loss, _, _, tokens, seconds in _rows(folder.training / "steps.csv", STEPS)
    ]
    marks = [
        Mark(int(step), float(epoch), of, int(n), float(loss), float(accuracy), float(f1))
        for step, epoch, _, of, n, loss, accuracy, f1 in _rows(folder.training / "epochs.csv", EPOCHS)
        if of
    ]
    seconds = sum(each[3] for each in steps)
    return Curves(
        folder=model,
        pid=holder_of(folder.lock),
        finished=(model / CARD).is_file(),
        base=str(made.get("base", "")),
        recipe=str(made.get("recipe", "")),
        languages=tuple((made.get("data") or {}).get("languages", ())),
        steps=tuple(each[0] for each in steps),
        losses=tuple(each[1] for each in steps),
        tokens_per_second=sum(each[2] for each in steps) / seconds if seconds else None,
        marks=tuple(marks),
    )


def _rows(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if len(row) == len(columns) and row[0].isdecimal()]
    except (OSError, UnicodeDecodeError):
        return []
    return [row for row in rows if all(_number(part) for at, part in enumerate(row) if columns[at] != "set" and part)]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
