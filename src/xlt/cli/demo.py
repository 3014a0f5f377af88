"""`xlt demo`: the bundled sample, classified with the embedded model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xlt.disk import write_bytes
from xlt.errors import XltError


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the labelled sample goes.")] = Path("xlt-demo"),
    backend: Annotated[str, typer.Option(help="auto, torch or mlx.")] = "auto",
) -> None:
    """Classify the bundled sample with xlt-mini and show topic and stance by language.

    The sample is some thousand invented tweets in 13 languages. Takes well under a minute, needs no network.

    Example: xlt demo
    """
    from rich.console import Console

    from xlt.bundled import bundled
    from xlt.cli.narrate import Narrator
    from xlt.cli.request import Request, build
    from xlt.cli.tables import shares_table
    from xlt.engine.classify import classify

    tweets = _unpack(bundled("models", "sample", "sample.parquet"), folder)
    request = Request(sources=(str(tweets),), model="xlt-mini", workspace=folder, backend=backend)
    with build(request) as job, Narrator() as narrator:
        outcome = classify(job, narrator)
    console = Console(highlight=False)
    console.print(f"\n{outcome.staged.rows:,} invented tweets, {outcome.staged.distinct:,} distinct texts\n")
    console.print(shares_table(outcome.shares, job.task))
    print(
        "\nxlt-mini is tiny and for trying the tool; research wants a tuned 3B model (xlt models list).\n"
        f"The labelled rows are in {job.output}. Next: xlt classify YOUR_TWEETS.csv",
        file=sys.stderr,
    )


def _unpack(sample: Path, folder: Path) -> Path:
    """Put the sample into the folder; one that is there stays, since its date is how an interrupted run is found."""
    tweets = folder / "tweets.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XltError(f"The folder {folder} can't be made: {(error.strerror or str(error)).lower()}.") from None
    if not tweets.exists():
        write_bytes(tweets, sample.read_bytes())
    return tweets
