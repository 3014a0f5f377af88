"""The figures of a report that are about a corpus: shares by language, and by language and month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from xlt.corpus.shares import Row
from xlt.languages import name
from xlt.study.drawing import GREY, key_above, pyplot, save, tidy
from xlt.tasks.spec import Task

# Told apart without colour as well: the same order as the shades of the terminal's bars.
_HATCHES = ("", "....", "////", "xxxx")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_INK = "#1d2430"
_ACROSS = 3
"""Panels in a row."""


@dataclass(frozen=True)
class Point:
    """One share in a figure."""

    at: str
    """A month; a row's name in figures by language."""
    share: float
    interval: tuple[float, float] | None = None
    hollow: bool = False
    """Drawn hollow: corrected by error rates from elsewhere."""


Panels = Mapping[str, Mapping[str, Sequence[Point]]]
"""Title → class → points."""


def stance_bars(rows: Sequence[Row], task: Task, group: str, output: Path) -> None:
    """One stacked bar a row: the classes of a group among the posts that are in it. Rows without any are left out."""
    plt = pyplot()
    kept = [row for row in rows if row.bases.get(group)]
    figure, axes = plt.subplots(figsize=(6.4, 0.9 + 0.34 * len(kept)))
    left = [0.0] * len(kept)
    for number, each in enumerate(task.groups[group]):
        shares = [100 * (row.share(group, each) or 0.0) for row in kept]
        axes.barh(
            range(len(kept)), shares, left=left, color=colour_of(task, each),
            hatch=_HATCHES[number % len(_HATCHES)], edgecolor="white", linewidth=0.4, height=0.72,
            label=each,
        )  # fmt: skip
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_yticks(range(len(kept)), [f"{row_name(row)}  ({row.bases[group]:,})" for row in kept])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the posts on topic (their number in brackets)", fontsize=8)
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    key_above(axes)
    save(figure, output, classes_of(task))


def dots(panels: Panels, task: Task, labels: Mapping[str, str], output: Path) -> None:
    """Rows of points with their intervals, a panel for each class with its label below; `panels` maps rows to their one
    point per class."""
    plt = pyplot()
    classes = list(dict.fromkeys(each for row in panels.values() for each in row))
    size = (1.6 + 1.9 * len(classes), 0.9 + 0.26 * len(panels))
    figure, grid = plt.subplots(1, len(classes), figsize=size, sharey=True, squeeze=False)
    for number, (each, axes) in enumerate(zip(classes, grid[0], strict=True)):
        colour = colour_of(task, each)
        for y, row in enumerate(panels.values()):
            for point in row.get(each, ()):
                _mark(axes, point, y, colour, _MARKERS[number % len(_MARKERS)], across=True)
        axes.set_title(each, fontsize=9)
        axes.set_xlim(0, 100)
        axes.set_xticks([0, 50, 100])
        axes.set_xlabel(labels[each], fontsize=8)
        axes.grid(axis="x", color="#e3e6ea", linewidth=0.6)
        axes.set_axisbelow(True)
        tidy(axes)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    grid[0][0].set_yticks(range(len(panels)), list(panels))
    grid[0][0].set_ylim(len(panels) - 0.4, -0.6)
    save(figure, output, classes_of(task))


