"""`xlt finetune`: tune a base on labelled texts of some languages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from xlt.errors import Exit

DATA, BASE, RECIPE, RUN = "What is learnt from", "What is tuned", "How", "This run"


def finetune(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labelled texts: .csv .tsv .parquet .jsonl; give it several times for several files. Default: the "
            "corpus's gold labels; without any, the sample that ships with xlt.",
            rich_help_panel=DATA,
        ),
    ] = None,
    langs: Annotated[
        str | None, typer.Option(help="Languages to train on, such as en,de. Default: all.", rich_help_panel=DATA)
    ] = None,
    shots: Annotated[
        str | None,
        typer.Option(help="Languages with only so many examples, such as it=50,hi=10.", rich_help_panel=DATA),
    ] = None,
    per_lang: Annotated[
        int | None, typer.Option(min=1, help="At most so many examples of each of --langs.", rich_help_panel=DATA)
    ] = None,
    balance: Annotated[
        Literal["none", "label", "lang"],
        typer.Option(help="Take as many of every label, or of every language.", rich_help_panel=DATA),
    ] = "none",
    by_author: Annotated[
        bool,
        typer.Option("--by-author", help="Hold out no author's text of whom others are learnt.", rich_help_panel=DATA),
    ] = False,
    detect: Annotated[
        bool, typer.Option("--detect", help="Find the language of rows that name none.", rich_help_panel=DATA)
    ] = False,
    skip_labels: Annotated[
        str | None, typer.Option(help="Labels of the data to leave aside, such as unclear.", rich_help_panel=DATA)
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="The column with the text.", rich_help_panel=DATA)] = None,
    label_column: Annotated[str | None, typer.Option(help="The column with the label.", rich_help_panel=DATA)] = None,
    lang_column: Annotated[str | None, typer.Option(help="The column with the language.", rich_help_panel=DATA)] = None,
    author_column: Annotated[str | None, typer.Option(help="The column with the author.", rich_help_panel=DATA)] = None,
    group_column: Annotated[
        str | None,
        typer.Option(
            help="A column that marks texts that belong together, such as translations.", rich_help_panel=DATA
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Encoding of CSV files, such as latin-1.", rich_help_panel=DATA)
    ] = "utf-8",
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            "-b",
            help="A model's name, folder or hub id. Default: llama-3.2-3b where it is, else xlt-mini-base.",
            rich_help_panel=BASE,
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="A task's name or .toml file.", rich_help_panel=BASE)] = "immigration",
    name: Annotated[
        str | None,
        typer.Option(help="The new model's name. Default: base and languages.", rich_help_panel=BASE),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="default, paper, tiny, or a .toml file. Default: default, for a tiny base tiny.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a key of the recipe: --set lr=1e-4 --set rank=8.", rich_help_panel=RECIPE),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Short for --set epochs=N.", rich_help_panel=RECIPE)] = None,
    average_checkpoints: Annotated[
        int | None,
        typer.Option(
            min=0, help="Keep the mean of so many adapters; --set average_of says of which.", rich_help_panel=RECIPE
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of everything that is drawn: examples, order, dropout.", rich_help_panel=RECIPE)
    ] = 0,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print counts, prompt, memory and time; keep nothing.", rich_help_panel=RUN)
    ] = False,
    format: Annotated[Literal["table", "json"], typer.Option(help="How --plan prints.", rich_help_panel=RUN)] = "table",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the same command where it was stopped.", rich_help_panel=RUN)
    ] = False,
    backend: Annotated[str, typer.Option(help="auto, torch or mlx.", rich_help_panel=RUN)] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, metal …", rich_help_panel=RUN)] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the frozen base: auto, fp32, bf16 or nf4. Default: as the recipe says.", rich_help_panel=RUN
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: one per core.", rich_help_panel=RUN)] = 0,
    track: Annotated[
        Literal["tensorboard", "wandb"] | None,
        typer.Option(help="Tell the figures to TensorBoard or Weights & Biases too.", rich_help_panel=RUN),
    ] = None,
    workspace: Annotated[
        Path, typer.Option(help="The folder that holds corpus.duckdb, runs/ and models/.", rich_help_panel=RUN)
    ] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.", rich_help_panel=RUN)] = False,
) -> None:
    """Tune a base on labelled texts of some languages, offline.

    Shows first what it will learn from. A share of every language is held out, so that you see how well each is learnt,
    those that were not trained on too. The result is a model of the workspace: xlt classify … -m NAME. Stopped or
    killed, the same command with --resume goes on where it was.

    Example: xlt finetune --langs en,de --data tweets.csv --plan
    """
    from xlt.cli.formats import print_json
    from xlt.cli.tuning import Asked, build, write_rejects
    from xlt.cli.tuning_plan import plan_record, print_plan
    from xlt.cli.tuning_progress import TuningNarrator, report
    from xlt.corpus.coded import CodedColumns
    from xlt.training.material import Source
    from xlt.training.plan import make_plan

    asked = Asked(
        source=Source(
            files=tuple(data or ()),
            workspace=workspace,
            columns=CodedColumns(text_column, label_column, lang_column, author_column, group_column, encoding),
            detect=detect,
            skip_labels=tuple(part.strip() for part in (skip_labels or "").split(",") if part.strip()),
        ),
        langs=langs,
        shots=shots,
        per_lang=per_lang,
        balance=balance,
        by_author=by_author,
        base=base,
        task=task,
        name=name,
        recipe=recipe,
        changes=tuple(changes or ()),
        epochs=epochs,
        average_checkpoints=average_checkpoints,
        precision=precision,
        seed=seed,
        backend=backend,
        device=device,
        threads=threads,
        resume=resume,
        track=track,
        command=tuple(sys.argv[1:]),
    )
    # Under torchrun the first process speaks for all.
    quiet = quiet or int(os.environ.get("RANK", "0")) > 0
    tuning, notes = build(asked)
    made = make_plan(tuning)
    if plan:
        from xlt.training.loop import seconds_per_step

        made = made.timed(seconds_per_step(tuning))
    if plan and format == "json":
        print_json(plan_record(made))
    elif plan or not quiet:
        print_plan(made, notes, to_stdout=plan)
    if plan:
        return
    from xlt.training.loop import finetune as run

    with TuningNarrator(quiet) as narrator:
        tuned = run(tuning, narrator)
    if not quiet:
        report(tuned, tuning)
    if tuning.choice.rejects:
        write_rejects(tuning, quiet)
        raise typer.Exit(Exit.REJECTED_ROWS)
