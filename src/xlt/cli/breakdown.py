"""`xlt breakdown`: shares of topic and stance."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Answer, Question
    from xlt.corpus.labelled import FileColumns, Run
    from xlt.tasks.spec import Task


def breakdown(
    source: Annotated[
        list[str] | None,
        typer.Argument(help="The word corpus (the default), a .duckdb file, or labelled files (xlt classify)."),
    ] = None,
    by: Annotated[
        str, typer.Option(help="lang, day, week, month, year, or any column; several crossed: lang,month.")
    ] = "lang",
    run: Annotated[
        list[str] | None,
        typer.Option(help="A run of the corpus (xlt runs list); several are compared. Default: the newest."),
    ] = None,
    unit: Annotated[str, typer.Option(help="posts, texts (each distinct text once) or authors (each once).")] = "posts",
    langs: Annotated[str | None, typer.Option(help="Only these languages, such as en,de.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only posts from this day on.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only posts up to this day.")] = None,
    contains: Annotated[str | None, typer.Option(help="Only posts whose text holds this, in any case.")] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only posts whose label has at least this probability.")
    ] = None,
    max_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only posts whose label has at most this probability.")
    ] = None,
    where: Annotated[str | None, typer.Option(help="Only posts for which this SQL condition holds.")] = None,
    originals_only: Annotated[bool, typer.Option("--originals-only", help="Leave reposts out.")] = False,
    exclude_authors: Annotated[
        Path | None,
        typer.Option(help="A file of authors to leave out: one id a line, as the platform or the corpus has it."),
    ] = None,
    author_cap: Annotated[int | None, typer.Option(min=1, help="Count at most N posts of each author.")] = None,
    tz: Annotated[str, typer.Option(help="The time zone of days, weeks and months, such as Europe/Berlin.")] = "UTC",
    bootstrap: Annotated[int, typer.Option(min=0, help="Intervals from N draws of authors, such as 1000.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    corrected: Annotated[
        bool,
        typer.Option("--corrected", help="Shares corrected by the gold of a draw, with intervals (xlt prevalence)."),
    ] = False,
    draw: Annotated[str | None, typer.Option(help="Of --corrected: a draw for estimates. Default: the newest.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The task of the labels, by name or .toml file. Default: the run's, or immigration."),
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Of a file: the column with the labels.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Of a file: the column with the text.")] = None,
    lang_column: Annotated[str | None, typer.Option(help="Of a file: the column with the language.")] = None,
    author_column: Annotated[str | None, typer.Option(help="Of a file: the column with the author.")] = None,
    date_column: Annotated[str | None, typer.Option(help="Of a file: the column with the date.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of CSV files, such as latin-1.")] = "utf-8",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .csv, .json or .parquet file.")] = None,
    format: Annotated[str | None, typer.Option(help="table, csv, json or parquet. Default: table.")] = None,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No footnotes on stderr.")] = False,
) -> None:
    """Shares of topic, and of stance among the posts on topic, by language, time or any column.

    Every share stands with its denominator. Footnotes on stderr say what is counted and what is not.

    Example: xlt breakdown labelled.csv --by lang,month
    """
    from xlt.cli.rows import choose_format
    from xlt.corpus.breakdown import Question, Unit
    from xlt.corpus.labelled import FileColumns

    if unit not in get_args(Unit):
        raise UsageError(f"--unit {unit}: there are {', '.join(get_args(Unit))}.")
    chosen = choose_format(format, output)
    question = Question(
        by=_parts(by),
        unit=cast("Unit", unit),
        zone=tz,
        langs=_parts(langs or ""),
        since=since.date() if since else None,
        until=until.date() if until else None,
        contains=contains,
        least=min_confidence,
        most=max_confidence,
        where=where,
        originals_only=originals_only,
        exclude_authors=_authors(exclude_authors) if exclude_authors else (),
        author_cap=author_cap,
        bootstrap=bootstrap,
        seed=seed,
    )
    columns = FileColumns(label_column, text_column, lang_column, author_column, date_column, encoding)
    sources = source or ["corpus"]
    if corrected or draw:
        answer, notes, known, runs = _corrected(sources, workspace, question, task, run or [], draw, quiet)
    else:
        answer, notes, known, runs = _ask(sources, workspace, question, task, run or [], columns, quiet)
    _emit(answer, notes, known, runs, chosen, output)
    if not quiet and chosen != "json":
        print("\n" + "\n".join(notes) if chosen == "table" else "\n".join(notes), file=sys.stderr)


def _parts(given: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.split(",") if part.strip())


def _authors(path: Path) -> tuple[str, ...]:
    """One author a line; blank lines and what follows # are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"--exclude-authors {path} can't be read: {reason.lower()}.") from None
    authors = tuple(line.split("#", 1)[0].strip() for line in lines)
    found = tuple(author for author in authors if author)
    if not found:
        raise UsageError(f"--exclude-authors {path} names no author.")
    return found


