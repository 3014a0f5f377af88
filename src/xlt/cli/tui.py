"""`xlt tui`: the terminal app over a workspace."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from xlt.errors import UsageError


def tui(
    corpus: Annotated[Path | None, typer.Argument(help="A corpus (.duckdb), if it is not the workspace's.")] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(help="The folder that holds corpus.duckdb. Default: the corpus's, or the current one."),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="List every action with its keys and its name in xlt.toml, and leave.")
    ] = False,
) -> None:
    """Look at stance by language, read the posts behind a bar, query, classify: in the terminal.

    An empty workspace offers to import a file or to load the sample. `?` shows what every key does.

    Example: xlt tui --workspace xlt-demo
    """
    if keys:
        _list_keys()
        return
    folder = workspace or (corpus.parent if corpus else Path())
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder} to work in; make it first, or name another with --workspace.")
    if corpus is not None and not corpus.is_file():
        raise UsageError(f"There is no corpus {corpus}; name a .duckdb file, or a folder with --workspace.")
    # The screen is drawn on stderr, so that stdout stays free.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("xlt tui needs a terminal; in a script use xlt breakdown, xlt query and xlt export.")
    from xlt.tui.warmth import defer

    # Before the imports: what they make would be looked through twice.
    defer()
    from xlt.tui.app import XltApp
    from xlt.tui.jobs import settle

    # Ctrl-C is a key here; a shell that ignores it would have what is begun here ignore it too, and not stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        XltApp(folder, corpus).run()
    finally:
        settle()


def _list_keys() -> None:
    from rich.console import Console
    from rich.table import Table

    from xlt.tui.actions import ACTIONS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("action", "keys", "what it does"):
        table.add_column(column)
    for action in ACTIONS:
        table.add_row(action.id, action.keys.replace(",", " "), action.about)
    Console(highlight=False, markup=False).print(table)
