"""Which examples the prompt of a few-shot cell shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xlt.errors import XltError
from xlt.study.design import Cell
from xlt.training.examples import Example
from xlt.training.split import draw

if TYPE_CHECKING:
    from xlt.study.grid import Grid


def examples_of(grid: Grid, cell: Cell) -> dict[str, list[Example]]:
    """The examples of the prompt by language; "" for texts of every other language. None is a test text or nearly one.

    Raises XltError when the training file has none.
    """
    taken = {*grid.near, *(grid.task.normalise(text) for text in grid.test.texts)}
    pool = [each for each in grid.material.examples if each.text not in taken]
    if cell.shown == "en":
        return {"": _spread(grid, cell, [each for each in pool if each.lang == "en"])}
    if cell.shown == "mixed":
        return {"": _spread(grid, cell, pool)}
    langs = sorted({each.lang for each in pool} & set(grid.test.langs))
    return {lang: _spread(grid, cell, [each for each in pool if each.lang == lang]) for lang in langs}


def _spread(grid: Grid, cell: Cell, pool: Sequence[Example]) -> list[Example]:
    """`k` examples, the labels in turn, drawn by seed and text; in an order that does not group the labels."""
    if not pool:
        raise XltError(f"{grid.study.train} has no example for the prompt of {cell.key}.")
    queues = {
        label: sorted((each for each in pool if each.label == label), key=lambda each: draw(cell.seed, "shot", each))
        for label in grid.task.names
    }
    picked: list[Example] = []
    for turn in range(max(map(len, queues.values()))):
        picked += [queue[turn] for queue in queues.values() if turn < len(queue)]
    return picked[: cell.k]