def small_multiples(panels: Panels, task: Task, label: str, output: Path) -> None:
    """A panel for each language, a line for each class by month, intervals as bars, points of `hollow` hollow."""
    plt = pyplot()
    months = _all_months(point.at for row in panels.values() for points in row.values() for point in points)
    classes = list(dict.fromkeys(each for row in panels.values() for each in row))
    across = min(_ACROSS, len(panels))
    down = ceil(len(panels) / across)
    figure, grid = plt.subplots(
        down, across, figsize=(0.8 + 2.3 * across, 0.7 + 1.35 * down), sharex=True, sharey=True, squeeze=False
    )
    for spare in grid.flat[len(panels) :]:
        spare.set_visible(False)
    highest = 0.0
    for (title, row), axes in zip(panels.items(), grid.flat, strict=False):
        for number, each in enumerate(classes):
            colour, marker = colour_of(task, each), _MARKERS[number % len(_MARKERS)]
            # Beside each other, so that no interval hides another.
            shift = 0.22 * (number - (len(classes) - 1) / 2)
            points = row.get(each, ())
            for part in _runs([(months.index(point.at) + shift, 100 * point.share) for point in points]):
                axes.plot(*zip(*part, strict=True), color=colour, linewidth=0.9, alpha=0.55)
            for point in points:
                _mark(axes, point, months.index(point.at) + shift, colour, marker)
                highest = max(highest, 100 * (point.interval[1] if point.interval else point.share))
        axes.set_title(title, fontsize=8, loc="left")
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.6)
        axes.set_axisbelow(True)
        tidy(axes)
    step = max(1, ceil(len(months) / 6))
    for axes in grid.flat[: len(panels)]:
        axes.set_xticks(range(0, len(months), step), months[::step], rotation=45, ha="right", fontsize=7)
        axes.set_xlim(-0.6, len(months) - 0.4)
        axes.set_ylim(0, min(100.0, 1.08 * highest) or 1)
    # The last panel of a column shows the months, also where the last row is not full.
    for at in range(len(panels) - across, len(panels)):
        grid.flat[at].tick_params(labelbottom=True)
    marks = [
        plt.Line2D([], [], color=colour_of(task, each), marker=_MARKERS[number % len(_MARKERS)], markersize=4,
                   linewidth=0.9, label=each)
        for number, each in enumerate(classes)
    ]  # fmt: skip
    if any(point.hollow for row in panels.values() for points in row.values() for point in points):
        marks.append(
            plt.Line2D([], [], color=GREY, marker="o", markersize=4, markerfacecolor="white", linewidth=0,
                       label="hollow: error rates pooled, no interval")
        )  # fmt: skip
    # One row of panels is not as high as the words are long.
    figure.supylabel(label if down > 1 else label.replace(", ", ",\n"), fontsize=8, x=0.0)
    figure.tight_layout(pad=0.5)
    figure.legend(handles=marks, frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0.05, 1.0))
    save(figure, output, classes_of(task))


def row_name(row: Row) -> str:
    """A row's language by its English name, which every font has the letters of."""
    key: Any = row.keys[0] if row.keys else "all"
    return "all" if key == "all" else name(str(key or "und"))


def classes_of(task: Task) -> list[str]:
    """The classes of all groups, and labels in none, in order: how figures number what they can't spell."""
    return list(dict.fromkeys([*(each for classes in task.groups.values() for each in classes), *task.names]))


def colour_of(task: Task, each: str) -> str:
    """The colour of a class of any group, or of a label; of one that holds several labels, ink."""
    colours = {label.name: label.colour for label in task.labels}
    members = next((classes[each] for classes in task.groups.values() if each in classes), (each,))
    return colours[members[0]] if len(members) == 1 else _INK


def _mark(axes: Any, point: Point, at: float, colour: str, marker: str, *, across: bool = False) -> None:
    share = 100 * point.share
    if point.interval is not None:
        low, high = (100 * bound for bound in point.interval)
        line = ([low, high], [at, at]) if across else ([at, at], [low, high])
        axes.plot(*line, color=colour, linewidth=1.1, solid_capstyle="butt")
    x, y = (share, at) if across else (at, share)
    inside = "white" if point.hollow else colour
    axes.plot(
        [x],
        [y],
        marker=marker,
        markersize=3.6,
        color=colour,
        markerfacecolor=inside,
        markeredgewidth=0.8,
        clip_on=False,
        zorder=3,
    )


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Points cut where a month is missing: no line runs over what nobody knows."""
    found: list[list[tuple[float, float]]] = []
    for point in points:
        if not found or point[0] - found[-1][-1][0] > 1.001:
            found.append([])
        found[-1].append(point)
    return found


def _all_months(given: Any) -> list[str]:
    """Every month (YYYY-MM) from the first to the last."""
    known = sorted(set(given))
    first, last = (int(each[:4]) * 12 + int(each[5:7]) - 1 for each in (known[0], known[-1]))
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, last + 1)]
