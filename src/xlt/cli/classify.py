"""`xlt classify`: label files of tweets."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from xlt.errors import Exit, UsageError, XltError

if TYPE_CHECKING:
    from xlt.engine.job import Job, Outcome, Plan


def classify(
    source: Annotated[
        list[str],
        typer.Argument(
            help="Files (.parquet .csv .tsv .jsonl .json, also .gz .zst), a pattern, - for JSONL on stdin, or the word "
            "corpus (or a .duckdb file)."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A model's name, folder, .gguf file or hub id (xlt models list)."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="A task's name or .toml file; by default the one the model was tuned for.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where to write: .parquet, .csv, .tsv or .jsonl. Default: beside the input; a corpus keeps the "
            "predictions itself.",
        ),
    ] = None,
    langs: Annotated[
        str | None, typer.Option(help="Only these languages, such as en,de (needs a language column).")
    ] = None,
    where: Annotated[str | None, typer.Option(help="Only rows for which this SQL condition holds.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Only the first N rows.")] = None,
    text_column: Annotated[
        str | None, typer.Option(help="The column with the text, if it isn't found by name.")
    ] = None,
    lang_column: Annotated[str | None, typer.Option(help="The column with the language code.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of CSV files, such as latin-1.")] = "utf-8",
    backend: Annotated[str, typer.Option(help="auto, torch or mlx.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, metal …")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or nf4.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: one per core.")] = 0,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tweet tokens per batch. Default: measured once on this machine.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            max=20,
            help="What scores are divided by before they become probabilities; changes no label. Default: as the "
            "model's card says; 1: as the model gives them.",
        ),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="k/N: do the k-th of N parts; the command without --shard then joins them.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print prompt, counts, time and memory; classify nothing.")
    ] = False,
    format: Annotated[Literal["table", "json"], typer.Option(help="How --plan prints.")] = "table",
    workspace: Annotated[Path, typer.Option(help="The folder that holds runs/ and models/.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Label tweets with a model, offline.

    Writes all input columns plus `predicted`, `confidence` and one probability per label, and a summary by language on
    stderr. Stopped or killed, the same command goes on where it was. A corpus gets its predictions at the end, and
    only texts that this model has not classified yet are scored.

    Example: xlt classify tweets.csv --langs en,de -o labelled.parquet
    """
    from xlt.cards.registry import DEFAULT_NOTE
    from xlt.cli.corpora import merge_waiting
    from xlt.cli.formats import print_json
    from xlt.cli.narrate import Narrator
    from xlt.cli.request import Request, build

    signal.signal(signal.SIGTERM, _terminate)
    request = Request(
        sources=tuple(source),
        model=model,
        task=task,
        output=output,
        langs=tuple(part.strip() for part in (langs or "").split(",") if part.strip()),
        where=where,
        limit=limit,
        text_column=text_column,
        lang_column=lang_column,
        encoding=encoding,
        backend=backend,
        device=device,
        precision=precision,
        threads=threads,
        batch_tokens=batch_tokens,
        temperature=temperature,
        shard=parse_shard(shard),
        workspace=workspace,
        command=tuple(sys.argv[1:]),
    )
    if request.corpus and not plan:
        merge_waiting(request.corpus, quiet)
    with build(request) as job, Narrator(quiet) as narrator:
        if model is None:
            narrator.say(DEFAULT_NOTE)
        if plan:
            from xlt.engine.plan import make_plan

            found = make_plan(job, narrator)
            if format == "json":
                print_json({"model": job.model.name, "task": job.task.name, **asdict(found), "seconds": found.seconds})
            else:
                print_plan(found, job)
            return
        from xlt.engine.classify import classify as run

        outcome = run(job, narrator)
        if outcome.pending and job.output:
            raise XltError(f"{outcome.pending} {job.output} was not written: run the same command again.")
        if request.to_stdout and job.output and outcome.complete and not job.shard:
            _copy_to_stdout(job.output)
    if not quiet:
        (report_corpus if request.corpus else report)(outcome, job, request.to_stdout)
    if outcome.staged.rejected:
        raise typer.Exit(Exit.REJECTED_ROWS)


def parse_shard(given: str | None) -> tuple[int, int] | None:
    """`2/5` → (2, 5). Raises UsageError."""
    if given is None:
        return None
    left, _, right = given.partition("/")
    if not (left.isdecimal() and right.isdecimal() and 1 <= int(left) <= int(right)):
        raise UsageError(f"--shard {given}: write k/N with k from 1 to N, such as 1/3.")
    return int(left), int(right)


