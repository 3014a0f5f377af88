"""`xlt package`: the deposit for a journal's data editor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def package(
    study: Annotated[list[Path] | None, typer.Argument(help="Studies of transfer (their TOML files).")] = None,
    folder: Annotated[Path, typer.Option("--output", "-o", help="A new folder to write into.")] = Path("deposit"),
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="Put the texts of test rows in; only where you may pass them on.")
    ] = False,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
) -> None:
    """Write a deposit: design, task and codebook, rows without text, predictions, hashes, and a script for the tables.

    Counts of the corpus's newest run by language and month go in where there is a corpus. The deposit's remake.py
    makes every table anew from the deposit alone.

    Example: xlt package study.toml -o deposit
    """
    from xlt.cli.corpora import merge_waiting
    from xlt.corpus.store import corpus_path
    from xlt.study.deposit.write import write_deposit

    corpus = corpus_path(workspace)
    if corpus.exists():
        merge_waiting(corpus)
    tables = write_deposit(folder, study or (), corpus if corpus.exists() else None, workspace, with_texts=with_texts)
    print(folder)
    print(f"{len(tables)} tables: {', '.join(tables)}. Check them with python {folder / 'remake.py'}.", file=sys.stderr)
