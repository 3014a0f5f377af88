"""`xlt bench`: how fast a model is here, and what a million tweets cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from xlt.science.cost import Hosted, Machine
    from xlt.study.bench import Measured

_COST = "What it costs"


def bench(
    model: Annotated[str | None, typer.Argument(help="A model's name, folder, .gguf file or hub id.")] = None,
    data: Annotated[Path | None, typer.Option(help="A file of tweets. Default: the bundled sample.")] = None,
    task: Annotated[str | None, typer.Option(help="A task's name or .toml file.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How many times the texts are classified.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="About how long one repeat takes.")] = 5.0,
    backend: Annotated[str, typer.Option(help="auto, torch or mlx.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, metal …")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16 or nf4.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: one per core.")] = 0,
    hourly: Annotated[float, typer.Option(help="Rent of this machine, $ an hour.", rich_help_panel=_COST)] = 0.0,
    watts: Annotated[float, typer.Option(help="What the machine draws while it works.", rich_help_panel=_COST)] = 0.0,
    kwh_price: Annotated[float, typer.Option(help="Electricity, $ per kWh.", rich_help_panel=_COST)] = 0.0,
    price: Annotated[float, typer.Option(help="What the machine cost, $.", rich_help_panel=_COST)] = 0.0,
    years: Annotated[float, typer.Option(help="Years over which that is spread.", rich_help_panel=_COST)] = 0.0,
    hosted: Annotated[Path | None, typer.Option(help="A TOML table of hosted prices.", rich_help_panel=_COST)] = None,
    answer_tokens: Annotated[
        float, typer.Option(min=0, help="Tokens that a hosted model answers with.", rich_help_panel=_COST)
    ] = 3.0,
    latency: Annotated[
        float | None,
        typer.Option(min=0.001, help="Seconds of one request to a hosted model.", rich_help_panel=_COST),
    ] = None,
    workspace: Annotated[Path, typer.Option(help="The folder that holds models/.")] = Path(),
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
) -> None:
    """Measure a model on this machine: start-up, tweets and tokens per second, memory; and reckon the cost.

    The cost per million tweets needs what an hour of the machine costs (--hourly, or --watts and --kwh-price, or
    --price and --years; they add up). Beside it stand prices of hosted models for the same prompts.

    Example: xlt bench xlt-mini --watts 30 --kwh-price 0.3
    """
    from xlt.bundled import bundled
    from xlt.cli.narrate import Narrator
    from xlt.cli.request import Request, build
    from xlt.science.cost import Machine, load_hosted
    from xlt.study.bench import measure

    machine = Machine(hourly, watts, kwh_price, price, years)
    prices = load_hosted(hosted)
    source = data or bundled("models", "sample", "sample.parquet")
    request = Request(
        sources=(str(source),),
        model=model,
        task=task,
        backend=backend,
        device=device,
        precision=precision,
        threads=threads,
        workspace=workspace,
    )
    with build(request) as job, Narrator() as narrator:
        measured = measure(job, repeats=repeats, seconds=seconds, say=narrator.say)
    if format == "json":
        from xlt.cli.formats import print_json

        print_json(_content(measured, machine, prices, answer_tokens, latency))
    else:
        _print(measured, machine, prices, answer_tokens, latency)


def _print(
    measured: Measured, machine: Machine, prices: tuple[Hosted, ...], answer_tokens: float, latency: float | None
) -> None:
    from xlt.cli.narrate import count

    loaded = measured.loaded
    low, high = min(measured.rates), max(measured.rates)
    print(f"model     {measured.model}, {loaded.backend} on {loaded.device}, {loaded.precision}, task {measured.task}")
    print(
        f"speed     {count(measured.tweets_per_second)} tweets/s, median of {len(measured.rates)} "
        f"({count(low)} to {count(high)}); {count(measured.tokens_per_second)} tweet tokens/s"
    )
    print(
        f"prompt    {measured.prefix_tokens} tokens of instruction, run once; {measured.mean_tokens:.1f} per tweet; "
        f"{measured.budget} per batch"
    )
    print(f"start     {measured.load_seconds:.1f} s to load")
    print(f"memory    {loaded.weight_bytes / 1e9:.2f} GB of weights, {measured.peak_memory / 1e9:.2f} GB at most")
    print(f"a million {_hours(measured)} on this machine{_own(measured, machine)}")
    print()
    print(
        f"Hosted models, for the same {measured.prompt_tokens:.0f} tokens in (by this model's tokenizer) and "
        f"{answer_tokens:g} out:"
    )
    print()
    _print_hosted(measured, machine, prices, answer_tokens)
    if latency:
        ratio = measured.tweets_per_second * latency
        print(
            f"\nOne request at a time, {latency:g} s each, is {1 / latency:.2g} tweets/s: this machine is {ratio:.3g}x."
        )


def _print_hosted(measured: Measured, machine: Machine, prices: tuple[Hosted, ...], answer_tokens: float) -> None:
    from xlt.cli.rows import print_table

    columns = ["model", "$ per million tweets", "price of"]
    if machine.known:
        columns.insert(2, "here, % of that")
    rows = []
    for entry in _hosted(measured, machine, prices, answer_tokens):
        share = entry["local_percent"]
        row = [entry["model"], f"{entry['per_million']:,.2f}", entry["announced"]]
        if machine.known:
            row.insert(2, f"{share:.3g}" if share is not None else None)
        rows.append(row)
    print_table(columns, rows)


def _hours(measured: Measured) -> str:
    from xlt.cli.narrate import duration

    return duration(1_000_000 / measured.tweets_per_second)


def _own(measured: Measured, machine: Machine) -> str:
    if not machine.known:
        return "; its cost needs --hourly, --watts with --kwh-price, or --price with --years"
    rate = measured.tweets_per_second
    whole = machine.per_million(rate)
    parts = [f"{name} ${cost / machine.per_hour * whole:,.4g}" for name, cost in machine.parts.items() if cost]
    used = f" for {machine.kwh(rate):,.3g} kWh" if machine.watts else ""
    told = ", ".join(part + used if part.startswith("electricity") else part for part in parts)
    return f", ${whole:,.4g}: {told}"


def _hosted(
    measured: Measured, machine: Machine, prices: tuple[Hosted, ...], answer_tokens: float
) -> list[dict[str, Any]]:
    own = machine.per_million(measured.tweets_per_second) if machine.known else None
    rows = []
    for model in prices:
        cost = model.per_million(measured.prompt_tokens, answer_tokens)
        share = 100 * own / cost if own is not None and cost else None
        rows.append(
            {
                "model": model.name,
                "per_million": cost,
                "local_percent": share,
                "announced": model.announced,
                "source": model.source,
            }
        )
    return rows


def _content(
    measured: Measured, machine: Machine, prices: tuple[Hosted, ...], answer_tokens: float, latency: float | None
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        **asdict(measured),
        "tweets_per_second": measured.tweets_per_second,
        "tokens_per_second": measured.tokens_per_second,
        "per_million": machine.per_million(measured.tweets_per_second) if machine.known else None,
        "kwh_per_million": machine.kwh(measured.tweets_per_second) if machine.watts else None,
        "machine": asdict(machine),
        "hosted": _hosted(measured, machine, prices, answer_tokens),
        "hosted_latency": latency,
        "times_one_request_at_a_time": measured.tweets_per_second * latency if latency else None,
    }
