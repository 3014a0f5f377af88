"""The figures of a report that are about scores: reliability, the most confident part, models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from xlt.study.drawing import GREY, LINES, pyplot, save, tidy


@dataclass(frozen=True)
class Band:
    """The texts of one band of confidence."""

    confidence: float
    accuracy: float
    n: int
    interval: tuple[float, float]
    """95 %, Wilson's, of the accuracy."""


@dataclass(frozen=True)
class Difference:
    """One model less another on the same texts."""

    title: str
    value: float
    interval: tuple[float, float] | None


def reliability(models: Mapping[str, Sequence[Band]], eces: Mapping[str, float | None], output: Path) -> None:
    """A panel for each model: accuracy by confidence, on the diagonal where a confidence is worth what it says."""
    plt = pyplot()
    across = min(3, len(models))
    down = ceil(len(models) / across)
    figure, grid = plt.subplots(
        down, across, figsize=(0.6 + 2.2 * across, 0.5 + 2.25 * down), sharex=True, sharey=True, squeeze=False
    )
    for spare in grid.flat[len(models) :]:
        spare.set_visible(False)
    for (title, bands), axes in zip(models.items(), grid.flat, strict=False):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
        for band in bands:
            axes.plot([band.confidence] * 2, band.interval, color=LINES[0][0], linewidth=1.0)
        axes.plot(
            [band.confidence for band in bands], [band.accuracy for band in bands],
            color=LINES[0][0], marker="o", markersize=3.5, linewidth=1.2,
        )  # fmt: skip
        ece = eces.get(title)
        said = "" if ece is None else f"ECE {ece:.3f}".replace("0.", ".", 1)
        axes.text(0.04, 0.96, said, transform=axes.transAxes, va="top", fontsize=8)
        axes.set_title(title, fontsize=8, loc="left")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
        tidy(axes)
    for at in range(len(models) - across, len(models)):
        grid.flat[at].tick_params(labelbottom=True)
        grid.flat[at].set_xlabel("confidence", fontsize=8)
    for row in grid:
        row[0].set_ylabel("accuracy", fontsize=8)
    figure.tight_layout(pad=0.6)
    save(figure, output)


def risk_coverage(models: Mapping[str, Sequence[tuple[float, float, float]]], output: Path) -> None:
    """Accuracy and macro-F1 of the most confident part of all texts; (share, accuracy, macro-F1) points."""
    plt = pyplot()
    figure, grid = plt.subplots(1, 2, figsize=(6.4, 2.7), sharey=True)
    for at, (axes, label) in enumerate(zip(grid, ("accuracy", "macro-F1"), strict=True), start=1):
        for (title, points), (colour, marker) in zip(models.items(), LINES * len(models), strict=False):
            axes.plot(
                [100 * point[0] for point in points], [point[at] for point in points],
                color=colour, marker=marker, markersize=3.5, linewidth=1.3, label=title,
            )  # fmt: skip
        axes.set_title(label, fontsize=9)
        axes.set_xlim(104, 6)
        axes.set_ylim(0, 1.02)
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.6)
        tidy(axes)
    figure.tight_layout(pad=0.6, rect=(0, 0.04, 1, 0.92))
    figure.supxlabel("most confident part of the texts, %", fontsize=8, y=0.0)
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        frameon=False,
        fontsize=8,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(0.05, 0.92),
    )
    save(figure, output)


def differences(scores: Mapping[str, Sequence[Difference]], output: Path) -> None:
    """A panel for each score, a row for each pair of models; intervals that leave out 0 are the ones to look at."""
    plt = pyplot()
    rows = len(next(iter(scores.values())))
    figure, grid = plt.subplots(1, len(scores), figsize=(6.4, 0.8 + 0.28 * rows), sharey=True, squeeze=False)
    for (label, found), axes in zip(scores.items(), grid[0], strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        for y, each in enumerate(found):
            if each.interval is not None:
                axes.plot(each.interval, [y, y], color=LINES[0][0], linewidth=1.4)
            axes.plot([each.value], [y], color=LINES[0][0], marker="o", markersize=4)
        axes.set_title(label, fontsize=9)
        axes.set_yticks(range(rows), [each.title for each in found])
        tidy(axes)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    grid[0][0].set_ylim(rows - 0.4, -0.6)
    figure.tight_layout(pad=0.6)
    save(figure, output)
