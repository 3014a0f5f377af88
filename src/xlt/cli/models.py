"""`xlt models`: which models there are, and fetching one."""

from __future__ import annotations

import typer

app = typer.Typer(help="Models: list, show, fetch.", no_args_is_help=True)
