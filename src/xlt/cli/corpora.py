"""Which corpus a command is about, and what has to happen before it is opened."""

from __future__ import annotations

import sys
from pathlib import Path

from xlt.errors import UsageError

WORD = "corpus"


def is_corpus(source: str) -> bool:
    """Whether a SOURCE names a corpus: the word `corpus`, or a file ending in .duckdb."""
    return source == WORD or source.lower().endswith(".duckdb")


def find_corpus(source: str, workspace: Path, quiet: bool = False) -> Path:
    """The corpus that SOURCE names, with the runs and labels in it that waited for it. Raises UsageError."""
    from xlt.corpus.store import corpus_path

    path = corpus_path(workspace) if source == WORD else Path(source).expanduser()
    if not path.exists():
        raise UsageError(f"There is no corpus {path}; make one with xlt import FILE, or name another with --workspace.")
    merge_waiting(path, quiet)
    return path


def merge_waiting(path: Path, quiet: bool = False) -> None:
    """Bring in what waited for the corpus: runs that ended while it was locked, labels of a session that was killed.

    Says so on stderr, and never stops the command.
    """
    from xlt.corpus import journal
    from xlt.corpus.runs import catch_up

    merged, waiting = catch_up(path)
    labels = journal.catch_up(path)
    if not quiet:
        for each in merged:
            print(f"Merged the run {each.run} into the corpus: {each.added:,} predictions.", file=sys.stderr)
        if waiting:
            print(waiting, file=sys.stderr)
        if labels:
            print(labels, file=sys.stderr)
