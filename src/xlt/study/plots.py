"""Pictures of a study: a heat map of training set by test language, and curves of what a few examples buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.errors import XltError
from xlt.languages import name

if TYPE_CHECKING:
    from xlt.study.transfer import Matrix

FORMATS = ("svg", "pdf", "png")
# Told apart by colour-blind eyes (Okabe and Ito 2008), and by their markers.
LINES = (("#0072b2", "o"), ("#e69f00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#56b4e9", "v"), ("#d55e00", "P"))


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


def pyplot() -> Any:
    """matplotlib without a screen; raises XltError where it is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise XltError("Plots need matplotlib: pip install 'xlt[science]'.") from None
    mpl.use("Agg")
    # The same bytes for the same data: no date, ids from a fixed salt. Text stays text.
    mpl.rcParams.update(
        {"svg.hashsalt": "xlt", "svg.fonttype": "none", "font.family": ["DejaVu Sans"], "pdf.fonttype": 42}
    )
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, output: Path) -> None:
    """Write the figure in the format of its name's ending, whole or not at all. Raises XltError."""
    from xlt.disk import write_whole

    ending = output.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise XltError(f"{output}: a picture must end in {', '.join('.' + each for each in FORMATS)}.")
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
    write_whole(
        output, lambda aside: figure.savefig(aside, format=ending, dpi=200, bbox_inches="tight", metadata=stamp)
    )
    pyplot().close(figure)


def _value(found: Matrix, row: str, lang: str) -> float:
    spot = found.spots.get((row, lang))
    return spot.mean if spot else float("nan")


def _longest(rows: Sequence[str]) -> int:
    return max(map(len, rows), default=0)


def _title(score: str) -> str:
    return {"macro_f1": "macro-F1", "accuracy": "accuracy"}.get(score, score)
