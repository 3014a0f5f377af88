"""`xlt export`: write posts, labels and predictions to a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xlt.errors import UsageError


def export(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to write: .parquet .csv .tsv .jsonl .dta (Stata) .sav (SPSS). Default: stdout.",
        ),
    ] = None,
    run: Annotated[str | None, typer.Option(help="Whose predictions; needed when there are several runs.")] = None,
    gold: Annotated[bool, typer.Option("--gold", help="One row per label that a person gave.")] = False,
    ids_only: Annotated[bool, typer.Option("--ids-only", help="Bare ids for sharing, without anything else.")] = False,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the texts out.")] = False,
    purpose: Annotated[
        str | None, typer.Option("--for", help="dsl: gold or nothing, predictions and chances, for R's package dsl.")
    ] = None,
    draw: Annotated[str | None, typer.Option(help="Of --for dsl: a draw for estimates. Default: the newest.")] = None,
    langs: Annotated[str | None, typer.Option(help="Only these languages, such as en,de.")] = None,
    where: Annotated[str | None, typer.Option(help="Only rows for which this SQL condition holds.")] = None,
    kind: Annotated[str, typer.Option("--format", help="For stdout: csv, tsv or jsonl.")] = "csv",
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
    corpus: Annotated[Path | None, typer.Option(help="The corpus, if it is not the workspace's.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Write posts with their predictions or labels to a file that R, Stata, SPSS or Excel opens.

    Platforms forbid publishing what people's politics are held to be: share --ids-only. The file is noted in the
    workspace, so that xlt forget can name it.

    Example: xlt export -o labelled.dta --langs en,de --where "created_at >= '2024-01-01'"
    """
    from xlt.cli.corpora import merge_waiting
    from xlt.corpus.exports import Selection
    from xlt.corpus.exports import export as write
    from xlt.corpus.store import corpus_path

    wanted = tuple(part.strip() for part in (langs or "").split(",") if part.strip())
    path = corpus or corpus_path(workspace)
    if purpose is not None or draw is not None:
        if purpose != "dsl" or gold or ids_only or output is None:
            raise UsageError("Write --for dsl with -o FILE.csv, without --gold and --ids-only.")
        _for_dsl(workspace, path, run, draw, (wanted, where), output, quiet)
        return
    selection = Selection(
        run=run,
        langs=wanted,
        where=where,
        ids_only=ids_only,
        gold=gold,
        text=not no_text,
    )
    merge_waiting(path, quiet)
    said = (lambda sentence: None) if quiet else (lambda sentence: print(sentence, file=sys.stderr))
    rows = write(workspace, path, selection, output, kind, said)
    if not quiet and output is not None:
        print(f"Written: {output}, {rows:,} rows.", file=sys.stderr)


def _for_dsl(
    workspace: Path,
    path: Path,
    run: str | None,
    draw: str | None,
    chosen: tuple[tuple[str, ...], str | None],
    output: Path,
    quiet: bool,
) -> None:
    from xlt.cli.corpora import merge_waiting
    from xlt.corpus import gate
    from xlt.corpus.breakdown import Question
    from xlt.corpus.exports import remember
    from xlt.corpus.labelled import find_runs
    from xlt.corpus.results import check_output
    from xlt.corpus.supervised import write
    from xlt.study.prevalence import estimate_draw
    from xlt.study.untouched import known_texts
    from xlt.tasks.load import task_of

    check_output(output)
    merge_waiting(path, quiet)
    with gate.opened(path) as con:
        (found,) = find_runs(con, [run] if run else [])
        task = task_of(found.task, found.labels)
        which = estimate_draw(con, task, draw)
        known, said = known_texts(con, found, task, which)
        question = Question((), langs=chosen[0], where=chosen[1])
        rows, coded, notes = write(con, found, which, question, task, output, known)
    remember(workspace, output, rows, ids_only=False)
    if not quiet:
        print(
            "\n".join([*said, *notes, f"Written: {output}, {rows:,} {which.unit}, {coded:,} with gold."]),
            file=sys.stderr,
        )
