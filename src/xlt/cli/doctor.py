"""`xlt doctor`: what this machine can run, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from xlt.cards.fit import Fit
    from xlt.doctor import Report


def doctor(
    model: Annotated[
        str | None, typer.Argument(help="A model's name, folder, .gguf file or hub id; all known models without it.")
    ] = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print the findings.")] = "table",
) -> None:
    """Show what this machine can run: Python, backends, devices, memory, which models fit, what to install.

    Leaves with 1 when no backend works. Example: xlt doctor llama-3.2-3b
    """
    from xlt.doctor import examine
    from xlt.errors import Exit

    report = examine(Path(), model)
    if format == "json":
        print(_json(report))
    else:
        _print(report)
    if report.backend is None:
        raise typer.Exit(Exit.FAILED)


def _json(report: Report) -> str:
    import json
    from dataclasses import asdict

    content = asdict(report)
    # What is worked out from the fields is said too.
    for printed, model in zip(content["models"], report.models, strict=True):
        for entry, fit in zip(printed["fits"], model.fits, strict=True):
            entry.update(total=fit.total, fits=fit.fits)
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def _print(report: Report) -> None:
    import sys

    from rich.console import Console

    # A pipe gets whole lines; a terminal gets lines of its own width.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
    console.print(f"xlt {report.xlt}, Python {report.python} ({report.executable})")
    console.print(
        f"{report.platform}, {report.machine}, {report.cores} cores, "
        f"memory {_amount(report.memory)}, {_amount(report.free)} free\n"
    )
    console.print(_backends(report))
    console.print()
    for folder in report.folders:
        state = "" if folder.exists else ", not made yet"
        console.print(f"{folder.what}: {folder.path} ({_amount(folder.free)} free{state})", soft_wrap=True)
    if report.models:
        console.print()
        console.print(_models(report))
        _explain(report, console.print)
    for model in report.models:
        if model.problem:
            console.print(f"\n{model.problem}", soft_wrap=True)
    if report.advice:
        console.print("\n" + "\n".join(report.advice), soft_wrap=True)


def _backends(report: Report) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("backend", "versions", "device", "hardware"):
        table.add_column(title)
    table.add_column("memory", justify="right")
    table.add_column("free", justify="right")
    table.add_column("precisions")
    for state in report.backends:
        name = f"{state.name} (auto)" if state.chosen else state.name
        if not state.availability.usable:
            table.add_row(name, "can't be used, see below")
        versions = ", ".join(f"{library} {version}" for library, version in state.availability.versions.items())
        for device in state.availability.devices:
            sizes = (_amount(device.memory), _amount(device.free))
            table.add_row(name, versions, device.name, device.title, *sizes, ", ".join(device.precisions))
            name = versions = ""
    return table


def _models(report: Report) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model")
    table.add_column("parameters", justify="right")
    table.add_column("where")
    for title in ("bf16", "4 bits"):
        table.add_column(title, justify="right")
        table.add_column("")
    for model in report.models:
        cells = [cell for fit in model.fits for cell in _cells(fit)] or ["?", ""] * 2
        table.add_row(model.name, _count(model.parameters), model.where, *cells)
    return table


def _cells(fit: Fit) -> tuple[str, str]:
    return f"{_amount(fit.weights)} + {_amount(fit.cache)}", "fits" if fit.fits else "too big"


def _explain(report: Report, say: Callable[[str], None]) -> None:
    from xlt.cards.fit import SPARE
    from xlt.doctor import TOKENS

    if report.backend is None or not report.backend.availability.devices:
        return
    device = report.backend.availability.devices[0]
    say(
        f"Weights + keys and values of {TOKENS:,} tokens; with {SPARE:.0%} to spare they must fit into the "
        f"{_amount(device.free)} free on {device.name}."
    )


def _count(parameters: int) -> str:
    if not parameters:
        return "?"
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def _amount(size: int) -> str:
    from xlt.backends.common import amount

    return amount(size)
