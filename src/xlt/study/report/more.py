"""The chapters of a report that are not about a corpus: studies of transfer, speed and cost, methods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from xlt.errors import XltError
from xlt.languages import name
from xlt.science.exposure import exposure, load_pretraining
from xlt.study.design import TUNED
from xlt.study.evaluate import Table
from xlt.study.grid import Grid
from xlt.study.plots import curves, heat_map
from xlt.study.report.gather import named
from xlt.study.report.parts import Figure, Report, Section, Shown, slug
from xlt.study.transfer import curves_of, matrix, overlap_note, within_language

_LIBRARIES = ("duckdb", "torch", "mlx", "mlx-lm", "transformers", "tokenizers", "scikit-learn", "scipy", "numpy")


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
    for bare, lines in curves_of(grid, cells, found.score).items():
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
    table = Table(("trained on", "language", "seen", "n", "seeds", "macro-F1", "sd over seeds", "low", "high"))
    for (row, column), spot in found.spots.items():
        table.rows.append(
            (row, column, spot.seen, spot.n, found.seeds[row], spot.mean, spot.spread, spot.low, spot.high)
        )
    section.tables.append(Shown(f"{prefix}-heat-map", "Macro-F1", named(table)))
    section.tables.append(
        Shown(f"{prefix}-seen", "Seen against unseen, within each language", named(within_language(found)))
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
        "cells": {cell.key: {k: v for k, v in grid.store.record(cell).items() if k != "cell"} for cell in cells},
    }
    exposed = _exposure(grid)
    if exposed is not None:
        report.sections.append(exposed)


def _exposure(grid: Grid) -> Section | None:
    """Tuning tokens of all labelled texts of the study against pre-training; None where nothing is tuned."""
    tuned = [cell for cell in grid.study.cells if cell.strategy in TUNED]
    if not tuned:
        return None
    counted, epochs = grid.counted(tuned[0])
    table_of = load_pretraining()
    table = Table(
        ("language", "texts", "tokens", "tokens per word", "bytes per token", "pre-training %", "of language, lowest",
         "of language, highest")
    )  # fmt: skip
    for each in (exposure(part, table_of, epochs) for part in counted):
        low, high = each.of_language
        table.rows.append(
            (name(each.counted.language), each.counted.texts, each.counted.tokens, each.tokens_per_word,
             each.bytes_per_token, each.share, f"{low:.1e}", None if high is None else f"{high:.1e}")
        )  # fmt: skip
    section = Section(f"Exposure: {grid.study.name}")
    section.words.append(
        f"What all labelled texts of the study are, in tokens of {tuned[0].base}, against what was read in "
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


def bench_section(path: Path) -> Section:
    """Speed and cost, from what `xlt bench --format json` printed. Raises XltError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        loaded = found["loaded"]
        rates = found["rates"]
        hosted = [
            (each["model"], each["per_million"], each["local_percent"], each["announced"]) for each in found["hosted"]
        ]
        words = (
            f"{found['model']} with {loaded['backend']} on {loaded['device']} in {loaded['precision']}: "
            f"{found['tweets_per_second']:,.1f} tweets per second (median of {len(rates)}, from {min(rates):,.1f} to "
            f"{max(rates):,.1f}), {found['peak_memory'] / 1e9:.2f} GB at most, {found['load_seconds']:.1f} s to load."
        )
        own = found["per_million"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise XltError(f"{path} is not what xlt bench --format json prints: {error}.") from None
    section = Section("Speed and cost", [words])
    if own is not None:
        section.words.append(f"A million tweets cost ${own:,.4g} on this machine, by the prices that were given.")
    table = Table(("hosted model", "$ per million tweets", "this machine, % of that", "price of"), hosted)
    section.tables.append(Shown("cost", "What hosted models would charge for the same prompts", table))
    section.notes.append("Token counts are those of the local model's tokenizer; prices are as announced on their day.")
    return section


def methods_section(report: Report) -> Section:
    """Versions, hashes and seeds in words, and where the rest of them is."""
    versions: dict[str, str] = {}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    report.made["libraries"] = versions
    section = Section("Methods")
    section.words.append(
        "Labels were scored, not generated: the model's probabilities of the task's answers after the prompt, softmax "
        "in float32, the most probable label counted. Equal texts were scored once."
    )
    run = report.made.get("run")
    if isinstance(run, Mapping):
        section.words.append(_run_words(run))
    if "studies" in report.made:
        section.words.append(
            "In studies of transfer, the texts that chose a checkpoint share no near-duplicate (MinHash of 0.8 or "
            "more), repost or translation with training texts and are of languages in training alone; examples of a "
            "language are nested, a draw of fewer being part of one of more. Test texts are all those of the test file."
        )
    listed = ", ".join(f"{library} {number}" for library, number in versions.items())
    section.words.append(
        f"Made with xlt {report.made['xlt']}, Python {report.made['python']}, {listed}. Hashes of files, models and "
        "test rows and all settings stand in report.json beside this file."
    )
    return section


def _run_words(run: Mapping[str, Any]) -> str:
    def said(table: str, key: str) -> str:
        return str((run.get(table) or {}).get(key, "unknown"))

    return (
        f"Shares are those of the model {said('model', 'name')} (hash {said('identity', 'model')}) on the task "
        f"{said('task', 'name')} (hash {said('identity', 'task')}), run in {said('loaded', 'precision')} with "
        f"{said('loaded', 'backend')} on {said('loaded', 'device')}."
    )
