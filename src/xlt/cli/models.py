"""`xlt models`: which models there are, what is known of one, and fetching one. `making` has the rest."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlt.cli import making

if TYPE_CHECKING:
    from xlt.cards.listing import Entry
    from xlt.cli.narrate import Download

app = typer.Typer(help="Models: list, show, fetch, merge, export, push, remove.", no_args_is_help=True)

Workspace = Annotated[Path, typer.Option(help="The folder that holds models/.")]
Format = Annotated[str, typer.Option("--format", help="table or json.")]


@app.command("list")
def list_models(output_format: Format = "table", workspace: Workspace = Path()) -> None:
    """List the models that have a name here: built in, in the workspace, in the hub's cache.

    Example: xlt models list
    """
    from xlt.cards.listing import known
    from xlt.cli.formats import check_format, print_json

    check_format(output_format, ("table", "json"))
    entries = known(workspace)
    if output_format == "json":
        print_json([asdict(entry) for entry in entries])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("model", "where", "parameters", "on disk", "tuned for", "what it is"):
        table.add_column(column, justify="right" if column in ("parameters", "on disk") else "left")
    for entry in entries:
        table.add_row(
            entry.name,
            entry.where,
            _millions(entry.parameters),
            f"{entry.size / 1e6:,.1f} MB" if entry.size else "–",
            _tuned(entry),
            entry.problem or entry.title,
        )
    Console(highlight=False).print(table)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="A name from `xlt models list`, a folder, a .gguf file or a hub id.")],
    backend: Annotated[str, typer.Option(help="auto, torch or mlx: which files are meant.")] = "auto",
    workspace: Workspace = Path(),
) -> None:
    """Show a model: where its files lie, its hash, its languages, and how good it was measured to be.

    Example: xlt models show xlt-mini
    """
    from xlt.backends import choose
    from xlt.cards.registry import find

    model = find(name, backend=choose(backend).name, workspace=workspace)
    card = model.card
    print(f"{model.name}: {card.title if card else 'no card'}")
    if card:
        print(card.description)
        print(f"\ntask        {card.task or 'none: a base model'}")
        print(f"languages   {', '.join(card.languages) or 'none tuned'}")
        print(f"parameters  {_millions(card.parameters)}")
        print(f"licence     {card.licence}")
    print(f"files       {model.files.weights}" + (f" with {model.files.adapter}" if model.files.adapter else ""))
    print(f"hash        {model.hash}")
    measured: dict[tuple[str, str], list[str]] = {}
    for score in card.scores if card else ():
        where = f"{score.data}{f' ({score.language})' if score.language else ''}, n = {score.n:,}"
        interval = f" [{score.low:.3f}, {score.high:.3f}]" if score.low is not None and score.high is not None else ""
        measured.setdefault((score.of or "measured", where), []).append(f"{score.metric} {score.value:.3f}{interval}")
    for (of, where), figures in measured.items():
        print(f"{of}: {', '.join(figures)} on {where}")


@app.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="A name from `xlt models list`, or a hub id such as org/model.")],
    backend: Annotated[str, typer.Option(help="auto, torch or mlx: whose files to fetch.")] = "auto",
    workspace: Workspace = Path(),
) -> None:
    """Fetch a model from its hub. This and `push` are the only commands that use the network.

    Example: xlt models pull qwen3-0.6b
    """
    from xlt.backends import choose
    from xlt.cards.pull import pull
    from xlt.cli.narrate import Download

    with Download() as shown, _left_at_once(shown):
        model = pull(name, backend=choose(backend).name, workspace=workspace, progress=shown.progress)
    print(model.files.weights)
    print(f"{name} is here: {model.files.weights}", file=sys.stderr)


@contextmanager
def _left_at_once(shown: Download) -> Iterator[None]:
    """In the block Ctrl-C (or SIGTERM) ends the process: the hub library would wait for every file that it has begun.

    What was fetched is kept, and the next pull goes on from there.
    """
    from xlt.errors import Exit

    def leave(number: int, frame: object) -> None:
        shown.stop()
        print("xlt: stopped; what was fetched is kept.", file=sys.stderr, flush=True)
        os._exit(Exit.INTERRUPTED)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


app.command("merge")(making.merge)
app.command("export")(making.export)
app.command("push")(making.push)
app.command("remove")(making.remove)


def _millions(parameters: int) -> str:
    if not parameters:
        return "–"
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def _tuned(entry: Entry) -> str:
    if not entry.task:
        return "–"
    return f"{entry.task} ({', '.join(entry.languages)})" if entry.languages else entry.task
