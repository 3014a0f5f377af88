"""`xlt prevalence`: shares corrected by hand labels, with intervals that cover what they say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Question
    from xlt.study.evaluate import Table
    from xlt.study.prevalence import Estimates
    from xlt.tasks.spec import Task

GOLD_COLUMNS = ("gold", "gold_label")


def prevalence(
    source: Annotated[
        list[str] | None,
        typer.Argument(help="The word corpus (the default), a .duckdb file, or labelled files with gold in some rows."),
    ] = None,
    by: Annotated[str, typer.Option(help="lang, month, year or any column; several crossed; none for all.")] = "lang",
    run: Annotated[str | None, typer.Option(help="Of the corpus: a run (xlt runs list). Default: the newest.")] = None,
    draw: Annotated[str | None, typer.Option(help="Of the corpus: a draw for estimates. Default: the newest.")] = None,
    langs: Annotated[str | None, typer.Option(help="Only these languages, such as en,de.")] = None,
    where: Annotated[str | None, typer.Option(help="Only posts for which this SQL condition holds.")] = None,
    tz: Annotated[str, typer.Option(help="The time zone of days, weeks and months, such as Europe/Berlin.")] = "UTC",
    random_sample: Annotated[
        bool, typer.Option("--random-sample", help="State that gold is a plain random sample of every cell.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option(help="The task of the labels, by name or .toml file. Default: the run's, or immigration."),
    ] = None,
    pred_column: Annotated[
        str | None, typer.Option(help="Of a file: the column with predictions. Default: predicted.")
    ] = None,
    gold_column: Annotated[
        str | None, typer.Option(help="Of a file: the column with gold, empty where nobody coded. Default: gold.")
    ] = None,
    probability_column: Annotated[
        str | None, typer.Option(help="Of a file: the column with the chance that a gold row had of being drawn.")
    ] = None,
    stratum_column: Annotated[
        str | None, typer.Option(help="Of a file: the column with what gold was drawn apart by.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Of a file: the model of the predictions; gold that it was tuned on is left out or refused."),
    ] = None,
    lang_column: Annotated[str | None, typer.Option(help="Of a file: the column with the language.")] = None,
    date_column: Annotated[str | None, typer.Option(help="Of a file: the column with the date.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of CSV files, such as latin-1.")] = "utf-8",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .csv, .json or .parquet file.")] = None,
    format: Annotated[str | None, typer.Option(help="table, csv, json or parquet. Default: table.")] = None,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No footnotes on stderr.")] = False,
) -> None:
    """Estimate shares of topic and stance from predictions on everything and hand labels on a random part.

    Beside the classifier's own share stand the estimate from gold alone, the adjusted count, and the one to report,
    with its interval and how many more labels would halve it. Too little gold is "not estimable".

    Example: xlt prevalence corpus --by lang
    """
    from xlt.cli.corpora import is_corpus
    from xlt.cli.request import expand
    from xlt.cli.rows import choose_format
    from xlt.corpus.breakdown import Question
    from xlt.corpus.labelled import FileColumns

    chosen = choose_format(format, output)
    parts = () if by == "none" else tuple(part.strip() for part in by.split(",") if part.strip())
    wanted = tuple(part.strip() for part in (langs or "").split(",") if part.strip())
    question = Question(by=parts, zone=tz, langs=wanted, where=where)
    sources = source or ["corpus"]
    if any(is_corpus(each) for each in sources):
        if len(sources) > 1:
            raise UsageError("A corpus can't be mixed with other sources.")
        given = {
            "--pred-column": pred_column,
            "--gold-column": gold_column,
            "--probability-column": probability_column,
            "--stratum-column": stratum_column,
            "--model": model,
        }
        if named := [option for option, value in given.items() if value]:
            raise UsageError(f"{named[0]} is for files; the corpus keeps its draws and runs.")
        found, known = estimate_corpus(sources[0], workspace, run, draw, question, task, random_sample, quiet)
    else:
        if run or draw:
            raise UsageError("--run and --draw are for a corpus; a file holds one run.")
        columns = FileColumns(label=pred_column, lang=lang_column, date=date_column, encoding=encoding)
        gold = (gold_column, probability_column, stratum_column)
        made_by = _folder(model, workspace) if model else None
        files = expand(tuple(sources))
        found, known = _of_files(files, columns, gold, question, task or "immigration", random_sample, made_by)
    _emit(found, known, chosen, output)
    if not quiet and chosen != "json":
        print("\n" * (chosen == "table") + "\n".join(found.notes), file=sys.stderr)


def estimate_corpus(
    source: str,
    workspace: Path,
    run: str | None,
    draw: str | None,
    question: Question,
    task: str | None,
    random_sample: bool,
    quiet: bool,
) -> tuple[Estimates, Task]:
    """Corrected shares of a corpus, and the task of their labels. Raises UsageError, XltError."""
    from xlt.cli.corpora import find_corpus
    from xlt.corpus import gate
    from xlt.corpus.labelled import find_runs
    from xlt.study.prevalence import of_corpus
    from xlt.tasks.load import task_of

    path = find_corpus(source, workspace, quiet)
    with gate.opened(path) as con:
        (found,) = find_runs(con, [run] if run else [])
        known = task_of(task or found.task, found.labels)
        return of_corpus(con, found, question, known, draw, random_sample=random_sample), known


def _of_files(
    files: tuple[Path, ...],
    columns: Any,
    gold: tuple[str | None, str | None, str | None],
    question: Question,
    task: str,
    random_sample: bool,
    model: Path | None,
) -> tuple[Estimates, Task]:
    import tempfile

    from xlt.corpus import duck
    from xlt.corpus.estimates import GoldColumns
    from xlt.corpus.labelled import from_files
    from xlt.corpus.readers import find_column
    from xlt.corpus.stage import TEXT_COLUMNS
    from xlt.study.prevalence import from_files as estimate
    from xlt.tasks.load import load_task

    known = load_task(task)
    with tempfile.TemporaryDirectory(prefix="xlt-") as scratch, duck.job(Path(scratch)) as con:
        source = from_files(con, files, columns, Path(scratch))
        names = [name for name, _ in source.columns.named]
        column = find_column(names, gold[0], GOLD_COLUMNS, "--gold-column")
        if column is None:
            raise UsageError(
                f"{files[0]} has no column of gold: xlt looks for {', '.join(GOLD_COLUMNS)}, and there are "
                f"{', '.join(names)}; name it with --gold-column."
            )
        found = GoldColumns(
            column,
            find_column(names, gold[1], (), "--probability-column"),
            find_column(names, gold[2], (), "--stratum-column"),
            find_column(names, None, TEXT_COLUMNS, ""),
        )
        return estimate(con, source, question, found, known, random_sample=random_sample, model=model), known


def _folder(model: str, workspace: Path) -> Path:
    """Of a model's card. Raises UsageError, XltError."""
    from xlt.cards.registry import locate

    path = locate(model, "torch", workspace).path
    return path if path.is_dir() else path.parent


