"""Remakes every table of this deposit from its rows, and says whether they are those that were deposited.

    python remake.py

Needs Python 3.11 or newer and pyarrow; nothing else of requirements.txt. Writes remade/*.csv. Leaves with 1 when a
table differs.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = tuple[Any, ...]


def main(folder: Path) -> int:
    """Remake, write, compare."""
    made = tables(folder)
    (folder / "remade").mkdir(exist_ok=True)
    wrong = []
    for name, (columns, rows) in made.items():
        text = as_csv(columns, rows)
        (folder / "remade" / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
        deposited = folder / "tables" / f"{name}.csv"
        if not deposited.is_file() or deposited.read_text(encoding="utf-8") != text:
            wrong.append(name)
    for name in sorted(made):
        print(f"{name}: {'DIFFERS' if name in wrong else 'the same'}")
    return 1 if wrong else 0


def tables(folder: Path) -> dict[str, tuple[Sequence[str], list[Row]]]:
    """Every table: name to columns and rows."""
    made: dict[str, tuple[Sequence[str], list[Row]]] = {}
    for study in sorted(folder.glob("studies/*/rows.csv")):
        name = study.parent.name
        per_cell = scores(study.parent)
        made[f"{name}-scores"] = (
            ("cell", "configuration", "seed", "language", "seen", "n", "accuracy", "macro_f1"),
            per_cell,
        )
        made[f"{name}-matrix"] = matrix(per_cell)
    counts = folder / "corpus" / "counts.csv"
    if counts.is_file():
        groups = json.loads((folder / "corpus" / "groups.json").read_text(encoding="utf-8"))
        made["shares-by-language"] = shares(counts, groups, ("language",))
        made["shares-by-language-and-month"] = shares(counts, groups, ("language", "month"))
    return made


def scores(study: Path) -> list[Row]:
    """Accuracy and macro-F1 of every cell in every language, and in all."""
    with (study / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = json.loads((study / "labels.json").read_text(encoding="utf-8"))
    gold = [labels.index(row["gold"]) for row in rows]
    langs = [row["language"] for row in rows]
    found: list[Row] = []
    for path in sorted(study.glob("cells/*/cell.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        guesses = most_probable(path.with_name("predictions.parquet"), labels)
        cell = record["cell"]
        for lang in [*sorted(set(langs)), "all"]:
            at = [row for row in range(len(gold)) if lang in ("all", langs[row])]
            pairs = [(gold[row], guesses[row]) for row in at]
            seen = "" if lang == "all" else lang in record.get("seen", [])
            right = sum(a == b for a, b in pairs) / len(pairs)
            found.append(
                (
                    path.parent.name,
                    record["configuration"],
                    cell["seed"],
                    lang,
                    seen,
                    len(at),
                    right,
                    macro_f1(pairs, len(labels)),
                )
            )
    return found


def most_probable(path: Path, labels: Sequence[str]) -> list[int]:
    """The label with the highest probability in each row, -1 where there is none; the first of equals."""
    table = pq.read_table(path)
    columns = [table[label].to_pylist() for label in labels]
    guesses = []
    for row in zip(*columns, strict=True):
        known = all(value is not None and math.isfinite(value) for value in row)
        guesses.append(row.index(max(row)) if known else -1)
    return guesses


def macro_f1(pairs: Sequence[tuple[int, int]], labels: int) -> float:
    """Mean over all labels of 2 TP / (gold + predicted); 0 for a label that is neither."""
    total = 0.0
    for label in range(labels):
        hits = sum(a == label and b == label for a, b in pairs)
        named = sum(a == label for a, _ in pairs) + sum(b == label for _, b in pairs)
        total += 2 * hits / named if named else 0.0
    return total / labels


def matrix(per_cell: Sequence[Row]) -> tuple[Sequence[str], list[Row]]:
    """Mean and standard deviation over seeds of each configuration in each language."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in per_cell:
        groups.setdefault((row[1], row[3]), []).append(row)
    found: list[Row] = []
    for (configuration, lang), rows in sorted(groups.items()):
        seen = rows[0][4] if lang == "all" else any(row[4] for row in rows)
        line: list[Any] = [configuration, lang, seen, rows[0][5], len(rows)]
        for at in (6, 7):
            values = [row[at] for row in rows]
            mean = sum(values) / len(values)
            spread = (
                math.sqrt(sum((each - mean) ** 2 for each in values) / (len(values) - 1)) if len(values) > 1 else ""
            )
            line += [mean, spread]
        found.append(tuple(line))
    columns = ("configuration", "language", "seen", "n", "seeds", "accuracy", "accuracy_sd", "macro_f1", "macro_f1_sd")
    return columns, found


def shares(path: Path, groups: dict[str, dict[str, list[str]]], keys: Sequence[str]) -> tuple[Sequence[str], list[Row]]:
    """Shares of every group's classes, from counts of labels by language and month; the last row is all together."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cells: dict[tuple[str, ...], dict[str, int]] = {}
    for row in rows:
        for key in (tuple(row[name] for name in keys), ("all",) + ("",) * (len(keys) - 1)):
            counts = cells.setdefault(key, {})
            counts[row["label"]] = counts.get(row["label"], 0) + int(row["posts"])
    columns = [*keys, "n"]
    for group, classes in groups.items():
        columns += [f"n_{group}", *(f"{group}_{name}" for name in classes)]
    found: list[Row] = []
    for key in sorted(cells, key=lambda each: (each[0] == "all", each)):
        counts = cells[key]
        line: list[Any] = [*key, sum(counts.values())]
        for classes in groups.values():
            sizes = {name: sum(counts.get(label, 0) for label in members) for name, members in classes.items()}
            base = sum(sizes.values())
            line += [base, *(size / base if base else "" for size in sizes.values())]
        found.append(tuple(line))
    return columns, found


def as_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """CSV with shares and scores rounded to 9 digits, so that no last bit makes a difference."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([round(value, 9) if isinstance(value, float) else value for value in row] for row in rows)
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
