"""Opens DuckDB for one job, with bounds, and turns its errors into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"


@contextmanager
def job(spill: Path, memory: str = MEMORY) -> Iterator[DuckDBPyConnection]:
    """An in-memory DuckDB that spills to `spill` beyond `memory` and closes at the end of the job."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": memory, "temp_directory": str(spill)})
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    try:
        yield connection
    finally:
        connection.close()


def quote(name: str) -> str:
    """A column name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str | Path) -> str:
    """A text as SQL writes it."""
    return "'" + str(value).replace("'", "''") + "'"


def sentence(error: Exception) -> str:
    """The first line of a DuckDB error, without its class, for use inside a sentence."""
    first = str(error).strip().split("\n", 1)[0]
    return re.sub(r"^(?:[A-Z]\w+ )+Error: ", "", first).rstrip(".")


def failed(doing: str, error: Exception, then: str) -> XltError:
    """`doing` failed for the reason that DuckDB gives; `then` says what to do."""
    reason = sentence(error)
    if "No space left" in str(error) or "File too large" in str(error):
        return XltError(f"{doing}: the disk is full; free some space and run the same command again.")
    if "Out of Memory" in str(error):
        return XltError(f"{doing}: not enough memory ({reason}); close other programs and run the same command again.")
    return XltError(f"{doing}: {reason}; {then}.")


@contextmanager
def sentences(doing: str, then: str) -> Iterator[None]:
    """Turn every error of DuckDB in the block into `failed`."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise failed(doing, error, then) from None
