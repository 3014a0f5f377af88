"""`xlt quantise`: a model in 4 or 8 bits, and what that cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlt.cli.making import Data, Name, Task, Workspace

if TYPE_CHECKING:
    from xlt.release.compare import Compared, Line


def quantise(
    name: Name,
    bits: Annotated[int, typer.Option(help="4 or 8 bits per weight (nf4: 4).")] = 4,
    to: Annotated[
        str | None,
        typer.Option(help="mlx (Apple Silicon), nf4 (PyTorch), gguf (llama.cpp and others). Default: by machine."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--name", help="What the new model is called. Default: NAME and the form.")
    ] = None,
    data: Data = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Compare on so many texts at most.")] = None,
    max_loss: Annotated[
        float | None, typer.Option(help="Keep nothing if more macro-F1 than this was lost, such as 0.02.")
    ] = None,
    task: Task = None,
    format: Annotated[str, typer.Option(help="table, csv or json: how to print what it cost.")] = "table",
    workspace: Workspace = Path(),
) -> None:
    """Quantise a model, and say by language what that cost: labels that changed, macro-F1 lost.

    An adapter is merged into its unquantised base first, then quantised once. The result is a model of the workspace.

    Example: xlt quantise en-de --to mlx --max-loss 0.02 (or, the same, xlt quantize en-de)
    """
    from xlt.backends.common import amount
    from xlt.cli.formats import check_format, print_json
    from xlt.cli.narrate import Narrator
    from xlt.cli.rows import objects, print_csv, print_table
    from xlt.release.quantise import Order, check_kind, default_kind
    from xlt.release.quantise import quantise as quantise_model

    check_format(format, ("table", "csv", "json"))
    kind = check_kind(to or default_kind(), bits)
    order = Order(name, kind, bits, out, tuple(data or ()), task, limit, max_loss, workspace)
    with Narrator() as narrator:
        made = quantise_model(order, narrator.say)
    columns = ("language", "n", "same_labels", "macro_f1_before", "macro_f1_after", "lost")
    rows = [_row(line, rounded=format == "table") for line in made.compared.lines]
    if format == "json":
        print_json(objects(columns, rows))
    elif format == "csv":
        print_csv(columns, rows)
    else:
        figures = ("n", "same labels %", "macro-F1 before", "after", "lost")
        print_table(("language", *figures), rows, figures)
    print(
        f"\n{_summary(made.compared)}\n"
        f"Weights on disk: {amount(made.before)} before, {amount(made.after)} now.\n"
        f"{made.folder} is ready: xlt classify FILE -m {made.folder.name}",
        file=sys.stderr,
    )


def _row(line: Line, rounded: bool) -> tuple[str | int | float, ...]:
    from xlt.languages import name

    language = (name(line.lang) if rounded else line.lang) if line.lang else "all"
    if not rounded:
        return (language, line.n, line.agreement, line.before, line.after, line.lost)
    figures = (f"{100 * line.agreement:.1f}", f"{line.before:.3f}", f"{line.after:.3f}", f"{line.lost:+.3f}")
    return (language, line.n, *figures)


def _summary(compared: Compared) -> str:
    line = compared.all
    interval = compared.lost_interval
    sure = f" (95 % interval {interval[0]:+.3f} to {interval[1]:+.3f})" if interval else ""
    return (
        f"On {compared.data}, n = {line.n:,}: {100 * line.agreement:.1f} % got the same label; macro-F1 lost "
        f"{line.lost:+.3f}{sure}."
    )
