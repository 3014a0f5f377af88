"""`xlt evaluate`: how good are models, or predictions that are there already, on labels that people gave?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.cards.temperature import Temperature
    from xlt.study.evaluate import Table
    from xlt.study.rows import Columns, Rows
    from xlt.tasks.spec import Task

TABLES = ("scores", "labels", "confusion", "pairs", "seen", "calibration", "reliability", "risk", "errors")


def evaluate(
    model: Annotated[list[str] | None, typer.Argument(help="Models to score on --data (xlt models list).")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="A file of texts with gold labels.")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="A file that holds gold labels and predictions already.")
    ] = None,
    pred_column: Annotated[
        list[str] | None, typer.Option(help="Of --predictions: a column with predictions; give several to compare.")
    ] = None,
    corpus: Annotated[bool, typer.Option("--corpus", help="The corpus's gold against its runs.")] = False,
    run: Annotated[
        list[str] | None, typer.Option(help="Of the corpus: a run (xlt runs list). Default: the newest.")
    ] = None,
    seen: Annotated[
        list[str] | None, typer.Option(help="Languages that a column's model was tuned on: en,es or COLUMN=en,es.")
    ] = None,
    show: Annotated[
        str | None, typer.Option(help=f"Which tables, such as scores,errors, or all: {', '.join(TABLES)}.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The task of the labels, by name or .toml file. Default: the model's, or immigration."),
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="The column with gold labels. Default: label, gold.")] = None,
    text_column: Annotated[str | None, typer.Option(help="The column with the text.")] = None,
    lang_column: Annotated[str | None, typer.Option(help="The column with the language.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of CSV files, such as latin-1.")] = "utf-8",
    strict_labels: Annotated[
        bool, typer.Option("--strict-labels", help="A label spelt in another case is an error.")
    ] = False,
    fit_temperature: Annotated[
        bool,
        typer.Option(
            "--fit-temperature",
            help="Fit the model's temperature on --data, or on the corpus's gold for dev, and keep it in its card.",
        ),
    ] = False,
    draws: Annotated[int, typer.Option(min=200, help="Bootstrap draws of each interval.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    backend: Annotated[str, typer.Option(help="auto, torch or mlx.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, metal …")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or nf4.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .csv, .json or .parquet file.")] = None,
    format: Annotated[str | None, typer.Option(help="table, csv, json or parquet. Default: table.")] = None,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb, runs/ and models/.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Score models or predictions on gold: by language, seen and unseen, pooled; labels, topic and stance.

    Intervals stand only where they cover what they say: from 50 texts and 5 of each label. Texts are printed by
    --show errors alone.

    Example: xlt evaluate --predictions test.csv --pred-column paper_multi
    """
    from xlt.cli.rows import choose_format
    from xlt.study.rows import Columns

    chosen = choose_format(format, output)
    wanted = _wanted(show, chosen)
    _one_source(model, predictions, pred_column, corpus, data, run, seen, fit_temperature)
    if strict_labels and not predictions:
        raise UsageError("--strict-labels is for --predictions; models and runs spell labels as the task does.")
    columns = Columns(label_column, text_column, lang_column, encoding)
    weights = None
    if predictions:
        rows, known = _of_files(predictions, pred_column or [], seen or [], task, columns, strict_labels)
    elif corpus:
        rows, known, weights = _of_corpus(workspace, run or [], task, fit_temperature, quiet)
    else:
        how = (backend, device, precision)
        rows, known = _of_models(model or [], data or [], task, columns, how, workspace, fit_temperature, quiet)
    tables = {name: _table(name, rows, known, seed, draws, weights) for name in wanted}
    _emit(tables, rows, known, chosen, output)
    if not quiet and chosen != "json":
        from xlt.study.evaluate import footnotes

        notes = [*rows.notes, *(footnotes(tables["scores"]) if "scores" in tables and chosen == "table" else ())]
        print("\n" * (chosen == "table") + "\n".join(notes), file=sys.stderr) if notes else None


def _wanted(show: str | None, chosen: str) -> list[str]:
    asked = [part.strip() for part in (show or "").split(",") if part.strip()]
    if "all" in asked:
        asked = list(TABLES)
    if unknown := [each for each in asked if each not in TABLES]:
        raise UsageError(f"--show {','.join(unknown)}: there are {', '.join(TABLES)}, and all.")
    if chosen in ("csv", "parquet") and len(asked) > 1:
        raise UsageError(f"A {chosen} holds one table; name one with --show, or use --format json.")
    if asked:
        return asked
    return ["scores"] if chosen in ("csv", "parquet") else ["scores", "pairs", "seen"]


def _one_source(
    models: list[str] | None,
    predictions: list[Path] | None,
    pred_column: list[str] | None,
    corpus: bool,
    data: list[Path] | None,
    runs: list[str] | None,
    seen: list[str] | None,
    fit: bool,
) -> None:
    if sum(map(bool, (models, predictions, corpus))) != 1:
        raise UsageError("Say what to evaluate: MODEL --data FILE, --predictions FILE --pred-column C, or --corpus.")
    if data and not models:
        raise UsageError("--data is the gold of a MODEL: predictions and a corpus bring their own.")
    if bool(models) != bool(data):
        raise UsageError("A model is scored on gold labels: name the file with --data FILE.")
    if bool(predictions) != bool(pred_column):
        raise UsageError("--predictions FILE and --pred-column COLUMN go together.")
    if runs and not corpus:
        raise UsageError("--run is for --corpus.")
    if seen and not predictions:
        raise UsageError("--seen is for --predictions; a model's card and a run know their languages.")
    if twice := [name for name in dict.fromkeys(models or ()) if (models or []).count(name) > 1]:
        raise UsageError(f"{twice[0]} is named twice; name each model once.")
    if fit and (predictions or len(models or runs or ("newest",)) != 1):
        raise UsageError("--fit-temperature takes one MODEL and its held-out --data, or --corpus and one --run.")


