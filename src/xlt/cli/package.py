"""`xlt package`: the deposit for a journal's data editor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def package(
    study: Annotated[list[Path] | None, typer.Argument(help="Studies of transfer (their TOML files).")] = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="A new folder to write into.")] = Path("deposit"),
    run: Annotated[
        list[str] | None,
        typer.Option(help="As for xlt report: whose shares are told, and runs compared with it. All runs go in."),
    ] = None,
    draw: Annotated[
        str | None, typer.Option(help="The draw whose hand labels correct shares. Default: the newest for estimates.")
    ] = None,
    random_sample: Annotated[
        bool,
        typer.Option("--random-sample", help="State that hand labels without a draw are a plain random sample."),
    ] = False,
    bench: Annotated[Path | None, typer.Option(help="What xlt bench --format json printed.")] = None,
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="Put the texts of test rows in; only where you may pass them on.")
    ] = False,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
) -> None:
    """Write a deposit: design, task and codebook, rows without text, predictions, hashes, code, and every table.

    Of a corpus go in: counts of each run's labels by language and month, hand labels by hashed unit with how they were
    drawn, coders numbered. The deposit's remake.py makes all tables of report, evaluate, prevalence and transfer anew
    from the deposit alone.

    Example: xlt package study.toml -o deposit
    """
    from xlt.cli.corpora import merge_waiting
    from xlt.corpus.store import corpus_path
    from xlt.study.deposit.write import write_deposit
    from xlt.study.report.gather import Wanted

    corpus = corpus_path(workspace)
    if corpus.exists():
        merge_waiting(corpus)
    there = corpus if corpus.exists() else None
    told = Wanted(
        None,
        run[0] if run else None,
        tuple(run[1:]) if run else (),
        draw=draw,
        random_sample=random_sample,
        bench=bench,
    )
    tables = write_deposit(folder, study or (), there, workspace, told=told, with_texts=with_texts)
    print(folder)
    print(
        f"{len(tables)} tables in {folder / 'tables'}. Check them with python {folder / 'remake.py'}.", file=sys.stderr
    )
