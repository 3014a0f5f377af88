"""`xlt transfer`: a study of transfer between languages, as a grid of trainings and tests."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlt.errors import Exit, UsageError

if TYPE_CHECKING:
    from xlt.study.design import Cell
    from xlt.study.grid import Grid
    from xlt.study.transfer import Matrix

app = typer.Typer(help="Studies of transfer between languages: plan, run, table, plot.", no_args_is_help=True)

STUDY = Annotated[Path, typer.Argument(help="The study's TOML file.")]
WORKSPACE = Annotated[Path, typer.Option(help="The folder that holds models/.")]
BACKEND = Annotated[str, typer.Option(help="auto, torch or mlx.")]
DEVICE = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, metal …")]
THREADS = Annotated[int, typer.Option(min=0, help="CPU threads; 0: one per core.")]
SHARD = Annotated[str | None, typer.Option(help="k/N: the k-th of N parts of the cells.")]
SCORE = Annotated[str, typer.Option(help="macro_f1 or accuracy.")]
FORMAT = Annotated[str | None, typer.Option(help="table, csv, json or parquet.")]
INTERVAL = "95 % of all"
OUTPUT = Annotated[Path | None, typer.Option("--output", "-o", help="A .csv, .json or .parquet file.")]


@app.command("plan")
def plan(
    study: STUDY,
    workspace: WORKSPACE = Path(),
    backend: BACKEND = "auto",
    device: DEVICE = "auto",
    threads: THREADS = 0,
    shard: SHARD = None,
    quick: Annotated[bool, typer.Option("--quick", help="Load no model to time it.")] = False,
) -> None:
    """How many cells a study has, which are done, and how long the rest may take.

    By the cells that are done; where none of a kind is, by some steps and texts that are timed now, on this machine.

    Example: xlt transfer plan study.toml
    """
    from xlt.cli.narrate import duration
    from xlt.cli.rows import print_table
    from xlt.study.hours import kind_of, time_left

    grid = _grid(study, workspace, backend, device, threads)
    cells = _part(grid, shard)
    rows, problems, total = [], {}, 0.0
    for kind in dict.fromkeys(map(kind_of, cells)):
        mine = [cell for cell in cells if kind_of(cell) == kind]
        done = sum(grid.store.finished(cell) for cell in mine)
        failed = sum(grid.store.failure(cell) is not None for cell in mine)
        left = time_left(grid, mine, measure=not quick)
        total += left.seconds or 0.0
        told = "unknown" if left.seconds is None else f"about {duration(left.seconds)}" if done < len(mine) else "–"
        rows.append([" ".join(part for part in kind if part), len(mine), done, failed, told, left.source])
        if left.problem:
            problems[left.problem] = rows[-1][0]
    print_table(["strategy", "cells", "done", "failed", "time left", "from"], rows)
    print(
        f"\n{len(grid.test.texts):,} test texts in {len(set(grid.test.langs))} languages; results go to "
        f"{grid.store.folder}.",
        file=sys.stderr,
    )
    if any(row[-1] == "timed steps" for row in rows):
        print(
            "timed steps: a first estimate, from a few steps and texts on this machine as busy as it is now; it "
            "becomes better when cells are done.",
            file=sys.stderr,
        )
    for problem, what in problems.items():
        print(f"{what}: {problem}", file=sys.stderr)
    if total and not problems:
        print(f"In all about {duration(total)}, one cell after the other.", file=sys.stderr)


@app.command("run")
def run(
    study: STUDY,
    workspace: WORKSPACE = Path(),
    backend: BACKEND = "auto",
    device: DEVICE = "auto",
    threads: THREADS = 0,
    shard: SHARD = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Run the cells that are not done. Stopped or killed, the same command goes on; a cell that fails stops no other.

    On a cluster give each job --shard k/N; processes that share a folder leave one another's cells alone.

    Example: xlt transfer run study.toml
    """
    from xlt.cli.narrate import Narrator

    grid = _grid(study, workspace, backend, device, threads)
    with Narrator(quiet) as narrator:
        outcome = grid.run(_part(grid, shard), narrator.say)
    if not quiet:
        elsewhere = f", {outcome.elsewhere} by others meanwhile" if outcome.elsewhere else ""
        print(f"{outcome.ran} cells run, {outcome.before} done before{elsewhere}.", file=sys.stderr)
        print(f"Next: xlt transfer table {study}", file=sys.stderr)
    if outcome.failed:
        cell, reason = outcome.failed[0]
        more = f" and {len(outcome.failed) - 1} more" if len(outcome.failed) > 1 else ""
        print(f"Failed: {cell.key}{more}; the first said: {reason}", file=sys.stderr)
        raise typer.Exit(Exit.FAILED)