def _report_part(outcome: Outcome, job: Job, then: str) -> str:
    left = f"all blocks are done: run the command without --shard to {then}" if outcome.complete else None
    part, parts = job.shard or (1, 1)
    return f"Part {part} of {parts} is done; {left or 'other parts are missing'}."


def report(outcome: Outcome, job: Job, to_stdout: bool) -> None:
    """Say what came out, on stderr."""
    from xlt.cli.narrate import stderr_console
    from xlt.cli.tables import shares_table

    console = stderr_console()
    staged = outcome.staged
    if job.shard:
        console.print(_report_part(outcome, job, "write the output"), markup=False)
        return
    console.print()
    seen = job.model.card.languages if job.model.card else ()
    console.print(shares_table(outcome.shares, job.task, seen))
    console.print()
    with_text = staged.rows - staged.without_text
    repeats = f" ({100 * (1 - staged.distinct / with_text):.0f} % repeats, scored once)" if with_text else ""
    console.print(f"{staged.rows:,} rows, {staged.distinct:,} distinct texts{repeats}.", markup=False)
    if outcome.cut:
        console.print(f"{outcome.cut:,} texts were longer than {job.task.max_text_tokens} tokens and were cut.")
    if staged.rejected:
        where = outcome.run / "rejects.jsonl"
        console.print(f"{staged.rejected:,} rows have no prediction: see {where}.", markup=False)
    for wanted, name in renamed(job, staged.columns).items():
        console.print(f"The input has a column {wanted!r}; the new one is called {name!r}.", markup=False)
    if not to_stdout:
        console.print(f"Written: {job.output}", markup=False)


def report_corpus(outcome: Outcome, job: Job, to_stdout: bool = False) -> None:
    """Say what the corpus has now, on stderr."""
    from xlt.cli.narrate import stderr_console
    from xlt.cli.tables import shares_table

    console = stderr_console()
    staged = outcome.staged
    if job.shard:
        console.print(_report_part(outcome, job, "merge the predictions"), markup=False)
        return
    if outcome.shares:
        seen = job.model.card.languages if job.model.card else ()
        console.print()
        console.print(shares_table(outcome.shares, job.task, seen))
        console.print()
    known = f", {staged.known:,} known before" if staged.known else ""
    console.print(f"{staged.rows:,} tweets, {staged.distinct:,} new distinct texts{known}.", markup=False)
    if staged.without_text:
        console.print(f"{staged.without_text:,} tweets have no text and get no prediction.", markup=False)
    if outcome.cut:
        console.print(f"{outcome.cut:,} texts were longer than {job.task.max_text_tokens} tokens and were cut.")
    if outcome.pending:
        console.print(outcome.pending, markup=False)
        return
    console.print(f"In the corpus as run {outcome.run.name}.", markup=False)
    if job.output:
        console.print(f"Written: {job.output}", markup=False)


def renamed(job: Job, columns: tuple[str, ...]) -> dict[str, str]:
    """Added columns whose name the input has already."""
    from xlt.corpus.results import added_columns

    return {wanted: name for wanted, name in added_columns(columns, job.task).items() if wanted != name}


def print_plan(plan: Plan, job: Job) -> None:
    """The plan, on stdout."""
    from xlt.cli.narrate import count, duration

    staged = plan.staged
    about = "about " if plan.tokens_estimated else ""
    print(plan.prompt)
    print()
    print("labels         ", "  ".join(f"{token!r} {label}" for label, token in plan.labels.items()))
    print(f"rows            {staged.rows:,}, of which {staged.rejected:,} can't be classified")
    print(f"distinct texts  {staged.distinct:,} in {staged.blocks:,} blocks")
    print(f"tokens          {about}{plan.tokens:,} of tweets; the shared prefix of {plan.prefix_tokens} is run once")
    print(f"model           {job.model.name}, {plan.loaded.backend} on {plan.loaded.device}, {plan.loaded.precision}")
    print(f"temperature     {job.temperature:g}") if job.temperature != 1 else None
    gigabytes = (plan.loaded.weight_bytes / 1e9, plan.peak_memory / 1e9)
    print(f"memory          {gigabytes[0]:.2f} GB of weights, {gigabytes[1]:.2f} GB at most so far")
    rate = plan.texts_per_second
    print(f"time            {duration(plan.seconds)} at {count(rate)} tweets/s ({plan.budget} tokens per batch)")


def _copy_to_stdout(path: Path) -> None:
    import shutil

    with path.open("rb") as labelled:
        shutil.copyfileobj(labelled, sys.stdout.buffer)
    sys.stdout.flush()


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
