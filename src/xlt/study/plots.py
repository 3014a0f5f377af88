"""Pictures of a study: a heat map of training set by test language, and curves of what a few examples buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.languages import name
from xlt.study.drawing import GREY, LINES, pyplot, save, tidy

if TYPE_CHECKING:
    from xlt.study.evaluate import Table
    from xlt.study.transfer import Matrix


def heat_map(found: Matrix, output: Path) -> None:
    """Configurations by languages, the score in every field; a framed field was seen in training."""
    plt = pyplot()
    langs = [column for column in found.columns if column not in ("seen", "unseen")]
    figure, axes = plt.subplots(
        figsize=(2.6 + 0.62 * len(langs) + 0.05 * _longest(found.rows), 1.2 + 0.36 * len(found.rows))
    )
    grid = [[_value(found, row, lang) for lang in langs] for row in found.rows]
    image = axes.imshow(grid, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(found.rows):
        for x, lang in enumerate(langs):
            spot = found.spots.get((row, lang))
            if spot is None:
                continue
            colour = "white" if spot.mean < 0.55 else "black"
            axes.text(x, y, f"{spot.mean:.2f}".removeprefix("0"), ha="center", va="center", color=colour, fontsize=8)
            if spot.seen:
                frame = plt.Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, fill=False, edgecolor=colour, linewidth=1.2)
                axes.add_patch(frame)
    axes.set_xticks(
        range(len(langs)), [name(lang) if lang != "all" else "all" for lang in langs], rotation=45, ha="right"
    )
    axes.set_yticks(range(len(found.rows)), found.rows)
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, fraction=0.02, pad=0.02)
    bar.set_label(_title(found.score), fontsize=8)
    bar.ax.tick_params(labelsize=7)
    axes.set_title("Framed: the language had labels in training", fontsize=8, loc="left")
    save(figure, output)


def seen_dots(found: Table, score: str, output: Path) -> None:
    """Each language's mean over training sets that saw it and over those that did not, joined, with the difference.

    `found` is the table of `transfer.within_language`; a panel for each strategy; languages both seen and not.
    """
    plt = pyplot()
    at = found.columns.index
    panels: dict[str, list[tuple[str, float, float]]] = {}
    for row in found.rows:
        if row[at("difference")] is not None:
            line = (f"{name(row[at('lang')])}  ({row[at('n')]})", row[at("seen")], row[at("unseen")])
            panels.setdefault(row[at("strategy")], []).append(line)
    langs = list(dict.fromkeys(lang for lines in panels.values() for lang, _, _ in lines))
    figure, grid = plt.subplots(
        1, max(1, len(panels)), figsize=(1.7 + 2.6 * max(1, len(panels)), 1.0 + 0.27 * len(langs)), sharey=True,
        sharex=True, squeeze=False,
    )  # fmt: skip
    (colour, _), (other, _) = LINES[0], LINES[5]
    for (strategy, lines), axes in zip(panels.items(), grid[0], strict=False):
        for lang, seen, unseen in lines:
            y = langs.index(lang)
            axes.plot([unseen, seen], [y, y], color=GREY, linewidth=1.0, zorder=1)
            axes.plot([unseen], [y], marker="s", markersize=4.5, color=other, markerfacecolor="white", zorder=2)
            axes.plot([seen], [y], marker="o", markersize=5, color=colour, zorder=3)
            axes.text(1.01, y, f"{seen - unseen:+.2f}".replace("0.", ".", 1), va="center", fontsize=7,
                      transform=axes.get_yaxis_transform())  # fmt: skip
        axes.set_title(strategy, fontsize=9, loc="left")
        axes.set_xlim(0, 1)
        axes.grid(axis="x", color="#e3e6ea", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(_title(score), fontsize=8)
        tidy(axes)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    grid[0][0].set_yticks(range(len(langs)), langs)
    grid[0][0].invert_yaxis()
    marks = [
        plt.Line2D([], [], color=colour, marker="o", markersize=5, linewidth=0, label="seen in training"),
        plt.Line2D(
            [], [], color=other, marker="s", markersize=4.5, markerfacecolor="white", linewidth=0, label="unseen"
        ),
    ]
    figure.tight_layout(pad=0.8, w_pad=2.2)
    figure.legend(handles=marks, frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0.05, 1.0))
    save(figure, output)


def curves(points: Mapping[str, Sequence[tuple[float, float, float]]], score: str, output: Path) -> None:
    """Score by number of examples; each curve is (shots, mean, half an interval over seeds or 0) points."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(5.2, 3.4))
    for (label, line), (colour, marker) in zip(points.items(), LINES * 3, strict=False):
        shots, means, halves = zip(*line, strict=True)
        bars = [half or float("nan") for half in halves]
        axes.errorbar(shots, means, yerr=bars, color=colour, marker=marker, capsize=2, linewidth=1.4, label=name(label))
    if any(half for line in points.values() for _, _, half in line):
        axes.set_title("Bars: 95 % over seeds and their draws; the test texts stay the same", fontsize=8, loc="left")
    else:
        axes.set_title("Too few seeds for intervals: five or more are needed", fontsize=8, loc="left")
    axes.set_xlabel("labelled examples of the language in training")
    axes.set_ylabel(_title(score))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save(figure, output)


def _value(found: Matrix, row: str, lang: str) -> float:
    spot = found.spots.get((row, lang))
    return spot.mean if spot else float("nan")


def _longest(rows: Sequence[str]) -> int:
    return max(map(len, rows), default=0)


def _title(score: str) -> str:
    return {"macro_f1": "macro-F1", "accuracy": "accuracy"}.get(score, score)
