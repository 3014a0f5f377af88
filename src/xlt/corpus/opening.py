"""How DuckDB opens a corpus file; only the gate calls this.

For reading the file is attached to a DuckDB in memory. Such a one takes 10 ms to make and a file 1 ms to attach, so
that it can be kept, without a file, for the next job.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck, naming
from xlt.corpus.refusals import refused
from xlt.errors import XltError
from xlt.processes import alive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def check(path: Path) -> None:
    """Raise XltError where there is no file to open."""
    # stat() does not open the file, so it is safe; DuckDB alone would make a new file where there is none.
    if path.is_dir():
        raise XltError(f"{path} is a folder; a corpus is a file such as {path / 'corpus.duckdb'}.")
    if not path.exists():
        raise XltError(f"There is no corpus {path}; make one with xlt import FILE.")


_PER_THREAD = 64
"""MB for a thread of DuckDB: with 16 threads a breakdown of ten million posts failed in 256 MB, with 4 it did not."""


def threads_for(memory: str) -> int:
    """How many threads may share so much memory, such as `256MB` or `1GB`."""
    number, unit = float(memory[:-2]), memory[-2:].upper()
    megabytes = number * {"MB": 1, "GB": 1000}[unit]
    return max(1, min(os.cpu_count() or 1, int(megabytes / _PER_THREAD)))


def opened(path: Path, write: bool, memory: str, warm: DuckDBPyConnection | None = None) -> DuckDBPyConnection:
    """The file's own DuckDB for writing; for reading one in memory with the file attached, `warm` if it will do."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads_for(memory),
        "temp_directory": str(make_spill(path)),
        # Set before the file is opened: DuckDB would ask its server for a reader of files that it does not know.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = None
    try:
        if write:
            if warm is not None:
                warm.close()
            with naming.kept(path):
                connection = duckdb.connect(str(path), config=config)
        else:
            connection = _ready(warm, config) or duckdb.connect(config=config)
            with naming.kept(path):
                connection.execute(f"ATTACH {duck.text(path)} AS {name(path)} (READ_ONLY)")
            connection.execute(f"USE {name(path)}")
    except duckdb.Error as error:
        if connection is not None:
            connection.close()
        remove_spill(path)
        raise refused(path, error) from None
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def _ready(
    warm: DuckDBPyConnection | None, config: dict[str, str | bool | int | float | list[str]]
) -> DuckDBPyConnection | None:
    """A kept DuckDB with these bounds; None when it can't have them."""
    import duckdb

    if warm is None:
        return None
    try:
        for setting in ("memory_limit", "temp_directory", "threads"):
            warm.execute(f"SET GLOBAL {setting} = {duck.text(str(config[setting]))}")
    except duckdb.Error:
        # It has spilled: the folder is part of it.
        warm.close()
        return None
    return warm


def let_go(root: DuckDBPyConnection, path: Path) -> DuckDBPyConnection | None:
    """A reader's DuckDB without the file; None when it is better closed."""
    import duckdb

    try:
        root.execute("USE memory")
        root.execute(f"DETACH {name(path)}")
        # It refuses once it has spilled, and would keep the disk.
        root.execute(f"SET GLOBAL temp_directory = {duck.text(_spill(path))}")
    except duckdb.Error:
        root.close()
        return None
    return root


def name(path: Path) -> str:
    """What DuckDB calls the file: as if it had opened it itself."""
    stem = path.stem
    return duck.quote(f"{stem}_db" if stem.casefold() in ("memory", "temp", "system") else stem)


def _spill(path: Path) -> Path:
    return path.parent / ".xlt" / "spill" / f"{path.stem}-{os.getpid()}"


def make_spill(path: Path) -> Path:
    """The folder into which this process spills; what killed ones left is swept away."""
    folder = _spill(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.iterdir():
            # What a killed process left.
            if other != folder and not alive(int(other.name.rpartition("-")[2])):
                shutil.rmtree(other, ignore_errors=True)
    except (OSError, ValueError):
        return folder if folder.is_dir() else Path(tempfile.gettempdir())
    return folder


def remove_spill(path: Path) -> None:
    """Leave no folder behind."""
    folder = _spill(path)
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        try:
            parent.rmdir()
        except OSError:
            return
