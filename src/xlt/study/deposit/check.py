"""Remakes the tables of a deposit from what lies in it, and compares them with those that were deposited."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xlt.study.deposit.kept import Kept
from xlt.study.deposit.packed import Packed
from xlt.study.deposit.tables import tables
from xlt.study.evaluate import Table
from xlt.study.report.gather import Wanted

CLOSE = 1e-12
"""What another machine's or library's last digits may differ by, relatively."""
SAME, NEARLY, DIFFERS = "the same", "the same but for last digits", "DIFFERS"


def remade(folder: Path) -> dict[str, Table]:
    """Every table of the deposit in this folder, from its data. Raises XltError."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    grids = {name: Packed(folder / "studies" / name, folder / "tasks") for name in about["studies"]}
    bench = folder / "bench.json"
    evidence = Kept(folder / "corpus") if (folder / "corpus").is_dir() else None
    told = Wanted(None, about["run"], tuple(about["against"]), bench=bench if bench.is_file() else None)
    return tables(evidence, grids, told)


def main(folder: Path) -> int:
    """Remake, write, compare, print a line for each table; 1 when one differs or can't be remade."""
    made = remade(folder)
    deposited = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "tables").glob("*.csv")}
    (folder / "remade").mkdir(exist_ok=True)
    wrong = 0
    for name in sorted({*made, *deposited}):
        text = as_csv(made[name]) if name in made else ""
        if name in made:
            (folder / "remade" / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
        verdict = compared(text, deposited.get(name, ""))
        wrong += verdict == DIFFERS
        print(f"{name}: {verdict}")
    print(f"{len({*made, *deposited}) - wrong} of {len({*made, *deposited})} tables are the same.")
    return 1 if wrong else 0


def compared(made: str, deposited: str) -> str:
    """How two tables as CSV compare."""
    if made == deposited:
        return SAME
    ours, theirs = ([*csv.reader(io.StringIO(text))] for text in (made, deposited))
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return DIFFERS
    pairs = [pair for one, other in zip(ours, theirs, strict=True) for pair in zip(one, other, strict=True)]
    return NEARLY if all(map(_close, *zip(*pairs, strict=True))) else DIFFERS


def _close(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return math.isclose(float(one), float(other), rel_tol=CLOSE, abs_tol=CLOSE)
    except ValueError:
        return False


def as_csv(table: Table) -> str:
    """CSV with every digit; what is missing is empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table.columns)
    rows: Sequence[Sequence[Any]] = table.rows
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return written.getvalue()