@app.command("table")
def table(
    study: STUDY,
    workspace: WORKSPACE = Path(),
    score: SCORE = "macro_f1",
    seeds: Annotated[bool, typer.Option("--seeds", help="Every score of every cell, with intervals.")] = False,
    within: Annotated[bool, typer.Option("--within", help="Seen against unseen, within each language.")] = False,
    format: FORMAT = None,
    output: OUTPUT = None,
) -> None:
    """What the study came to: training sets by test languages, mean over seeds; * marks languages seen in training.

    Intervals are 95 %, over test texts, of the seed in the middle. --format csv has those of every language that
    allows one, and `all but overlaps`: without the test texts that are nearly one that was learnt from.

    Example: xlt transfer table study.toml
    """
    from xlt.cli.rows import choose_format
    from xlt.study.transfer import long_table, matrix, overlap_note, per_seed, within_language

    _check_score(score)
    chosen = choose_format(format, output)
    grid = _grid(study, workspace)
    cells = grid.finished()
    if seeds:
        found = per_seed(grid, cells)
        _give(found.columns, found.rows, chosen, output)
        return
    whole = matrix(grid, cells, score)
    if within:
        found = within_language(whole)
        _give(found.columns, found.rows, chosen, output)
    elif chosen == "table" and output is None:
        _print_matrix(whole, cells)
    else:
        found = long_table(whole)
        _give(found.columns, found.rows, chosen, output)
    if chosen == "table" and (note := overlap_note(grid, whole)):
        print(note, file=sys.stderr)


@app.command("explain")
def explain(study: STUDY, workspace: WORKSPACE = Path(), format: FORMAT = None, output: OUTPUT = None) -> None:
    """What being right hangs on: odds ratios of seen languages, length, script, pre-training share.

    A logistic model of every answer of the cells that learnt from labels, with a constant for each language and
    standard errors clustered by text. Effects that differ between languages only need 30 languages or more.

    Example: xlt transfer explain study.toml
    """
    from xlt.cli.rows import choose_format
    from xlt.study.explain import explain as fit
    from xlt.study.explain import explain_table

    chosen = choose_format(format, output)
    grid = _grid(study, workspace)
    found = fit(grid, grid.finished())
    table = explain_table(found)
    rows = table.rows
    if chosen == "table" and output is None:
        rows = [(*row[:-1], "< .001" if row[-1] < 0.001 else f"{row[-1]:.3f}".removeprefix("0")) for row in rows]
    _give(table.columns, rows, chosen, output)
    print(
        f"\n{found.answers:,} answers to {found.texts:,} texts in {found.languages} languages; 95 % intervals, "
        "clustered by text.",
        file=sys.stderr,
    )
    for sentence in found.left_out:
        print(sentence, file=sys.stderr)


@app.command("plot")
def plot(
    study: STUDY,
    workspace: WORKSPACE = Path(),
    score: SCORE = "macro_f1",
    folder: Annotated[Path | None, typer.Option(help="Where to put the pictures. Default: beside the cells.")] = None,
    format: Annotated[str, typer.Option(help="svg, pdf or png.")] = "svg",
) -> None:
    """Draw the heat map of training sets by languages, seen against unseen, and learning curves of the study's shots.

    Example: xlt transfer plot study.toml
    """
    from xlt.study.drawing import FORMATS
    from xlt.study.plots import curves, heat_map, seen_dots
    from xlt.study.transfer import curves_of, matrix, within_language

    _check_score(score)
    if format not in FORMATS:
        raise UsageError(f"--format {format}: there are {', '.join(FORMATS)}.")
    grid = _grid(study, workspace)
    cells = grid.finished()
    found = matrix(grid, cells, score)
    place = folder or grid.study.folder
    place.mkdir(parents=True, exist_ok=True)
    heat_map(found, place / f"heat-map.{format}")
    print(place / f"heat-map.{format}")
    within = within_language(found)
    if any(row[-1] is not None for row in within.rows):
        seen_dots(within, score, place / f"seen.{format}")
        print(place / f"seen.{format}")
    for name, points in curves_of(grid, cells, score).items():
        curves(points, score, place / f"curves-{name}.{format}")
        print(place / f"curves-{name}.{format}")


