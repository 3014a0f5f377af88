"""Where a workspace keeps its corpus, and how a new one is made."""

from __future__ import annotations

import os
from pathlib import Path

from xlt.corpus import duck, schema
from xlt.errors import UsageError, XltError
from xlt.locks import hold

FILE = "corpus.duckdb"
# The oldest layout that DuckDB still writes: R's package and older versions open it.
STORAGE = "v1.0.0"


def corpus_path(workspace: Path) -> Path:
    """The corpus of a workspace, whether it is there or not."""
    return workspace / FILE


def runs_folder(corpus: Path) -> Path:
    """Where the runs over a corpus lie: beside it, so that both move together."""
    return corpus.parent / "runs"


def ensure(path: Path) -> bool:
    """Make an empty corpus at `path` unless a file is there; says whether it made one. Raises XltError, UsageError.

    It is made aside and renamed, so that a file that is there is a corpus; of two processes one makes it.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; a corpus is a file such as {path / FILE}.")
    if path.exists():
        return False
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to make the corpus {path.name} in.")
    if path.suffix.lower() != ".duckdb":
        raise UsageError(f"{path}: the name of a corpus must end in .duckdb.")
    try:
        with hold(path.parent / ".xlt" / f"{path.stem}.lock", f"The corpus {path}", wait=True):
            if path.exists():
                return False
            aside = path.with_name(f".{path.stem}.{os.getpid()}.part")
            try:
                _make(aside)
                aside.rename(path)
            finally:
                aside.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise XltError(f"The corpus {path} can't be made: {reason}; choose another folder or mend that.") from None
    return True


def _make(aside: Path) -> None:
    import duckdb

    # A new file: DuckDB would go on with one that a killed process of the same id left.
    aside.unlink(missing_ok=True)
    connection = duckdb.connect()
    try:
        connection.execute(f"ATTACH {duck.text(aside)} AS corpus (STORAGE_VERSION {duck.text(STORAGE)})")
        schema.create(connection, "corpus")
        connection.execute("DETACH corpus")
    except duckdb.Error as error:
        raise _not_made(aside, error) from None
    finally:
        connection.close()


def _not_made(aside: Path, error: Exception) -> XltError:
    return duck.failed(f"A corpus can't be made in {aside.parent}", error, "choose another folder or mend that")