def _emit(found: Estimates, task: Task, chosen: str, output: Path | None) -> None:
    from xlt.cli.formats import print_json
    from xlt.cli.rows import objects, print_csv, write_table
    from xlt.disk import write_json

    table = found.table()
    if chosen == "table":
        _print(table, found, task)
    elif chosen == "json":
        content = {"task": task.name, "notes": list(found.notes), "rows": objects(table.columns, table.rows)}
        print_json(content) if output is None else write_json(output, content)
    elif output is None:
        print_csv(table.columns, table.rows)
    else:
        write_table(table.columns, table.rows, output)


def _print(table: Table, found: Estimates, task: Task) -> None:
    from xlt.cli.rows import print_table
    from xlt.cli.tables import NOTHING, percent
    from xlt.languages import name as language

    by = found.answer.by
    lines: list[list[Any]] = []
    for row in table.rows:
        cells = dict(zip(table.columns, row, strict=True))
        classes = list(task.groups.get(cells["group"], ()))
        if len(classes) == 2 and cells["class"] == classes[1]:
            continue  # Of two classes the first says it all.
        keys = ["all"] if all(cells[each] is None for each in by) else []
        keys = keys or [language(cells[each] or "und") if each == "lang" else cells[each] or NOTHING for each in by]
        line: list[Any] = [*keys, *([""] * (max(1, len(by)) - len(keys))), cells["class"], cells["gold_n"]]
        line += [percent(cells["naive"]), _with(cells, "gold_only", "gold_low", "gold_high")]
        line += [percent(cells["adjusted_count"]), _with(cells, "corrected", "low", "high"), cells["method"]]
        more = cells["more_to_halve"]
        # By gold alone the errors that more labels will show are not counted on.
        most = "≤ " if cells["method"] == "gold" else ""
        lines.append([*line, NOTHING if more is None else f"{most}{more:,}"])
    heads = ["language" if each == "lang" else each for each in by] or ["cell"]
    columns = ["share of", "gold", "naive %", "gold alone %", "adjusted %", "corrected %", "by", "more to halve"]
    print_table([*heads, *columns], lines)


def _with(cells: dict[str, Any], share: str, low: str, high: str) -> str:
    from xlt.cli.tables import percent

    value = percent(cells[share])
    return value if cells[low] is None else f"{value} ({percent(cells[low])} to {percent(cells[high])})"