def _corrected(
    sources: list[str],
    workspace: Path,
    question: Question,
    task: str | None,
    runs: list[str],
    draw: str | None,
    quiet: bool,
) -> tuple[Answer, list[str], Task, tuple[Run, ...]]:
    from xlt.cli.corpora import is_corpus
    from xlt.cli.prevalence import estimate_corpus

    if len(sources) > 1 or not is_corpus(sources[0]):
        raise UsageError(
            "--corrected is for a corpus, which keeps how its gold was drawn; for files see xlt prevalence."
        )
    if len(runs) > 1:
        raise UsageError("--corrected takes one --run; correct one after the other.")
    if question.bootstrap or question.author_cap is not None or question.unit == "authors":
        raise UsageError("--corrected goes with neither --bootstrap, --author-cap nor --unit authors.")
    run = runs[0] if runs else None
    found, known = estimate_corpus(sources[0], workspace, run, draw, question, task, False, quiet)
    return found.corrected(), list(found.notes), known, ()


def _ask(
    sources: list[str],
    workspace: Path,
    question: Question,
    task_name: str | None,
    runs: list[str],
    columns: FileColumns,
    quiet: bool,
) -> tuple[Answer, list[str], Task, tuple[Run, ...]]:
    from xlt.cli.corpora import is_corpus

    if any(is_corpus(source) for source in sources):
        if len(sources) > 1:
            raise UsageError("A corpus can't be mixed with other sources; break them down one after the other.")
        return _ask_corpus(sources[0], workspace, question, task_name, runs, quiet)
    if runs:
        raise UsageError("--run is for a corpus; a labelled file holds one run.")
    return _ask_files(sources, question, task_name or "immigration", columns)


def _ask_corpus(
    source: str, workspace: Path, question: Question, task_name: str | None, runs: list[str], quiet: bool
) -> tuple[Answer, list[str], Task, tuple[Run, ...]]:
    from dataclasses import replace

    from xlt.cli.corpora import find_corpus
    from xlt.corpus import gate
    from xlt.corpus.breakdown import breakdown as ask
    from xlt.corpus.detection import undetected
    from xlt.corpus.footnotes import footnotes
    from xlt.corpus.labelled import authors_as_kept, find_runs, from_corpus
    from xlt.corpus.shares import groups_of
    from xlt.tasks.load import task_of

    path = find_corpus(source, workspace, quiet)
    with gate.opened(path) as con:
        found = find_runs(con, runs)
        if len(found) > 1 and "run" not in question.by:
            question = replace(question, by=("run", *question.by))
        if question.exclude_authors:
            question = replace(question, exclude_authors=authors_as_kept(con, workspace, question.exclude_authors))
        known = task_of(task_name or found[0].task, found[0].labels)
        answer = ask(con, from_corpus(con, found), question, known.groups, known.names)
        missing = undetected(con) if "lang" in answer.by else (0, 0)
    groups = groups_of(known.groups, known.names)
    return answer, footnotes(answer, question, groups, found, missing), known, found


def _ask_files(
    sources: list[str], question: Question, task_name: str, columns: FileColumns
) -> tuple[Answer, list[str], Task, tuple[Run, ...]]:
    import tempfile

    from xlt.cli.request import expand
    from xlt.corpus import duck
    from xlt.corpus.breakdown import breakdown as ask
    from xlt.corpus.footnotes import footnotes
    from xlt.corpus.labelled import from_files
    from xlt.corpus.shares import groups_of
    from xlt.tasks.load import load_task

    known = load_task(task_name)
    files = expand(tuple(sources))
    with tempfile.TemporaryDirectory(prefix="xlt-") as scratch, duck.job(Path(scratch)) as con:
        answer = ask(con, from_files(con, files, columns, Path(scratch)), question, known.groups, known.names)
    if not answer.total.n and answer.unknown_labels:
        found = ", ".join(sorted(answer.unknown_labels)[:8])
        raise XltError(
            f"{files[0]} has no label of the task {known.name} ({', '.join(known.names)}), but {found}; name the task "
            "with --task, or the column with --label-column."
        )
    groups = groups_of(known.groups, known.names)
    return answer, footnotes(answer, question, groups), known, ()


def _emit(
    answer: Answer, notes: list[str], task: Task, runs: tuple[Run, ...], chosen: str, output: Path | None
) -> None:
    from xlt.cli.formats import print_json
    from xlt.cli.rows import print_csv
    from xlt.cli.tables import shares_table
    from xlt.corpus.written import as_object, flat, write_answer

    if chosen == "table":
        from rich.console import Console

        rows = list(answer.rows) if len(answer.rows) == 1 else [*answer.rows, answer.total]
        seen = sorted({lang for run in runs for lang in run.seen}) if len(runs) == 1 else []
        Console(highlight=False).print(shares_table(rows, task, seen, answer.by))
        return
    if output is not None:
        write_answer(answer, notes, task.name, runs, output)
    elif chosen == "csv":
        print_csv(*flat(answer))
    else:
        print_json(as_object(answer, notes, task.name, runs))
