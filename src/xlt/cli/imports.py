"""`xlt import`: bring files of any platform into the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xlt.errors import Exit, UsageError, XltError


def import_files(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE...",
            help="Files, patterns or folders: .parquet .csv .tsv .jsonl .json, also .gz .zst, and tweets.js.",
        ),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="How to read them: a built-in layout (--layouts lists them) or your .toml file.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option(help="What plain tables come from, such as x: ids are told apart by platform.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="The column with the text.")] = None,
    id_column: Annotated[str | None, typer.Option(help="The column with the platform's id.")] = None,
    lang_column: Annotated[str | None, typer.Option(help="The column with the platform's language tag.")] = None,
    date_column: Annotated[str | None, typer.Option(help="The column with the time of the post.")] = None,
    author_column: Annotated[str | None, typer.Option(help="The column with the author's id.")] = None,
    dates: Annotated[str | None, typer.Option(help="Order of dates such as 03/04/2024: dmy or mdy.")] = None,
    keep: Annotated[str | None, typer.Option(help="Further columns to keep, such as query,wave.")] = None,
    labels: Annotated[str | None, typer.Option(help="The column with labels that people gave.")] = None,
    task: Annotated[
        str, typer.Option(help="The task that the labels belong to: a name or a .toml file.")
    ] = "immigration",
    coder: Annotated[str, typer.Option(help="Who gave the labels, where no column `coder` says it.")] = "imported",
    keep_handles: Annotated[
        bool, typer.Option("--keep-handles", help="Keep authors' ids and @handles in the clear.")
    ] = False,
    encoding: Annotated[str, typer.Option(help="Encoding of CSV files, such as latin-1.")] = "utf-8",
    workspace: Annotated[Path, typer.Option(help="The folder with corpus.duckdb and the key for authors.")] = Path(),
    corpus: Annotated[Path | None, typer.Option(help="The corpus, if it is not the workspace's.")] = None,
    layouts: Annotated[bool, typer.Option("--layouts", help="List the built-in layouts and leave.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Bring files into the corpus, and say what was read and what was not.

    The layout is recognised by the fields: X (API v2 and v1.1), Geotweet tables, Bluesky, Mastodon, Reddit, Telegram,
    or any table with a header. Importing again adds nothing; a changed row updates. Rows that can't be read go to
    FILE.rejects.jsonl, and the exit code is 3. Authors become keyed hashes and handles @user.

    Example: xlt import exports/*.jsonl colleague.csv --text-column body
    """
    from xlt.cli.corpora import merge_waiting
    from xlt.cli.narrate import Narrator
    from xlt.corpus.importing.files import expand
    from xlt.corpus.importing.job import Import, Labels, run
    from xlt.corpus.importing.staging import Options
    from xlt.corpus.store import corpus_path

    if layouts:
        _list_layouts()
        return
    if not sources:
        raise UsageError("Name the files to import, such as: xlt import tweets.csv")
    if not workspace.is_dir():
        raise UsageError(f"There is no folder {workspace} to import into; make it first, or leave out --workspace.")
    gold = None
    if labels is not None:
        from xlt.tasks.load import load_task

        gold = Labels(load_task(task), coder)
    columns = {
        "text": text_column,
        "id": id_column,
        "lang_tag": lang_column,
        "created_at": date_column,
        "author": author_column,
    }
    options = Options(
        mapping=mapping,
        platform=platform,
        columns={name: given for name, given in columns.items() if given is not None},
        keep=tuple(part.strip() for part in (keep or "").split(",") if part.strip()),
        keep_handles=keep_handles,
        dates=dates,
        encoding=encoding,
        labels=labels,
    )
    files, passed = expand(sources)
    path = corpus or corpus_path(workspace)
    merge_waiting(path, quiet)
    with Narrator(quiet) as narrator:
        if passed:
            names = ", ".join(str(path) for path in passed[:5])
            more = f" and {len(passed) - 5:,} more" if len(passed) > 5 else ""
            narrator.say(f"Left, since of no kind that xlt reads (save tables as CSV): {names}{more}.")
        reports = run(Import(files, workspace, path, options, gold), narrator.say)
        if len(reports) > 1:
            added, changed = sum(each.added for each in reports), sum(each.changed for each in reports)
            narrator.say(f"All files: {added:,} new, {changed:,} changed.")
    broken = [report.error for report in reports if report.error]
    if len(broken) == len(reports) == 1:
        raise broken[0]
    if broken:
        raise XltError(f"{len(broken)} of {len(reports)} files could not be read (see above); the others are in.")
    if any(report.rejected for report in reports):
        raise typer.Exit(Exit.REJECTED_ROWS)


def _list_layouts() -> None:
    from rich.console import Console
    from rich.table import Table

    from xlt.corpus.importing.mapping import load, names

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("layout", "what it reads", "platform"):
        table.add_column(column)
    for name in names():
        layout = load(name)
        table.add_row(name, layout.title, layout.platform)
    Console(highlight=False).print(table)
