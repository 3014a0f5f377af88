"""What being right hangs on in a study: whether the language was seen, how long the text is, what the language is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xlt.errors import UsageError
from xlt.science.exposure import load_pretraining
from xlt.science.rightness import Rightness, rightness
from xlt.study.design import PROMPTED, Cell
from xlt.study.evaluate import Table
from xlt.study.grid import Grid, guesses


def explain(grid: Grid, cells: Sequence[Cell]) -> Rightness:
    """The model over the finished cells that learnt from labels. Raises UsageError, XltError."""
    chosen = [cell for cell in cells if cell.strategy not in (*PROMPTED, "commonest", "translate-test")]
    if not chosen:
        raise UsageError(f"No cell of {grid.study.path} that learns from labels is done.")
    test = grid.test
    langs = np.array(test.langs)
    table = load_pretraining()
    # Halved and doubled lengths and shares, so that an odds ratio is that of twice as much.
    length = np.log2(np.maximum(1, grid.lengths))
    share = np.log2([table.shares.get(lang, table.floor) for lang in test.langs])
    right, seen, size = [], [], []
    for cell in chosen:
        record = grid.store.record(cell)
        right.append(guesses(grid.store.probabilities(cell, grid.task.names)) == test.gold)
        seen.append(np.isin(langs, record.get("seen", [])).astype(float))
        # Larger training sets see more languages: without their size, "seen" would take the credit for it.
        size.append(np.full(len(langs), np.log2(max(1, int(record.get("examples", 1))))))
    times = len(chosen)
    kinds = [" ".join(part for part in (cell.strategy, cell.base_name, cell.recipe) if part) for cell in chosen]
    first, *others = dict.fromkeys(kinds)
    against = {
        f"{kind} against {first}": np.repeat([float(each == kind) for each in kinds], len(langs)) for kind in others
    }
    return rightness(
        np.concatenate(right).astype(np.int64),
        np.tile(np.arange(len(langs)), times),
        list(langs) * times,
        {
            "seen": np.concatenate(seen),
            "twice the training texts": np.concatenate(size),
            **against,
            "twice the length": np.tile(length, times),
            "Latin script": np.tile(grid.latin.astype(float), times),
        },
        {"twice the pre-training share": np.tile(share, times)},
    )


def explain_table(found: Rightness) -> Table:
    """Odds ratios with intervals."""
    table = Table(("effect", "odds_ratio", "low", "high", "p"))
    table.rows += [(each.name, each.odds_ratio, each.low, each.high, each.p) for each in found.effects]
    return table