def _grid(study: Path, workspace: Path, backend: str = "auto", device: str = "auto", threads: int = 0) -> Grid:
    from xlt.study.design import load_study
    from xlt.study.grid import Grid, Where

    return Grid(load_study(study), Where(workspace, backend, device, threads))


def _part(grid: Grid, shard: str | None) -> Sequence[Cell]:
    from xlt.cli.classify import parse_shard
    from xlt.study.design import shard_of

    parts = parse_shard(shard)
    return grid.study.cells if parts is None else shard_of(grid.study.cells, *parts)


def _check_score(score: str) -> None:
    from xlt.study.transfer import SCORES

    if score not in SCORES:
        raise UsageError(f"--score {score}: there are {', '.join(SCORES)}.")


def _points(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _common(cells: Sequence[Cell]) -> tuple[str, ...]:
    """What the names of all configurations may leave out: the base and the recipe, where the study has one of each."""
    bases, recipes = (
        {part for part in parts if part} for parts in zip(*((c.base, c.recipe) for c in cells), strict=True)
    )
    if len(bases) != 1 or len(recipes) > 1:
        return ()
    base = bases.pop().rsplit("/", 1)[-1]
    return (f" {base} {recipes.pop()}", f" {base}") if recipes else (f" {base}",)


def _print_matrix(found: Matrix, cells: Sequence[Cell]) -> None:
    from xlt.cli.rows import print_table, print_width, width
    from xlt.study.evaluate import APART
    from xlt.study.transfer import POOLED

    rows: list[list[Any]] = []
    intervals: list[list[Any]] = []
    common = _common(cells)
    for row in found.rows:
        tail = next((each for each in common if row.endswith(each)), "")
        line: list[Any] = [row.removesuffix(tail), found.seeds[row]]
        for column in found.columns:
            spot = found.spots.get((row, column))
            mark = "*" if spot and spot.seen else ""
            line.append("–" if spot is None else _points(spot.mean) + mark)
        rows.append(line)
        whole = found.spots[row, "all"]
        told = "–" if whole.low is None or whole.high is None else f"{_points(whole.low)} to {_points(whole.high)}"
        intervals.append([line[0], _points(whole.mean), told])
    columns = ["", "seeds", *found.columns]
    wide = [*columns, INTERVAL]
    # The last of the pooled columns is `all`, so its interval stands beside it where there is room.
    if print_width(wide, joined := [[*row, each[-1]] for row, each in zip(rows, intervals, strict=True)]) <= width():
        print_table(wide, joined)
    else:
        print_table(columns, rows)
        print()
        print_table(["", "all", INTERVAL], intervals)
    if common:
        print(f"\n{'Base and recipe' if len(common) > 1 else 'Base'}:{common[0]}.", file=sys.stderr)
    least = min(spot.n for (_, column), spot in found.spots.items() if column not in (*POOLED, APART))
    print(
        f"\n{'Macro-F1' if found.score == 'macro_f1' else 'Accuracy'}, mean over seeds; * the language had labels in "
        f"training or in the prompt. The smallest language has {least} test texts: cells of that size are noise; "
        f"--format csv gives intervals where there can be any. {INTERVAL}: over test texts, of the seed in the middle.",
        file=sys.stderr,
    )


def _give(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], chosen: str, output: Path | None) -> None:
    from xlt.cli.formats import print_json
    from xlt.cli.rows import objects, print_csv, print_table, write_table
    from xlt.disk import write_json

    if output is not None and chosen == "json":
        write_json(output, objects(columns, rows))
    elif output is not None:
        write_table(columns, rows, output)
    elif chosen == "json":
        print_json(objects(columns, rows))
    elif chosen == "csv":
        print_csv(columns, rows)
    else:
        print_table(columns, [[f"{v:.3f}" if isinstance(v, float) else v for v in row] for row in rows])
