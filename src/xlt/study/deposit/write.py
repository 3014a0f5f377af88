"""Writes a deposit: data without text, task, recipes, code, versions, hashes, tables, and how to remake them.

No text, no author, no id of a post. Texts of a study's test rows only when they are asked for.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution, distributions, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xlt
from xlt import __version__
from xlt.corpus import units
from xlt.corpus.labelled import chosen
from xlt.corpus.secret import ensure_key
from xlt.disk import new_folder, write_json, write_text
from xlt.errors import UsageError, XltError
from xlt.study.deposit import remake
from xlt.study.deposit.check import as_csv
from xlt.study.deposit.kept import Keeping, hashed_unit, write_rows, write_task
from xlt.study.deposit.packed import Packed, pack
from xlt.study.deposit.readme import readme
from xlt.study.deposit.tables import tables
from xlt.study.design import load_study
from xlt.study.grid import Grid, Where
from xlt.study.report.evidence import of_corpus
from xlt.study.report.gather import Wanted

if TYPE_CHECKING:
    from xlt.corpus.labelled import Run
    from xlt.corpus.leash import Connection

SUMS = "SHA256SUMS"
NEEDED = ("numpy", "pyarrow", "safetensors", "scipy", "statsmodels")
"""Libraries that remaking the tables imports; what they need in turn is looked up."""
CODE = (".py", ".toml", ".sql")


def write_deposit(
    folder: Path,
    studies: Sequence[Path],
    corpus: Path | None,
    workspace: Path,
    *,
    told: Wanted | None = None,
    with_texts: bool = False,
) -> list[str]:
    """Write everything into `folder`, which must be new or empty; the names of its tables.

    `told` is how the report was asked for: run, draw, bench. Raises UsageError, XltError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; give the deposit a folder of its own.")
    if corpus is None and not studies:
        raise UsageError("There is nothing to deposit: no corpus here, and no study named.")
    if len({path.stem for path in studies}) < len(studies):
        raise UsageError("Two of the studies have files of the same name; rename one.")
    if folder.exists():
        folder.rmdir()
    with new_folder(folder) as aside:
        _fill(aside, studies, corpus, workspace, told or Wanted(None), with_texts)
    return sorted(path.stem for path in (folder / "tables").glob("*.csv"))


def _fill(
    folder: Path,
    studies: Sequence[Path],
    corpus: Path | None,
    workspace: Path,
    told: Wanted,
    with_texts: bool,
) -> None:
    about: dict[str, Any] = {"xlt": __version__, "run": None, "against": [], "studies": {}, "corpus": {}}
    for path in studies:
        grid = Grid(load_study(path), Where(workspace))
        write_task(folder, grid.task)
        pack(grid, folder / "studies" / path.stem, with_texts=with_texts)
        about["studies"][path.stem] = _about(grid)
    grids = {name: Packed(folder / "studies" / name, folder / "tasks") for name in about["studies"]}
    if told.bench is not None:
        try:
            shutil.copyfile(told.bench, folder / "bench.json")
        except OSError as error:
            raise XltError(f"{told.bench} can't be read: {(error.strerror or str(error)).lower()}.") from None
    if corpus is None:
        made = tables(None, grids, told)
    else:
        with of_corpus(corpus, told.draw, random_sample=told.random_sample) as evidence:
            key = ensure_key(workspace)
            keeping = Keeping(evidence, folder / "corpus", key)
            runs = keeping.runs()
            if runs:
                named = [told.run] if told.run else [runs[0].id]
                run, *against = (each.id for each in chosen(runs, [*named, *told.against]))
                told = replace(told, run=run, against=tuple(against))
                about |= {"run": run, "against": against}
            made = tables(keeping, grids, told)
            _by_hand(evidence.con, folder / "corpus", runs, key)
        about["corpus"] = {"runs": [each.id for each in runs]}
    (folder / "tables").mkdir()
    for name, table in made.items():
        write_text(folder / "tables" / f"{name}.csv", as_csv(table))
    write_json(folder / "about.json", about)
    _code(folder)
    write_text(folder / "README.md", readme(folder, about, with_texts))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}" for path in files]
    write_text(folder / SUMS, "\n".join(sums) + "\n")


def _about(grid: Grid) -> dict[str, Any]:
    return {
        "cells": len(grid.finished()),
        "planned": len(grid.study.cells),
        "test_rows": len(grid.test.texts),
        "test_hash": grid.test.hash,
        "train_sha256": hashlib.sha256(grid.study.train.read_bytes()).hexdigest(),
        "test_sha256": hashlib.sha256(grid.study.test.read_bytes()).hexdigest(),
    }


def _by_hand(con: Connection, folder: Path, runs: Sequence[Run], key: bytes) -> None:
    """Who coded what and how it was drawn, with what each run says of those units."""

    def hidden(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(hashed_unit(key, row[0]), *row[1:]) for row in rows]

    found = hidden(units.units(con))
    if not found:
        return
    write_rows(folder / "draws.csv", units.DRAWS, units.draws(con))
    write_rows(folder / "units.csv", units.UNITS, found)
    write_rows(folder / "codings.csv", units.CODINGS, hidden(units.codings(con)))
    for run in runs:
        rows = hidden(units.predictions(con, run.id, run.labels))
        write_rows(folder / run.id / "units.csv", ["unit", "predicted", *run.labels], rows)


def needed() -> list[str]:
    """NEEDED and what they need in turn, of what is installed here."""
    found: set[str] = set()
    waiting = list(NEEDED)
    while waiting:
        name = waiting.pop().lower()
        try:
            asked = requires(name) or []
        except PackageNotFoundError:
            # Only on some systems, or an extra of xlt that is not installed: then its table is not here either.
            continue
        if name not in found:
            found.add(name)
            waiting += [re.split(r"[^\w.-]", each)[0] for each in asked if "extra ==" not in each]
    return sorted(found)


def _code(folder: Path) -> None:
    """The code of xlt that made the tables, what it needs, and every library that was installed."""
    home = Path(xlt.__file__).parent
    for path in sorted(home.rglob("*")):
        if path.suffix in CODE and "_bundled" not in path.parts:
            target = folder / "code" / "xlt" / path.relative_to(home)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    licence = distribution("xlt").read_text("licenses/LICENSE")
    write_text(folder / "code" / "LICENSE", licence or "MIT License\n")
    shutil.copyfile(str(remake.__file__), folder / "remake.py")
    write_text(folder / "requirements.txt", "\n".join(f"{name}=={version(name)}" for name in needed()) + "\n")
    found = {str(each.metadata["Name"]).lower(): each.version for each in distributions() if each.metadata["Name"]}
    found["xlt"] = __version__
    lines = [f"# Python {sys.version.split()[0]}", *(f"{name}=={found[name]}" for name in sorted(found))]
    write_text(folder / "environment.txt", "\n".join(lines) + "\n")
