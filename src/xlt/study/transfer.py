"""What a study came to: training set by test language, seeds together; seen against unseen within a language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import numpy as np

from xlt.science.labels import Matched
from xlt.science.metrics import accuracy, macro_f1
from xlt.study.design import PROMPTED, Cell
from xlt.study.evaluate import APART, Table, score_table
from xlt.study.evaluate import SCORES as SCORE_COLUMNS
from xlt.study.grid import Grid, guesses
from xlt.study.rows import Rows, System

SCORES = ("accuracy", "macro_f1")
POOLED = ("seen", "unseen", "all")
LEAST_SEEDS = 5
"""Seeds below which no interval over seeds is given."""


@dataclass(frozen=True)
class Spot:
    """One training set on the test texts of one language, over all seeds."""

    mean: float
    spread: float | None
    """Standard deviation over seeds; None for a single one."""
    seen: bool | None
    """Whether the language had labels in training; None for languages pooled."""
    n: int
    """Test texts."""
    low: float | None
    """95 % interval over test texts, of the median seed; None where too few texts allow none."""
    high: float | None


@dataclass(frozen=True)
class Matrix:
    """Configurations by languages."""

    score: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    spots: dict[tuple[str, str], Spot]
    seeds: dict[str, int]
    """Row → seeds behind it."""
    overlaps: dict[str, int]
    """Row → test texts that are nearly one that it learnt from, the most of its seeds."""


def label_of(cell: Cell) -> str:
    """A configuration's name, without its seed."""
    shots = "".join(f" +{number} {lang}" for lang, number in cell.shots)
    what = {"few-shot": f"few-shot {cell.k} {cell.shown}"}.get(cell.strategy, cell.strategy)
    parts = [what, f"{cell.set}{shots}", cell.base.rsplit("/", 1)[-1], cell.recipe]
    return " ".join(part for part in parts if part)


def per_seed(grid: Grid, cells: Sequence[Cell]) -> Table:
    """Every score of every finished cell, as `xlt evaluate` gives them, with the cell's parts in front."""
    parts = ("strategy", "set", "shots", "base", "recipe", "examples_from", "seed")
    table = Table((*parts, *SCORE_COLUMNS[1:]))
    for cell in cells:
        if not grid.store.finished(cell):
            continue
        if cell.key not in grid.scores:
            grid.scores[cell.key] = score_table(as_rows(grid, [cell]), grid.task).rows
        shots = ",".join(f"{lang}={number}" for lang, number in cell.shots)
        what = (cell.strategy, cell.set, shots, cell.base_name, cell.recipe, cell.shown, cell.seed)
        table.rows += [(*what, *row[1:]) for row in grid.scores[cell.key]]
    return table


def as_rows(grid: Grid, cells: Sequence[Cell]) -> Rows:
    """Finished cells as classifiers of the same gold rows."""
    systems = []
    for cell in cells:
        probabilities = grid.store.probabilities(cell, grid.task.names)
        found = guesses(probabilities)
        systems.append(
            System(
                cell.key,
                Matched(found, int((found < 0).sum()), {}, {}),
                probabilities.astype(np.float64),
                tuple(grid.store.record(cell).get("seen", ())),
                grid.overlap(cell),
            )
        )
    return Rows(grid.test.gold, grid.test.langs, grid.test.texts, tuple(systems))


