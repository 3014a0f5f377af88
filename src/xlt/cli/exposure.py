"""`xlt exposure`: tuning tokens against pre-training tokens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.science.exposure import Exposure, Pretraining

COLUMNS = (
    "lang", "texts", "words", "tokens", "tokens_with_epochs", "tokens_per_word", "bytes_per_token",
    "pretraining_percent", "of_language_low", "of_language_high", "of_all_low", "of_all_high",
)  # fmt: skip


def exposure(
    model: Annotated[str | None, typer.Argument(help="The model whose tokens are counted.")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Labelled files. Default: the corpus's gold, else the bundled sample.")
    ] = None,
    langs: Annotated[str, typer.Option(help="Languages that are tuned on, such as en,de.")] = "all",
    epochs: Annotated[float, typer.Option(min=1, help="How often every text is read in training.")] = 10.0,
    task: Annotated[str, typer.Option(help="A task's name or .toml file.")] = "immigration",
    pretraining: Annotated[
        Path | None, typer.Option(help="A TOML table of pre-training shares; the built-in one is Llama 2's.")
    ] = None,
    pretraining_tokens: Annotated[
        str | None,
        typer.Option(help="Tokens of pre-training in all: 9e12 or 9T, or lowest and highest, 2T,9T. Default: table's."),
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="The column with the text.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The column with the labels.")] = None,
    lang_column: Annotated[str | None, typer.Option(help="The column with the language code.")] = None,
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus and models/.")] = Path(),
    format: Annotated[str | None, typer.Option(help="table, csv, json or parquet.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .csv, .json or .parquet file.")] = None,
) -> None:
    """How much of each language a tuning shows a model, against what it read of it in pre-training.

    Fractions are ranges: lowest from the larger pre-training total with every text read once, highest from the smaller
    total with all epochs. Also tokens per word and bytes per token, since under-served languages pay more tokens.

    Example: xlt exposure xlt-mini-base --langs en,de
    """
    from xlt.backends import choose
    from xlt.cards.registry import default_name, find
    from xlt.cli.rows import choose_format
    from xlt.corpus.coded import CodedColumns
    from xlt.languages import canonical
    from xlt.science.exposure import load_pretraining
    from xlt.study.exposure import exposures
    from xlt.tasks.load import load_task
    from xlt.training.material import Source, read_material

    chosen = choose_format(format, output)
    table = load_pretraining(pretraining)
    if pretraining_tokens is not None:
        table = table.of_tokens(*_total(pretraining_tokens))
    columns = CodedColumns(text_column, label_column, lang_column)
    material = read_material(Source(tuple(data or ()), workspace, columns), load_task(task))
    wanted = None if langs == "all" else {canonical(lang.strip()) for lang in langs.split(",") if lang.strip()}
    examples = [each for each in material.examples if wanted is None or each.lang in wanted]
    if missing := sorted((wanted or set()) - {each.lang for each in examples}):
        there = ", ".join(sorted({each.lang for each in material.examples}))
        raise UsageError(f"There is no labelled text in {', '.join(missing)}; the data has {there}.")
    backend = choose()
    name = model or default_name(workspace, backend.name)
    files = find(name, backend=backend.name, workspace=workspace).files
    for note in material.notes:
        print(note, file=sys.stderr)
    _write(exposures(examples, files, table, epochs), table, chosen, output)
    print(_notes(name, table, epochs), file=sys.stderr)


def _total(given: str) -> tuple[float, float]:
    """The lowest and the highest of a total such as `9e12`, `9T` or `2T,9T`. Raises UsageError."""
    try:
        parts = [float(part.strip().upper().replace("T", "E12")) for part in given.split(",")]
        low, high = parts[0], parts[-1]
        if len(parts) > 2:
            raise ValueError
    except ValueError:
        raise UsageError(f"--pretraining-tokens {given}: write a number such as 9e12 or 9T, or two: 2T,9T.") from None
    return low, high


def _write(found: list[Exposure], table: Pretraining, chosen: str, output: Path | None) -> None:
    from xlt.cli.formats import print_json
    from xlt.cli.rows import objects, print_csv, print_table, write_table
    from xlt.disk import write_json
    from xlt.study.exposure import together

    total, of_all = together(found, table)
    rows = [_row(each) for each in found]
    read = sum(round(each.tokens_read) for each in found)
    rows.append(("all", total.texts, total.words, total.tokens, read, None, None, None, None, None, *of_all))
    if output is not None and output.suffix.lower() == ".json":
        write_json(output, objects(COLUMNS, rows))
    elif output is not None:
        write_table(COLUMNS, rows, output)
    elif chosen == "json":
        print_json(objects(COLUMNS, rows))
    elif chosen == "csv":
        print_csv(COLUMNS, rows)
    else:
        heads = ("language", "texts", "tokens", "with epochs", "per word", "bytes/token")
        print_table((*heads, "pre-training %", "of the language", "of all"), [_line(row, table) for row in rows])


def _row(each: Exposure) -> tuple[Any, ...]:
    counted = each.counted
    return (
        counted.language, counted.texts, counted.words, counted.tokens, round(each.tokens_read), each.tokens_per_word,
        each.bytes_per_token, each.share, *each.of_language, *each.of_all,
    )  # fmt: skip


def _line(row: tuple[Any, ...], table: Pretraining) -> list[Any]:
    from xlt.languages import name

    lang, texts, _, tokens, read, per_word, per_token, share, low, high, all_low, all_high = row
    whole = lang == "all"
    listed = "" if whole else f"< {table.floor:g}" if share is None else f"{share:g}"
    own = "" if whole else f"> {low:.1e}" if high is None else f"{low:.1e} to {high:.1e}"
    return [
        lang if whole else name(lang), texts, tokens, read,
        "" if per_word is None else f"{per_word:.2f}", "" if per_token is None else f"{per_token:.2f}",
        listed, own, f"{all_low:.1e} to {all_high:.1e}",
    ]  # fmt: skip


def _notes(name: str, table: Pretraining, epochs: float) -> str:
    return (
        f"\nTokens of {name}, of the texts alone; lowest: read once, {table.high:.2g} tokens of pre-training; highest: "
        f"{epochs:g} epochs, {table.low:.2g} tokens ({table.tokens_source}).\nShares: {table.source}. {table.note}"
    )
