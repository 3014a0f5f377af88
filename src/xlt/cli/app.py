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


START, CORPUS, TUNE, JUDGE, STUDY, HERE = (
    "Start here",
    "The corpus",
    "Models of your own",
    "Hand labels, and how far to trust a share",
    "Studies",
    "This machine",
)

app.command("demo", rich_help_panel=START)(demo.demo)
app.command("classify", rich_help_panel=START)(classify.classify)
app.command("tui", rich_help_panel=START)(tui.tui)
app.add_typer(tasks.app, name="tasks", rich_help_panel=START)

app.command("import", rich_help_panel=CORPUS)(imports.import_files)
app.command("detect", rich_help_panel=CORPUS)(detect.detect)
app.command("breakdown", rich_help_panel=CORPUS)(breakdown.breakdown)
app.command("query", rich_help_panel=CORPUS)(query.query)
app.command("export", rich_help_panel=CORPUS)(export.export)
app.command("forget", rich_help_panel=CORPUS)(forget.forget)
app.add_typer(runs.app, name="runs", rich_help_panel=CORPUS)

app.command("finetune", rich_help_panel=TUNE)(finetune.finetune)
app.command("quantise", rich_help_panel=TUNE)(quantise.quantise)
app.command("quantize", hidden=True)(quantise.quantise)
app.add_typer(models.app, name="models", rich_help_panel=TUNE)

app.command("evaluate", rich_help_panel=JUDGE)(evaluate.evaluate)
app.add_typer(sample.app, name="sample", rich_help_panel=JUDGE)
app.command("agreement", rich_help_panel=JUDGE)(agreement.agreement)
app.command("prevalence", rich_help_panel=JUDGE)(prevalence.prevalence)

app.add_typer(transfer.app, name="transfer", rich_help_panel=STUDY)
app.command("exposure", rich_help_panel=STUDY)(exposure.exposure)
app.command("report", rich_help_panel=STUDY)(report.report)
app.command("package", rich_help_panel=STUDY)(package.package)

app.command("doctor", rich_help_panel=HERE)(doctor.doctor)
app.command("bench", rich_help_panel=HERE)(bench.bench)