def matrix(grid: Grid, cells: Sequence[Cell], score: str = "macro_f1") -> Matrix:
    """One score of all finished cells, by configuration and language."""
    groups: dict[Cell, list[Cell]] = {}
    for cell in cells:
        if grid.store.finished(cell):
            groups.setdefault(replace(cell, seed=0), []).append(cell)
    langs = np.array(grid.test.langs)
    names, sizes = np.unique(langs, return_counts=True)
    columns = [str(names[at]) for at in sorted(range(len(names)), key=lambda at: (-sizes[at], names[at]))]
    spots: dict[tuple[str, str], Spot] = {}
    seeds: dict[str, int] = {}
    overlaps: dict[str, int] = {}
    everything = np.ones(len(langs), bool)
    for each, members in groups.items():
        row = label_of(each)
        seeds[row] = len(members)
        overlaps[row] = max(len(grid.overlap(member)) for member in members)
        # Whose examples a prompt shows may differ from seed to seed.
        known = [np.isin(langs, grid.store.record(member).get("seen", [])) for member in members]
        new = [~np.isin(np.arange(len(langs)), grid.overlap(member)) for member in members]
        table = per_seed(grid, members)
        for column in [*columns, *POOLED, *([APART] if overlaps[row] else [])]:
            of = {"seen": known, "unseen": [~mask for mask in known], APART: new}
            masks = of.get(column, [everything if column == "all" else langs == column] * len(members))
            there = [(member, mask) for member, mask in zip(members, masks, strict=True) if mask.any()]
            if not there:
                continue
            values = [_score(grid, member, mask, score) for member, mask in there]
            middle = there[int(np.argsort(values)[len(values) // 2])][0]
            low, high = _bounds(table, middle, column, score)
            spots[row, column] = Spot(
                mean(values),
                stdev(values) if len(values) > 1 else None,
                any(bool(mask[langs == column][0]) for mask in known) if column in columns else None,
                int(there[0][1].sum()),
                low,
                high,
            )
    return Matrix(score, tuple(seeds), (*columns, *POOLED), spots, seeds, overlaps)


def long_table(found: Matrix) -> Table:
    """A matrix with a row for each of its spots."""
    table = Table(("configuration", "language", "seen", "n", "seeds", found.score, "sd_over_seeds", "low", "high"))
    table.rows += [
        (row, column, spot.seen, spot.n, found.seeds[row], spot.mean, spot.spread, spot.low, spot.high)
        for (row, column), spot in found.spots.items()
    ]
    return table


def within_language(found: Matrix) -> Table:
    """For each strategy and language: the mean over configurations that saw it, and over those that did not.

    Compared within a language, since languages differ in their mix of labels. Prompted models and the commonest label
    are left out: nothing was learnt. So is translate-test, whose texts are English.
    """
    table = Table(("strategy", "lang", "n", "seen", "seen_rows", "unseen", "unseen_rows", "difference"))
    for strategy in dict.fromkeys(row.split(" ", 1)[0] for row in found.rows):
        if strategy in (*PROMPTED, "commonest", "translate-test"):
            continue
        for column in found.columns:
            spots = [
                spot
                for (row, name), spot in found.spots.items()
                if name == column and spot.seen is not None and row.split(" ", 1)[0] == strategy
            ]
            seen = [spot.mean for spot in spots if spot.seen]
            unseen = [spot.mean for spot in spots if not spot.seen]
            if spots:
                a, b = (mean(values) if values else None for values in (seen, unseen))
                gap = a - b if a is not None and b is not None else None
                table.rows.append((strategy, column, spots[0].n, a, len(seen), b, len(unseen), gap))
    return table


def overlap_note(grid: Grid, found: Matrix) -> str | None:
    """What test texts that nearly stand in the training file do to the scores; None where there are none."""
    near = len(set().union(*grid.near.values()))
    if not near:
        return None
    note = (
        f"{near:,} of {len(grid.test.texts):,} test texts are the same as a text of {grid.study.train.name}, or nearly "
        "(MinHash of .8 or more)"
    )
    moved = {
        row: found.spots[row, APART].mean - found.spots[row, "all"].mean
        for row in found.rows
        if (row, APART) in found.spots
    }
    if not moved:
        return f"{note}; no configuration learnt from one of them."
    most = max(moved, key=lambda row: abs(moved[row]))
    return (
        f"{note} and are counted. Without those that a configuration learnt from, its score over all changes most "
        f"for {most}: by {moved[most]:+.3f} ({APART!r} in --format csv)."
    )


def _score(grid: Grid, cell: Cell, where: Any, score: str) -> float:
    found = guesses(grid.store.probabilities(cell, grid.task.names))[where]
    gold = grid.test.gold[where]
    return accuracy(gold, found) if score == "accuracy" else macro_f1(gold, found, len(grid.task.names))


def _bounds(table: Table, cell: Cell, column: str, score: str) -> tuple[float | None, float | None]:
    at = {name: position for position, name in enumerate(table.columns)}
    for row in table.rows:
        if row[at["seed"]] == cell.seed and row[at["slice"]] == column and row[at["measure"]] == "labels":
            return row[at[f"{score}_low"]], row[at[f"{score}_high"]]
    return None, None


def curves_of(grid: Grid, cells: Sequence[Cell], score: str) -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """What examples of a language buy: configuration without shots → language → (shots, mean, half an interval).

    The interval is Student's, 95 %, of the mean over seeds: each seed draws other examples and trains anew, on the same
    test texts. It is 0 below LEAST_SEEDS seeds.
    """
    found = matrix(grid, cells, score)
    shots: dict[str, dict[str, dict[int, str]]] = {}
    for cell in cells:
        bare = label_of(replace(cell, shots=()))
        for lang, number in cell.shots:
            shots.setdefault(bare, {}).setdefault(lang, {0: bare})[number] = label_of(cell)
    curves: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for bare, langs in shots.items():
        name = "-".join(bare.split())
        for lang, rows in langs.items():
            line = [
                (float(number), spot.mean, _half(spot.spread, found.seeds[row]))
                for number, row in sorted(rows.items())
                if (spot := found.spots.get((row, lang)))
            ]
            if len(line) > 1:
                curves.setdefault(name, {})[lang] = line
    return curves


def curve_table(grid: Grid, cells: Sequence[Cell], score: str) -> Table:
    """The points of `curves_of`."""
    table = Table(("configuration", "language", "shots", score, "half_interval"))
    for name, langs in curves_of(grid, cells, score).items():
        table.rows += [(name, lang, *point) for lang, points in langs.items() for point in points]
    return table


def _half(spread: float | None, seeds: int) -> float:
    from scipy.stats import t

    return 0.0 if spread is None or seeds < LEAST_SEEDS else float(t.ppf(0.975, seeds - 1) * spread / seeds**0.5)
