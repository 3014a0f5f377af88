"""Writes a report: `index.html`, `tables/` as CSV and LaTeX, `figures/` as SVG, PDF and PNG, `report.json`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from xlt.disk import write_json, write_text
from xlt.errors import XltError
from xlt.study.drawing import stand_in_note
from xlt.study.report.html import page
from xlt.study.report.latex import latex
from xlt.study.report.parts import Report, Shown


def write(report: Report, folder: Path) -> Path:
    """Write everything; the HTML file's path. Raises XltError."""
    try:
        for name in ("tables", "figures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XltError(f"The folder {folder} can't be made: {(error.strerror or str(error)).lower()}.") from None
    pictures = {}
    for section in report.sections:
        for shown in section.tables:
            write_text(folder / "tables" / f"{shown.name}.csv", as_csv(shown))
            write_text(folder / "tables" / f"{shown.name}.tex", latex(shown))
        for figure in section.figures:
            figure.draw(folder / "figures" / figure.name)
            pictures[figure.name] = (folder / "figures" / f"{figure.name}.svg").read_text(encoding="utf-8")
        if section.figures and (note := stand_in_note(section.classes)) and note not in section.notes:
            section.notes.append(note)
    write_json(folder / "report.json", report.made)
    write_text(folder / "index.html", page(report, pictures))
    return folder / "index.html"


def as_csv(shown: Shown) -> str:
    """The table with its columns' own names, shares between 0 and 1, nothing rounded."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(shown.table.columns)
    writer.writerows(["" if value is None else value for value in row] for row in shown.table.rows)
    return written.getvalue()
