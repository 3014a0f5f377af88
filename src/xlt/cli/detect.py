"""`xlt detect`: the language of every tweet in the corpus."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.detection import Language

LISTED = 20


def detect(
    source: Annotated[str, typer.Argument(help="The word corpus (the default), or a .duckdb file.")] = "corpus",
    candidates: Annotated[
        str | None,
        typer.Option(help="The only languages that can occur, such as en,de,tr. Helps much: docs/languages.md."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also the tweets whose language was found before.")] = False,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Find the language of each tweet, offline; the platform's tag is kept beside it.

    Stopped or killed, the same command goes on (without --again). Texts without letters become `und`.

    Example: xlt detect --candidates en,de
    """
    # The products are so small that more threads only wait for one another: half the speed on a busy machine.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")

    from xlt.cli.corpora import find_corpus, is_corpus
    from xlt.cli.formats import check_format
    from xlt.corpus.detection import detect_languages
    from xlt.languages.detect import check_candidates

    check_format(format, ("table", "csv", "json"))
    codes = None if candidates is None else [part.strip() for part in candidates.split(",") if part.strip()]
    # Before anything is opened, so that a mistake is told at once.
    check_candidates(codes)
    if not is_corpus(source):
        raise UsageError(f"{source} is no corpus: xlt detect works on a corpus; xlt import {source} makes one.")
    path = find_corpus(source, workspace, quiet)
    found = detect_languages(path, codes, again, heard=lambda *how_far: None if quiet else _say(*how_far))
    _emit(found.languages, format)
    if not quiet:
        print(_summary(found.posts, found.seconds, found.languages), file=sys.stderr)


def _say(done: int, total: int, seconds: float) -> None:
    from xlt.cli.narrate import count, duration

    rate = done / seconds if seconds else 0.0
    left = f" · ETA {duration((total - done) / rate)}" if rate and done < total else ""
    print(f"{done:,} of {total:,} posts · {count(rate)} posts/s{left}", file=sys.stderr, flush=True)


def _summary(posts: int, seconds: float, languages: list[Language]) -> str:
    from xlt.cli.narrate import duration

    if not posts:
        return "\nEvery tweet has its language already; --again detects anew."
    tagged, agreed = sum(each.tagged for each in languages), sum(each.agreed for each in languages)
    tags = (
        f" The platform's tag agrees for {100 * agreed / tagged:.1f} % of the {tagged:,} it has one for."
        if tagged
        else ""
    )
    return f"\n{posts:,} posts in {duration(seconds)}.{tags}"


def _emit(languages: list[Language], format: str) -> None:
    from xlt.cli.formats import print_json
    from xlt.cli.rows import objects, print_csv, print_table
    from xlt.languages import name

    columns = ("lang", "name", "posts", "mean_confidence", "tagged", "tag_agrees")
    rows = [
        (each.code, name(each.code), each.posts, round(each.confidence, 3), each.tagged, each.agreed)
        for each in languages
    ]
    if format == "json":
        print_json(objects(columns, rows))
    elif format == "csv":
        print_csv(columns, rows)
    else:
        print_table(columns, rows[:LISTED])
        if len(rows) > LISTED:
            print(f"… and {len(rows) - LISTED} languages with fewer posts (--format csv has all)", file=sys.stderr)
