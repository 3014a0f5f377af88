"""`xlt query`: named queries, and any SQL that reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.labelled import Run
    from xlt.corpus.queries import Query

SHOWN = 100


def query(
    what: Annotated[
        str | None, typer.Argument(metavar="[NAME|SQL]", help="A query's name, or SQL in quotes; nothing lists names.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="The run that `labelled` and $run mean (xlt runs list). Default: the newest.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter of the query, as name=value.")] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help=f"At most so many rows. [{SHOWN} as a table, all otherwise]")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .csv, .json, .jsonl or .parquet file.")
    ] = None,
    format: Annotated[str | None, typer.Option(help="table, csv, json or parquet. Default: table.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the query's SQL and run nothing.")] = False,
    corpus: Annotated[Path | None, typer.Option(help="A .duckdb file. Default: the workspace's corpus.duckdb.")] = None,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb and queries/.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Ask the corpus: a named query, or SQL of your own (read-only).

    SQL sees the tables tweets, predictions, gold, runs and imports, and two more for the run: labelled (tweets with
    language, label and confidence) and classes (part, class, label). Your own queries are .sql files in queries/.

    Example: xlt query stance-by-language
    """
    from xlt.cli.rows import choose_format
    from xlt.corpus.queries import find, values_of

    if what is None:
        _list(workspace, format)
        return
    lines = output is not None and output.suffix.lower() == ".jsonl" and format in (None, "json")
    chosen = "json" if lines else choose_format(format, output)
    found = find(what, workspace)
    if show:
        print(found.sql)
        return
    _run(found, values_of(found, param or []), run, rows, chosen, output, corpus, workspace, quiet)


def _list(workspace: Path, format: str | None) -> None:
    from xlt.cli.formats import check_format, print_json
    from xlt.cli.rows import print_table
    from xlt.corpus.queries import named

    check_format(format or "table", ("table", "json"))
    queries = named(workspace).values()
    if format == "json":
        print_json(
            [
                {
                    "name": each.name,
                    "title": each.title,
                    "about": each.about,
                    "parameters": {p.name: {"default": p.default, "about": p.about} for p in each.parameters},
                    "path": each.path,
                }
                for each in queries
            ]
        )
        return
    parameters = [", ".join(f"{p.name}={p.default}" for p in each.parameters) for each in queries]
    rows = [(each.name, each.title, some) for each, some in zip(queries, parameters, strict=True)]
    print_table(("query", "what it shows", "parameters"), rows)


def _run(
    found: Query,
    values: dict[str, Any],
    run_name: str | None,
    rows: int | None,
    chosen: str,
    output: Path | None,
    corpus: Path | None,
    workspace: Path,
    quiet: bool,
) -> None:
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.cli.rows import objects, print_csv, print_table
    from xlt.corpus import gate
    from xlt.corpus.queries import for_run, run, write

    if corpus is not None and corpus.suffix.lower() != ".duckdb":
        raise UsageError(f"--corpus {corpus}: a corpus is a file that ends in .duckdb.")
    path = find_corpus(str(corpus) if corpus else WORD, workspace, quiet)
    with gate.opened(path) as con:
        which, of_run = for_run(con, run_name)
        values |= of_run
        if output is not None:
            count = write(con, found.sql, values, output, rows)
            if not quiet:
                print(f"{count:,} rows written to {output}.", file=sys.stderr)
            return
        cap = rows or (SHOWN if chosen == "table" else None)
        result = run(con, found.sql, values, cap)
    if chosen == "table":
        if found.name and not quiet:
            print(f"{found.title}. {found.about}\n", file=sys.stderr)
        print_table(result.columns, result.rows)
    elif chosen == "csv":
        print_csv(result.columns, result.rows)
    else:
        from xlt.cli.formats import print_json

        print_json(objects(result.columns, result.rows))
    if not quiet:
        _say_how_many(len(result.rows), result.more, which, chosen)


def _say_how_many(count: int, more: bool, which: Run | None, chosen: str) -> None:
    of = f" Run {which.id} ({which.model})." if which else ""
    if more:
        print(f"\nThe first {count:,} rows; there are more: --rows N shows N, -o FILE writes all.{of}", file=sys.stderr)
    elif chosen == "table":
        print(f"\n{count:,} {'row' if count == 1 else 'rows'}.{of}", file=sys.stderr)
