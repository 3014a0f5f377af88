"""A study as a deposit keeps it: its cells' answers to the test rows, with gold, language and length but no text."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from xlt.disk import write_json, write_text
from xlt.science.exposure import Counted
from xlt.science.metrics import Ints
from xlt.study.cells import Store
from xlt.study.deposit.kept import write_rows
from xlt.study.design import TUNED, Cell, Study
from xlt.study.grid import Grid, Where
from xlt.study.report.parts import without_paths
from xlt.study.testset import TestSet
from xlt.tasks.load import load_task
from xlt.training.recipe import load_recipe


def pack(grid: Grid, folder: Path, *, with_texts: bool = False) -> None:
    """Write a study's finished cells into a new folder. Raises UsageError, XltError."""
    folder.mkdir(parents=True)
    cells = grid.finished()
    # Without where somebody's files lie.
    design = re.sub(r"""(["'])/[^"'\n]*/([^"'/\n]+)\1""", r"\1\2\1", grid.study.path.read_text(encoding="utf-8"))
    write_text(folder / "study.toml", design)
    test = grid.test
    near = sorted(set().union(*grid.near.values()))
    columns = ["row", "language", "gold", "characters", "latin_script", "near_training", *(["text"] * with_texts)]
    rows = [
        [at + 1, lang, grid.task.names[code], grid.lengths[at], grid.latin[at], int(at in near),
         *([test.texts[at]] * with_texts)]
        for at, (lang, code) in enumerate(zip(test.langs, test.gold.tolist(), strict=True))
    ]  # fmt: skip
    write_rows(folder / "rows.csv", columns, rows)
    for cell in cells:
        target = folder / "cells" / _bare(cell).key
        target.mkdir(parents=True)
        shutil.copyfile(grid.store.at(cell) / "predictions.parquet", target / "predictions.parquet")
        write_json(target / "cell.json", without_paths(grid.store.record(cell)))
    tuned = [cell for cell in cells if cell.strategy in TUNED]
    for name in sorted({cell.recipe for cell in tuned}):
        recipe = load_recipe(name).changed(grid.study.settings)
        (folder / "recipes").mkdir(exist_ok=True)
        write_json(folder / "recipes" / f"{recipe.name}.json", recipe.record())
    bases = {}
    for cell in grid.study.cells:
        if cell.strategy in TUNED and cell.base_name not in bases:
            counted, epochs = grid.counted(cell)
            bases[cell.base_name] = {"epochs": epochs, "languages": [asdict(each) for each in counted]}
    record = {
        "name": grid.study.name,
        "file": grid.study.path.name,
        "train": grid.study.train.name,
        "test": grid.study.test.name,
        "task": grid.task.name,
        "test_hash": test.hash,
        # In the study's order, which the tables have.
        "cells": [asdict(_bare(cell)) for cell in grid.study.cells],
        "overlaps": {_bare(cell).key: (grid.overlap(cell) + 1).tolist() for cell in cells},
        "tokens": bases,
    }
    write_json(folder / "packed.json", record)


class Packed(Grid):
    """A study's grid from its part of a deposit. Its texts are not there; nothing can be run."""

    def __init__(self, folder: Path, tasks: Path) -> None:
        record: dict[str, Any] = json.loads((folder / "packed.json").read_text(encoding="utf-8"))
        with (folder / "rows.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.where = Where()
        self.task = load_task(str(tasks / f"{record['task']}.toml"))
        self.study = Study(
            path=Path(record["file"]),
            name=record["name"],
            task=record["task"],
            train=Path(record["train"]),
            test=Path(record["test"]),
            cells=tuple(map(_cell, record["cells"])),
            settings=(),
            columns={},
        )
        self.store = Store(folder / "cells")
        gold = np.array([self.task.names.index(row["gold"]) for row in rows], np.int64)
        langs = tuple(row["language"] for row in rows)
        self.test = TestSet(("",) * len(rows), langs, gold, None, record["test_hash"])
        self.lengths = np.array([int(row["characters"]) for row in rows], np.int64)
        self.latin = np.array([int(row["latin_script"]) for row in rows], np.int64)
        self.near = {"": {at for at, row in enumerate(rows) if row["near_training"] == "1"}}
        overlaps = record["overlaps"]
        self._overlaps = {
            cell: np.array(overlaps[cell.key], np.int64) - 1 for cell in self.study.cells if cell.key in overlaps
        }
        self._tokens = record["tokens"]

    def overlap(self, cell: Cell) -> Ints:
        """Test rows that are nearly one of the texts that the cell learnt from or was chosen by, in order."""
        return self._overlaps[cell]

    def counted(self, cell: Cell) -> tuple[list[Counted], int]:
        """All labelled texts of the study in the tokens of a tuned cell's base, by language; and its epochs."""
        found = self._tokens[cell.base]
        return [Counted(**each) for each in found["languages"]], int(found["epochs"])

    def check(self, cells: Sequence[Cell]) -> None:
        """Nothing: they were checked when they were packed."""


def _bare(cell: Cell) -> Cell:
    """The cell without the path of its base."""
    return replace(cell, base=cell.base_name)


def _cell(record: dict[str, Any]) -> Cell:
    shots = tuple((lang, number) for lang, number in record["shots"])
    return Cell(**{**record, "langs": tuple(record["langs"]), "shots": shots})
