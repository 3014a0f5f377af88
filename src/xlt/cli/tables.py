"""Tables for the terminal: shares of topic and stance by language, time or whatever was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xlt.languages import name

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from xlt.corpus.shares import Row
    from xlt.tasks.spec import Task

BAR_WIDTH = 24
NOTHING = "–"


def shares_table(rows: Sequence[Row], task: Task, seen: Sequence[str] = (), by: Sequence[str] = ("lang",)) -> Table:
    """One line per row: its keys, n, then the shares of each group, each in its own denominator.

    `seen` are the languages that the model was tuned on; the others are marked. A class that has an interval carries
    it below its share; the share of the most active authors' posts stands last where it is known.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for each in by or ("",):
        table.add_column("language" if each == "lang" else each)
    table.add_column("n", justify="right")
    groups = list(rows[0].counts) if rows else []
    shown = {group: _shown(list(rows[0].counts[group])) for group in groups}
    shorts = {label.name: label.short for label in task.labels}
    for group, names in shown.items():
        for each in names:
            table.add_column(shorts.get(each, each) + (" %" if len(names) == 1 else ""), justify="right")
        if _has_bar(group, names, task):
            table.add_column(f"{group} %", no_wrap=True)
    with_top = any(row.top is not None for row in rows)
    if with_top:
        table.add_column("top 1 %", justify="right")
    for row in rows:
        cells: list[str | Text] = [Text(part) for part in _keys(row, by, seen)]
        cells.append(f"{row.n:,}")
        for group, names in shown.items():
            cells += [_cell(row, group, each) for each in names]
            if _has_bar(group, names, task):
                cells.append(_bar(row, task, group))
        if with_top:
            cells.append(percent(row.top))
        table.add_row(*cells)
    return table


def percent(share: float | None) -> str:
    """A share in per cent with a digit after the point; a dash for none."""
    return NOTHING if share is None else f"{100 * share:.1f}"


def _keys(row: Row, by: Sequence[str], seen: Sequence[str]) -> list[str]:
    if not row.keys:
        return ["all"] + [""] * (len(by) - 1)
    parts = []
    for each, key in zip(by, row.keys, strict=True):
        if each != "lang":
            parts.append(NOTHING if key is None else key)
            continue
        unseen = bool(seen) and key not in (*seen, "und", None)
        parts.append(name(key or "und") + (" (unseen)" if unseen else ""))
    return parts


def _cell(row: Row, group: str, each: str) -> str:
    share = percent(row.share(group, each))
    if not row.intervals:
        return share
    interval = row.intervals[group][each]
    return f"{share}\n{NOTHING if interval is None else f'{100 * interval[0]:.1f} to {100 * interval[1]:.1f}'}"


def _has_bar(group: str, names: Sequence[str], task: Task) -> bool:
    return len(names) > 1 and group in task.groups


def _shown(classes: list[str]) -> list[str]:
    """Of two classes the first says it all."""
    return classes[:1] if len(classes) == 2 else classes


def _bar(row: Row, task: Task, group: str) -> Text:
    """A stacked bar: colour says the class, and so does the shade, for eyes that don't tell colours apart."""
    from rich.text import Text as RichText

    from xlt.corpus.shares import SHADES

    bar = RichText()
    colours = {label.name: label.colour for label in task.labels}
    lengths = row.lengths(group, BAR_WIDTH)
    for shade, length, members in zip(SHADES, lengths, task.groups[group].values(), strict=False):
        bar.append(shade * length, style=colours[members[0]])
    return bar
