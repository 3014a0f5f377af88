"""`xlt report`: one HTML file, and every table and figure by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Option("--output", "-o", help="The folder to write into.")] = Path("report"),
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="The run whose shares are told; more runs to be compared with it. Default: the newest, and all of its "
            "task."
        ),
    ] = None,
    draw: Annotated[
        str | None, typer.Option(help="The draw for estimates that corrects shares. Default: the newest.")
    ] = None,
    random_sample: Annotated[
        bool, typer.Option("--random-sample", help="State that gold is a plain random sample of every cell.")
    ] = False,
    study: Annotated[
        list[Path] | None, typer.Option(help="A study of transfer (its TOML file); several may be named.")
    ] = None,
    bench: Annotated[Path | None, typer.Option(help="What xlt bench --format json printed.")] = None,
    title: Annotated[str, typer.Option(help="The report's title.")] = "What the corpus says, by language",
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
) -> None:
    """Write a report of a workspace: data, models, scores, shares, transfer, exposure, cost, methods.

    index.html needs no network; tables/ holds CSV and LaTeX, figures/ SVG, PDF and PNG. It quotes no post and names no
    author.

    Example: xlt report -o report
    """
    from xlt.cli.corpora import merge_waiting
    from xlt.corpus.store import corpus_path
    from xlt.study.drawing import pyplot
    from xlt.study.report.gather import Wanted, gather
    from xlt.study.report.write import write

    # Told at once, not after minutes of asking.
    pyplot()
    corpus = corpus_path(workspace)
    if corpus.exists():
        merge_waiting(corpus)
    wanted = Wanted(
        corpus if corpus.exists() else None,
        run=run[0] if run else None,
        against=tuple(run[1:]) if run else (),
        draw=draw,
        random_sample=random_sample,
        studies=tuple(study or ()),
        bench=bench,
        title=title,
        workspace=workspace,
    )
    found = gather(wanted)
    print(write(found, folder))
    tables = sum(len(section.tables) for section in found.sections)
    figures = sum(len(section.figures) for section in found.sections)
    print(f"{len(found.sections)} chapters, {tables} tables, {figures} figures in {folder}.", file=sys.stderr)
