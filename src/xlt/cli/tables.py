"""Tables for the terminal: shares of topic and stance by language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xlt.languages import name

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from xlt.corpus.results import Row
    from xlt.tasks.spec import Task

BAR_WIDTH = 24
SHADES = "█▒░▓#"


def shares_table(rows: Sequence[Row], task: Task, seen: Sequence[str] = ()) -> Table:
    """One line per language: n, then the shares of each group, each in its own denominator.

    `seen` are the languages that the model was tuned on; the others are marked.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("language")
    table.add_column("n", justify="right")
    shown = [(group, _shown(classes)) for group, classes in task.groups.items()]
    for group, names in shown:
        for each in names:
            table.add_column(each if len(names) > 1 else f"{each} %", justify="right")
        if len(names) > 1:
            table.add_column(f"{group} %", no_wrap=True)
    if not shown:
        for label in task.labels:
            table.add_column(f"{label.short} %", justify="right")
    for row in rows:
        title = "all" if row.lang == "all" else name(row.lang)
        unseen = bool(seen) and row.lang not in (*seen, "all", "und")
        cells: list[str | Text] = [Text(title + (" (unseen)" if unseen else "")), f"{row.n:,}"]
        for group, names in shown:
            found = row.group(task.groups[group])
            cells += [_percent(found[each]) for each in names]
            if len(names) > 1:
                cells.append(_bar(found, task, group))
        if not shown:
            cells += [_percent(row.labels.get(label.name, 0) / row.n if row.n else None) for label in task.labels]
        table.add_row(*cells, end_section=False)
    return table


def _shown(classes: dict[str, tuple[str, ...]]) -> list[str]:
    """Of two classes the first says it all."""
    return list(classes)[:1] if len(classes) == 2 else list(classes)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _bar(found: dict[str, float | None], task: Task, group: str) -> Text:
    """A stacked bar: colour says the class, and so does the shade, for eyes that don't tell colours apart."""
    from rich.text import Text as RichText

    bar = RichText()
    colours = {label.name: label.colour for label in task.labels}
    filled, position = 0.0, 0
    for shade, (each, members) in zip(SHADES, task.groups[group].items(), strict=False):
        filled += (found[each] or 0.0) * BAR_WIDTH
        width = round(filled) - position
        position += width
        bar.append(shade * width, style=colours[members[0]])
    return bar
