"""What can be chosen to be run: queries that have a name, and what was run before."""

from __future__ import annotations

from pathlib import Path

from xlt.corpus.history import entries
from xlt.corpus.queries import FOLDER, named
from xlt.tui.widgets.picker import Item

_LONGEST = 200


def named_items(workspace: Path) -> list[Item]:
    """Named queries with what they tell. Raises XltError when one of the workspace's is broken."""
    items = []
    for each in named(workspace).values():
        own = each.path.is_relative_to(workspace / FOLDER)
        given = [f"${parameter.name} = {parameter.default}: {parameter.about}" for parameter in each.parameters]
        where = "in this workspace" if own else "ships with xlt; saved, the copy of this workspace wins"
        items.append(Item(each.name, each.name, each.title, "\n".join([each.about, *given, "", where])))
    return items


def history_items(workspace: Path) -> list[Item]:
    """Statements that were run, each once, the newest first, with what came of it."""
    found: dict[str, Item] = {}
    for each in reversed(entries(workspace)):
        rows = "more rows than are shown" if each.rows is None else f"{each.rows:,} rows"
        came = each.error or f"{rows}, {each.seconds} s"
        about = f"{each.at[:16].replace('T', ' ')}  {came}\n\n{each.sql}"
        found.setdefault(each.sql, Item(each.sql, each.sql[:_LONGEST], "", about))
    return list(found.values())
