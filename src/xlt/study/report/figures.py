"""The figures of a report that are about a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xlt.corpus.shares import Row
from xlt.languages import name
from xlt.study.plots import LINES, pyplot, save
from xlt.tasks.spec import Task

# Told apart without colour as well: the same order as the shades of the terminal's bars.
_HATCHES = ("", "....", "////", "xxxx")
ALL = ""
LEAST = 20
"""Posts in a month's denominator below which it has no point in a figure; the table has them all."""


def stance_bars(rows: Sequence[Row], task: Task, group: str, output: Path) -> None:
    """One stacked bar a row: the classes of a group among the posts that are in it. Rows without any are left out."""
    plt = pyplot()
    kept = [row for row in rows if row.bases.get(group)]
    colours = {label.name: label.colour for label in task.labels}
    shorts = {label.name: label.short for label in task.labels}
    figure, axes = plt.subplots(figsize=(6.4, 0.9 + 0.34 * len(kept)))
    left = [0.0] * len(kept)
    for (each, members), hatch in zip(task.groups[group].items(), _HATCHES, strict=False):
        shares = [100 * (row.share(group, each) or 0.0) for row in kept]
        axes.barh(
            range(len(kept)), shares, left=left, color=colours[members[0]], hatch=hatch, edgecolor="white",
            linewidth=0.4, height=0.72, label=shorts.get(members[0], each) if len(members) == 1 else each,
        )  # fmt: skip
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_yticks(range(len(kept)), [f"{row_name(row)}  ({row.bases[group]:,})" for row in kept])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the posts on topic (their number in brackets)")
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.legend(ncols=4, frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.0))
    save(figure, output)


def over_time(rows: Sequence[Row], group: str, each: str, output: Path) -> None:
    """One class's share by month: all languages, and those with enough posts; rows have (language, month) keys.

    A month with fewer than LEAST posts in the denominator has no point: it would jump about and say nothing. Needs
    `enough` rows.
    """
    plt = pyplot()
    months = sorted({str(row.keys[1]) for row in rows if row.keys[1]})
    counts: dict[str, dict[str, tuple[float, int]]] = {}
    for row in rows:
        if row.keys[1]:
            for lang in (ALL, str(row.keys[0] or "und")):
                part, base = counts.setdefault(lang, {}).get(str(row.keys[1]), (0.0, 0))
                counts[lang][str(row.keys[1])] = part + row.counts[group][each], base + row.bases[group]
    points = {
        lang: [
            (months.index(month), 100 * part / base) for month, (part, base) in sorted(found.items()) if base >= LEAST
        ]
        for lang, found in counts.items()
    }
    shown = [lang for lang in points if lang != ALL and 2 * len(points[lang]) >= len(months) > 1]
    shown.sort(key=lambda lang: (-sum(base for _, base in counts[lang].values()), lang))
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    for lang, (colour, marker) in zip(shown, LINES, strict=False):
        axes.plot(*zip(*points[lang], strict=True), color=colour, marker=marker, markersize=3, lw=1.2, label=name(lang))
    axes.plot(*zip(*points[ALL], strict=True), color="#222222", lw=2.2, label="all languages")
    step = max(1, len(months) // 12)
    axes.set_xticks(range(0, len(months), step), months[::step], rotation=45, ha="right")
    axes.set_xlim(-0.5, max(1, len(months)) - 0.5)
    axes.set_ylim(0, None)
    axes.set_ylabel(f"{each}, % of {group}")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0))
    save(figure, output)


def enough(rows: Sequence[Row], group: str) -> bool:
    """Whether `over_time` has a line to draw: two months or more with enough posts of all languages together."""
    months: dict[str, int] = {}
    for row in rows:
        if row.keys[1]:
            months[str(row.keys[1])] = months.get(str(row.keys[1]), 0) + row.bases[group]
    return sum(base >= LEAST for base in months.values()) > 1


def row_name(row: Row) -> str:
    """A row's language by its English name: figures are drawn in a font that has no CJK or Arabic letters."""
    key: Any = row.keys[0] if row.keys else "all"
    return "all" if key == "all" else name(str(key or "und"))
