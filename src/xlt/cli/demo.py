"""`xlt demo`: the bundled sample, classified with the embedded model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlt.disk import write_bytes
from xlt.errors import XltError

if TYPE_CHECKING:
    from xlt.cards.card import Card
    from xlt.cli.narrate import Narrator


def demo(
    folder: Annotated[Path, typer.Argument(help="The workspace to make: corpus, run and labelled tweets.")] = Path(
        "xlt-demo"
    ),
    backend: Annotated[str, typer.Option(help="auto, torch or mlx.")] = "auto",
) -> None:
    """Make a workspace of the bundled sample, classify it with xlt-mini, and show topic and stance by language.

    The sample is some thousand invented tweets in 13 languages. Takes well under a minute, needs no network.

    Example: xlt demo
    """
    from rich.console import Console

    from xlt.bundled import bundled
    from xlt.cli.corpora import WORD
    from xlt.cli.narrate import Narrator
    from xlt.cli.request import Request, build
    from xlt.cli.tables import shares_table
    from xlt.engine.classify import classify

    tweets = _unpack(bundled("models", "sample", "sample.parquet"), folder)
    output = tweets.with_suffix(".labelled.parquet")
    with Narrator() as narrator:
        corpus = _import(tweets, folder, narrator)
        request = Request(
            sources=(WORD,),
            model="xlt-mini",
            output=output,
            workspace=folder,
            backend=backend,
            command=tuple(sys.argv[1:]),
        )
        with build(request) as job:
            outcome = classify(job, narrator)
    texts = outcome.staged.distinct + outcome.staged.known
    console = Console(highlight=False)
    console.print(f"\n{outcome.staged.rows:,} invented tweets, {texts:,} distinct texts\n")
    console.print(shares_table(outcome.shares, job.task))
    print(
        f"\n{_how_good(job.model.card)}\n"
        f"Tweets and predictions are in {corpus}, labelled rows also in {output}.\n"
        f"Next: xlt breakdown --by lang,month --workspace {folder}",
        file=sys.stderr,
    )


def _how_good(card: Card | None) -> str:
    """What the card says of the model on real tweets (its first data set), beside the emptiest of its baselines."""
    lines = ["xlt-mini is tiny and for trying the tool; research wants a tuned 3B model (xlt models list)."]
    scores = [score for score in (card.scores if card else ()) if not score.language]
    for of in ("", "always unrelated"):
        found = [score for score in scores if score.of == of and score.data == scores[0].data]
        if found:
            figures = ", ".join(f"{score.metric} {score.value:.2f}" for score in found)
            lines.append(f"On {found[0].n:,} real tweets {of or 'it'} reaches {figures}.")
    return "\n".join(lines)


def _import(tweets: Path, folder: Path, narrator: Narrator) -> Path:
    """The workspace's corpus with the sample in it, and the labels that its writers gave as gold."""
    from xlt.corpus.importing.job import Import, Labels, Options, run
    from xlt.corpus.store import corpus_path
    from xlt.tasks.load import load_task

    corpus = corpus_path(folder)
    labels = Labels(load_task("immigration"), coder="sample")
    reports = run(Import([tweets], folder, corpus, Options(labels="label", keep=("split",)), labels), narrator.say)
    for report in reports:
        if report.error:
            raise report.error
    return corpus


def _unpack(sample: Path, folder: Path) -> Path:
    """Put the sample into the folder, to be imported like any other file."""
    tweets = folder / "tweets.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XltError(f"The folder {folder} can't be made: {(error.strerror or str(error)).lower()}.") from None
    if not tweets.exists():
        write_bytes(tweets, sample.read_bytes())
    return tweets
