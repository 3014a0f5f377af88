"""`xlt forget`: erase posts on request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from xlt.errors import XltError


def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="IDS|FILE...", help="Ids of posts, or files with one id per line.")
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option(help="Erase all posts of this author: the id on the platform.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="Only posts of this platform, such as x.")] = None,
    workspace: Annotated[Path, typer.Option(help="The folder with corpus.duckdb and the key for authors.")] = Path(),
    corpus: Annotated[Path | None, typer.Option(help="The corpus, if it is not the workspace's.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No narration on stderr.")] = False,
) -> None:
    """Erase posts for good: from the corpus, from runs and from files of rejects.

    Reposts of a post carry its text and go with it; where another post quotes it, the quoted text is taken out. Its
    predictions go when no other post has the same text. A later import leaves erased posts out. Files outside
    (imported ones, exports) are not touched: those that may hold the posts are listed.

    Example: xlt forget 1212092628029698048 deleted-ids.txt
    """
    from xlt.cli.corpora import merge_waiting
    from xlt.corpus.forget import forget as erase
    from xlt.corpus.forget import read_ids
    from xlt.corpus.importing.inspect import plural
    from xlt.corpus.store import corpus_path

    wanted = read_ids(ids or []) if ids or not author else []
    path = corpus or corpus_path(workspace)
    # So that what is told of predictions is all of them.
    merge_waiting(path, quiet)
    found = erase(workspace, path, wanted, author or [], platform, _normalise_of)
    if quiet:
        return

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    reposts = f" ({found.reposts:,} of them reposts)" if found.reposts else ""
    say(
        f"Erased: {plural(found.tweets, 'post')}{reposts}, {plural(found.predictions, 'prediction')}, "
        f"{plural(found.gold, 'label')}. Quotes emptied: {found.quoted:,}. Files of runs and rejects written anew: "
        f"{found.run_files:,}."
    )
    if found.unknown:
        names = ", ".join(found.unknown[:5]) + (" …" if len(found.unknown) > 5 else "")
        say(f"Not in the corpus, and left out of later imports: {names}.")
    if found.may_hold:
        say(f"May still hold them, and are yours to look after: {plural(len(found.may_hold), 'file')}")
    for path in found.may_hold:
        say(f"  {path}")


def _normalise_of(task: str) -> Callable[[str], str] | None:
    from xlt.tasks.load import load_task

    try:
        return load_task(task).normalise
    except XltError:
        return None
