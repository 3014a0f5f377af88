"""The list of verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from xlt import __version__
from xlt.cli import (
    agreement,
    bench,
    breakdown,
    classify,
    demo,
    detect,
    doctor,
    evaluate,
    export,
    exposure,
    finetune,
    forget,
    imports,
    models,
    package,
    prevalence,
    quantise,
    query,
    report,
    runs,
    sample,
    tasks,
    transfer,
    tui,
)

app = typer.Typer(
    name="xlt",
    help="Classify multilingual tweets with a small language model of your own, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"xlt {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Classify multilingual tweets with a small language model of your own, offline."""


app.command("demo")(demo.demo)
app.command("classify")(classify.classify)
app.command("import")(imports.import_files)
app.command("forget")(forget.forget)
app.command("export")(export.export)
app.command("detect")(detect.detect)
app.command("breakdown")(breakdown.breakdown)
app.command("finetune")(finetune.finetune)
app.command("quantise")(quantise.quantise)
app.command("quantize", hidden=True)(quantise.quantise)
app.command("evaluate")(evaluate.evaluate)
app.command("prevalence")(prevalence.prevalence)
app.command("query")(query.query)
app.add_typer(sample.app, name="sample")
app.command("agreement")(agreement.agreement)
app.add_typer(runs.app, name="runs")
app.add_typer(models.app, name="models")
app.add_typer(tasks.app, name="tasks")
app.add_typer(transfer.app, name="transfer")
app.command("exposure")(exposure.exposure)
app.command("report")(report.report)
app.command("package")(package.package)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("tui")(tui.tui)
