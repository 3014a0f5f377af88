"""Tables of scores for the terminal: one block per system, a line per language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xlt.languages import name

if TYPE_CHECKING:
    from xlt.study.evaluate import Table
    from xlt.study.rows import Rows
    from xlt.tasks.spec import Task

NOTHING = "–"
_TITLES = {
    "labels": "Labels",
    "confusion": "Confusion",
    "pairs": "Pairs (B - A; p: exact McNemar; p holm: over all languages of all pairs, in rows of all over the pairs)",
    "seen": "Seen against unseen, within each language",
    "calibration": "Calibration",
    "reliability": "Reliability",
    "risk": "The most confident part (a share counted among confident predictions is biased)",
    "errors": "Worst errors",
}


def print_tables(tables: dict[str, Table], rows: Rows, task: Task) -> None:
    """Print every table that has rows, with a title where there are several."""
    from xlt.cli.rows import print_table

    first = True
    for which, table in tables.items():
        if not table.rows:
            continue
        if not first:
            print()
        first = False
        if which == "scores":
            _print_scores(table, rows, task)
            continue
        if len(tables) > 1:
            print(_TITLES[which])
        if which == "errors":
            _print_errors(table)
            continue
        kept = [at for at, column in enumerate(table.columns) if column != "kind"]
        print_table(
            [table.columns[at].replace("_", " ") for at in kept],
            [[_shown(row[at], table.columns[at]) for at in kept] for row in table.rows],
        )


def _print_scores(table: Table, rows: Rows, task: Task) -> None:
    from xlt.cli.rows import print_table

    groups = list(dict.fromkeys(row[3] for row in table.rows))[1:]
    of: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in table.rows:
        cells = dict(zip(table.columns, row, strict=True))
        of.setdefault((cells["model"], cells["slice"]), {})[cells["measure"]] = cells
    # Groups that some texts are left out of: their n is another.
    smaller = {group for cells in of.values() for group in groups if cells[group]["n"] != cells["labels"]["n"]}
    for number, system in enumerate(rows.systems):
        if number:
            print()
        print(f"{system.name}: {len(rows.gold):,} texts")
        lines = []
        for (model, where), found in of.items():
            if model != system.name:
                continue
            main = found["labels"]
            line = [_language(where, main["kind"], system.seen), main["n"], _with(main, "accuracy")]
            line += [_with(main, "macro_f1"), *(_shown(main[each]) for each in ("weighted_f1", "kappa"))]
            line += [_shown(main["commonest_accuracy"]), _with(main, "same_mix_accuracy")]
            for group in groups:
                line += [found[group]["n"]] * (group in smaller) + [_with(found[group], "macro_f1")]
            lines.append(line)
        columns = ["language", "n", "accuracy", "macro-F1", "weighted F1", "kappa", "commonest", "same mix"]
        for group in groups:
            columns += [f"{group} n"] * (group in smaller) + [f"{group} F1"]
        print_table(columns, lines)


def _print_errors(table: Table) -> None:
    """Each error with its whole text, which a column would cut."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from xlt.cli.rows import one_line

    console, model = Console(highlight=False), None
    for row in table.rows:
        cells = dict(zip(table.columns, row, strict=True))
        if cells["model"] != model:
            model = cells["model"]
            console.print(Text(f"{model}:"))
        sure = "" if cells["confidence"] is None else f" ({_shown(cells['confidence'])})"
        also = f"; {cells['wrong_systems']} are wrong here" if cells["wrong_systems"] > 1 else ""
        console.print(Text(f"{name(cells['lang'])}: {cells['gold']}, taken for {cells['predicted']}{sure}{also}"))
        # A Text object: a tweet may hold what looks like markup.
        console.print(Padding(Text(one_line(str(cells["text"]))), (0, 0, 0, 4))) if cells["text"] else None


def _language(where: str, kind: str, seen: Sequence[str] | None) -> str:
    if kind != "language":
        return where
    return name(where) + (" (unseen)" if seen is not None and where not in seen else "")


def _with(cells: dict[str, Any], score: str) -> str:
    """A score and its interval."""
    low, high = cells[f"{score}_low"], cells[f"{score}_high"]
    value = _shown(cells[score])
    return value if low is None else f"{value} ({_shown(low)}-{_shown(high)})"


def _shown(value: Any, column: str = "") -> Any:
    if value is None:
        return NOTHING
    if column in ("p", "p_holm") and value < 0.001:
        return "< .001"
    if isinstance(value, float):
        return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"
    return value