def _of_files(
    files: list[Path], given: list[str], seen: list[str], task: str | None, columns: Columns, strict: bool
) -> tuple[Rows, Task]:
    from xlt.languages import canonical
    from xlt.study.rows import from_files
    from xlt.tasks.load import load_task

    names = list(dict.fromkeys(given))
    languages: dict[str, tuple[str, ...]] = {}
    for each in seen:
        left, _, right = each.rpartition("=")
        if left and left not in names:
            raise UsageError(f"--seen {each}: {left} is no --pred-column; there are {', '.join(names)}.")
        codes = tuple(canonical(part) for part in right.split(",") if part.strip())
        if not codes or not all(len(code) in (2, 3) and code.isalpha() for code in codes):
            raise UsageError(f"--seen {each or repr(each)}: write codes of languages, such as en,es.")
        for column in [left] if left else names:
            languages[column] = codes
    known = load_task(task or "immigration")
    return from_files(files, {name: name for name in names}, known, columns, strict=strict, seen=languages), known


def _of_corpus(
    workspace: Path, runs: list[str], task: str | None, fit: bool, quiet: bool
) -> tuple[Rows, Task, dict[tuple[str, int], float] | None]:
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.corpus import gate
    from xlt.corpus.gold import mix_of
    from xlt.corpus.labelled import find_runs
    from xlt.study.rows import from_open
    from xlt.study.temperature import fit_on_corpus
    from xlt.tasks.load import task_of

    path = find_corpus(WORD, workspace, quiet)
    with gate.opened(path) as con:
        found = find_runs(con, runs)
        known = task_of(task or found[0].task, found[0].labels)
        weights = mix_of(con, found[0].id, known.names) if len(found) == 1 else None
        if fit:
            fitted, rows = fit_on_corpus(con, path, found[0], known)
            print(_fitted(fitted, found[0].model), file=sys.stderr) if not quiet else None
            return rows, known, weights
        return from_open(con, path, found, known), known, weights


def _of_models(
    models: list[str],
    data: list[Path],
    task: str | None,
    columns: Columns,
    how: tuple[str, str, str],
    workspace: Path,
    fit: bool,
    quiet: bool,
) -> tuple[Rows, Task]:
    import tempfile

    from xlt.cli.narrate import Narrator
    from xlt.cli.request import Request, build
    from xlt.study.predict import check_gold, check_task, folder_of, joined, predict
    from xlt.study.temperature import at_temperature, check_card, store_temperature

    parts: list[Rows] = []
    known: Task | None = None
    with tempfile.TemporaryDirectory(prefix="xlt-") as folder:
        for number, name in enumerate(models):
            request = Request(
                sources=tuple(map(str, data)),
                model=name,
                task=task,
                output=Path(folder) / f"{number}.parquet",
                text_column=columns.text,
                lang_column=columns.lang,
                encoding=columns.encoding,
                backend=how[0],
                device=how[1],
                precision=how[2],
                temperature=1.0,
                workspace=workspace,
            )
            with build(request) as job, Narrator(quiet) as narrator:
                known = known or job.task
                check_task(job.task.names, known)
                check_gold(job, columns)
                if fit:
                    check_card(folder_of(job.model), name)
                parts.append(predict(job, narrator, columns))
                if fit:
                    found = store_temperature(folder_of(job.model), name, parts[0], job.task)
                    parts[0] = at_temperature(parts[0], found)
                    narrator.say(_fitted(found, name))
    assert known is not None
    return joined(parts), known


def _fitted(found: Temperature, name: str) -> str:
    return (
        f"Temperature {found.value:.3g}, fitted on {found.texts:,} texts and kept in the card of {name}. Don't report "
        "scores on this data."
    )


def _table(
    name: str, rows: Rows, task: Task, seed: int, draws: int, weights: dict[tuple[str, int], float] | None
) -> Table:
    from xlt.study import compare, confidence, evaluate

    if name == "scores":
        return evaluate.score_table(rows, task, seed, draws)
    if name == "labels":
        return evaluate.label_table(rows, task)
    if name == "confusion":
        return evaluate.confusion_table(rows, task)
    if name == "pairs":
        return compare.pair_table(rows, task, seed, draws)
    if name == "seen":
        return compare.seen_table(rows, task)
    if name == "calibration":
        return confidence.calibration_table(rows, weights)
    if name == "reliability":
        return confidence.reliability_table(rows)
    if name == "risk":
        return confidence.risk_table(rows, task)
    return confidence.error_table(rows, task)


def _emit(tables: dict[str, Table], rows: Rows, task: Task, chosen: str, output: Path | None) -> None:
    from xlt.cli.formats import print_json
    from xlt.cli.rows import objects, print_csv, write_table
    from xlt.disk import write_json

    if chosen == "table":
        from xlt.cli.scores import print_tables

        print_tables(tables, rows, task)
    elif chosen == "json":
        content: dict[str, Any] = {"task": task.name, "notes": list(rows.notes)}
        content |= {name: objects(table.columns, table.rows) for name, table in tables.items()}
        print_json(content) if output is None else write_json(output, content)
    else:
        table = next(iter(tables.values()))
        if output is None:
            print_csv(table.columns, table.rows)
        else:
            write_table(table.columns, table.rows, output)
