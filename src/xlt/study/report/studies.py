"""The chapters of a study of transfer: what it came to, models against each other, confidence, exposure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xlt.languages import name
from xlt.science.exposure import exposure, load_pretraining
from xlt.study.design import TUNED, Cell
from xlt.study.evaluate import Table
from xlt.study.exposure import together
from xlt.study.grid import Grid
from xlt.study.plots import curves, heat_map, seen_dots
from xlt.study.report.parts import Figure, Report, Section, Shown, slug
from xlt.study.report.scored import MOST_MODELS, confidence_section, named, pair_section, renamed
from xlt.study.transfer import as_rows, curves_of, label_of, matrix, overlap_note, within_language


def study_sections(report: Report, grid: Grid) -> None:
    """What a study of transfer came to. Raises XltError when none of its cells is done."""
    cells = grid.finished()
    found = matrix(grid, cells)
    section = Section(f"Transfer between languages: {grid.study.name}")
    section.words.append(
        f"{len(cells):,} of {len(grid.study.cells):,} cells of the study are done; {len(grid.test.texts):,} test texts "
        f"in {len(set(grid.test.langs))} languages."
    )
    prefix = f"transfer-{slug(grid.study.path.stem)}"
    section.figures.append(
        Figure(
            f"{prefix}-heat-map",
            "Macro-F1 of training sets (rows) on test languages (columns), mean over seeds",
            "A heat map; its figures are in the table of the same name.",
            partial(heat_map, found),
        )
    )
    within = within_language(found)
    if any(row[-1] is not None for row in within.rows):
        section.figures.append(
            Figure(
                f"{prefix}-seen",
                "Macro-F1 of a language where it was seen in training (filled) and where it was not (hollow): means "
                "over training sets, with the difference; in brackets the test texts",
                "Paired dots; their figures are in the table of the same name.",
                partial(seen_dots, within, found.score),
            )
        )
    learnt = Table(("trained on", "language", "examples", "macro-F1", "low", "high"))
    for bare, lines in curves_of(grid, cells, found.score).items():
        for lang, line in lines.items():
            learnt.rows += [
                (bare, name(lang), int(shots), score, *((score - half, score + half) if half else (None, None)))
                for shots, score, half in line
            ]
        section.figures.append(
            Figure(
                f"{prefix}-curves-{slug(bare)}",
                f"What labelled examples of a language buy: {bare}",
                "; ".join(
                    f"{name(lang)}: " + ", ".join(f"{shots:g} examples {score:.2f}" for shots, score, _ in line)
                    for lang, line in lines.items()
                ),
                partial(curves, lines, found.score),
            )
        )
    table = Table(("trained on", "language", "seen", "n", "seeds", "macro-F1", "low", "high", "sd over seeds"))
    for (row, column), spot in found.spots.items():
        table.rows.append(
            (row, column, spot.seen, spot.n, found.seeds[row], spot.mean, spot.low, spot.high, spot.spread)
        )
    section.tables.append(Shown(f"{prefix}-heat-map", "Macro-F1", named(table)))
    section.tables.append(Shown(f"{prefix}-seen", "Seen against unseen, within each language", named(within)))
    if learnt.rows:
        section.tables.append(Shown(f"{prefix}-curves", "What labelled examples of a language buy", learnt))
        section.notes.append(
            "Examples of a language: low and high are 95 % intervals of the mean over seeds and their draws (Student's "
            "t), from five seeds on; the test texts stay the same."
        )
    section.notes.append(
        "Low and high: 95 % intervals over test texts, none below 50 texts or five of each label. Differences within a "
        "language compare the same test texts; means over languages with other mixes of labels would not. Low and high "
        "are those of the seed in the middle."
    )
    if note := overlap_note(grid, found):
        section.notes.append(note)
    report.sections.append(section)
    report.made.setdefault("studies", {})[grid.study.name] = {
        "file": grid.study.path.name,
        "test": grid.test.hash,
        "seeds": sorted({cell.seed for cell in cells}),
        "cells": {cell.key: {k: v for k, v in grid.store.record(cell).items() if k != "cell"} for cell in cells},
    }
    compared = _compared(cells)
    rows = renamed(as_rows(grid, compared), [label_of(cell) for cell in compared])
    about = f": {grid.study.name}"
    for chapter in (
        pair_section(rows, grid.task, f"{prefix}-", about),
        confidence_section(rows, grid.task, f"{prefix}-", about),
    ):
        if chapter is not None:
            left = len({label_of(cell) for cell in cells}) - len(compared)
            if left:
                chapter.notes.append(f"{left} further configurations are in the tables of transfer alone.")
            report.sections.append(chapter)
    exposed = _exposure(grid)
    if exposed is not None:
        report.sections.append(exposed)


def _compared(cells: Sequence[Cell]) -> list[Cell]:
    """One cell, the first seed's, of each configuration that learnt without shots; as many as a chapter holds."""
    found: dict[str, Cell] = {}
    for cell in cells:
        if not cell.shots and cell.strategy != "commonest":
            found.setdefault(label_of(cell), cell)
    return list(found.values())[:MOST_MODELS]


def _exposure(grid: Grid) -> Section | None:
    """Tuning tokens of all labelled texts of the study against pre-training; None where nothing is tuned."""
    tuned = [cell for cell in grid.study.cells if cell.strategy in TUNED]
    if not tuned:
        return None
    counted, epochs = grid.counted(tuned[0])
    table_of = load_pretraining()
    table = Table(
        ("language", "texts", "tokens", "tokens per word", "bytes per token", "pre-training %", "of language, lowest",
         "of language, highest", "of all, lowest", "of all, highest")
    )  # fmt: skip
    found = [exposure(part, table_of, epochs) for part in counted]
    for each in found:
        low, high = each.of_language
        table.rows.append(
            (name(each.counted.language), each.counted.texts, each.counted.tokens, each.tokens_per_word,
             each.bytes_per_token, each.share, f"{low:.1e}", None if high is None else f"{high:.1e}",
             *(f"{part:.1e}" for part in each.of_all))
        )  # fmt: skip
    total, of_all = together(found, table_of)
    bytes_per_token = total.bytes / total.tokens if total.tokens else None
    table.rows.append(
        ("all", total.texts, total.tokens, None, bytes_per_token, None, None, None, *(f"{part:.1e}" for part in of_all))
    )
    section = Section(f"Exposure: {grid.study.name}")
    section.words.append(
        f"What all labelled texts of the study are, in tokens of {tuned[0].base_name}, against what was read in "
        "pre-training."
    )
    section.tables.append(
        Shown(f"exposure-{slug(grid.study.path.stem)}", "Tuning tokens against pre-training tokens", table)
    )
    section.notes.append(
        f"Lowest: every text once, {table_of.high:.2g} tokens of pre-training; highest: {epochs} epochs, "
        f"{table_of.low:.2g} tokens; none for a language that the table does not list. {table_of.source}. "
        f"{table_of.note}"
    )
    return section
