"""The one way to open a corpus file: for one job, with bounds, and closed at its end.

DuckDB lets one process write or several read, never both, and its lock is a POSIX lock: an ordinary `open()` and
`close()` of the file anywhere in this process drops it, and a second writer's rows then vanish without an error. So
nothing but this module opens a corpus, and nothing hashes, copies or reads the file while it may be open here.

Take results whole inside the block (`fetchall`, `to_arrow_table`, `COPY … TO`). An unfinished Arrow reader that
outlives the block keeps the lock, and the next writer of this process would wait for it forever.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck, leash, naming, schema
from xlt.corpus.refusals import CorpusLockedError as CorpusLockedError
from xlt.corpus.refusals import damage as damage_of
from xlt.corpus.refusals import refused
from xlt.errors import XltError
from xlt.processes import alive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PATIENCE = 5.0
_PAUSE = 0.05


@dataclass
class _Door:
    """One corpus file in this process. Readers share a connection; a writer is alone."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    root: DuckDBPyConnection | None = None
    readers: int = 0
    writing: bool = False


_doors: dict[Path, _Door] = {}
_doors_lock = threading.Lock()


@contextmanager
def opened(
    path: Path, *, write: bool = False, memory: str | None = None, patience: float = PATIENCE
) -> Iterator[DuckDBPyConnection]:
    """The corpus at `path`, open for the block. What is not committed at its end is undone.

    `memory` bounds DuckDB's buffers; beyond it, it spills into `.xlt/spill` beside the corpus. A file of an older
    schema is brought up to this one. Raises CorpusLockedError when others hold the file for more than `patience`
    seconds, and XltError when it is missing, damaged, of a newer schema, or no corpus. A thread with a leash
    (`leash.Leash`) waits until it is stopped, and then raises Interrupted.
    """
    import duckdb

    path = path.resolve()
    with _doors_lock:
        door = _doors.setdefault(path, _Door())
    held = leash.current()
    memory = memory or (held and held.memory) or duck.MEMORY
    cursor = _enter(door, path, write, memory, time.monotonic() + patience)
    try:
        with held.watch(cursor) if held else nullcontext():
            yield cursor
    except duckdb.Error as error:
        damage = damage_of(path, error)
        if damage is None:
            raise
        raise damage from None
    finally:
        _leave(door, path, cursor)


def _enter(door: _Door, path: Path, write: bool, memory: str, deadline: float) -> DuckDBPyConnection:
    held = leash.current()
    while True:
        if held:
            held.check()
        with door.lock:
            if door.writing or (write and door.readers):
                busy = CorpusLockedError(
                    f"The corpus {path} is in use by another job of this process; wait until it is done."
                )
            else:
                try:
                    door.root = door.root or _connect(path, write, memory)
                    cursor = door.root.cursor()
                except CorpusLockedError as error:
                    busy = error
                else:
                    door.writing = write
                    door.readers += not write
                    return cursor
        if held and held.waiting:
            held.waiting(str(busy))
        elif time.monotonic() >= deadline:
            raise busy
        time.sleep(_PAUSE)


def _leave(door: _Door, path: Path, cursor: DuckDBPyConnection) -> None:
    cursor.close()
    with door.lock:
        if door.writing:
            door.writing = False
        else:
            door.readers -= 1
        if door.readers == 0 and door.root is not None:
            door.root.close()
            door.root = None
            _remove_spill(path)


def rewrite(path: Path, storage: str, patience: float = PATIENCE) -> None:
    """Write the corpus anew: a deleted row's bytes stay in a DuckDB file until something is written over them.

    Other readers keep the old file until they close; no writer gets in between. Raises XltError; the file is then as
    before.
    """
    path = path.resolve()
    with _doors_lock:
        door = _doors.setdefault(path, _Door())
    deadline = time.monotonic() + patience
    while True:
        with door.lock:
            if not door.writing and not door.readers:
                door.writing = True
                break
        if time.monotonic() >= deadline:
            raise CorpusLockedError(
                f"The corpus {path} is in use by another job of this process; wait until it is done."
            )
        time.sleep(_PAUSE)
    try:
        while True:
            try:
                if _copied(path, storage):
                    return
                # What a killed writer left in the log must be in the file first.
                _open(path, True, duck.MEMORY).close()
            except CorpusLockedError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_PAUSE)
    finally:
        with door.lock:
            door.writing = False
        _remove_spill(path)


def _copied(path: Path, storage: str) -> bool:
    """Copy the file aside and put the copy in its place; False when there is a log beside it."""
    import duckdb

    aside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    aside.unlink(missing_ok=True)
    with duck.job(_make_spill(path)) as con:
        try:
            # Attached for reading, which keeps writers out; for writing, DuckDB would remove the log of the new file.
            with naming.kept(path):
                con.execute(f"ATTACH {duck.text(path)} AS old (READ_ONLY)")
                copied = path.stat().st_ino
        except duckdb.Error as error:
            raise refused(path, error) from None
        if path.with_name(path.name + ".wal").exists():
            return False
        try:
            con.execute(f"ATTACH {duck.text(aside)} AS new (STORAGE_VERSION {duck.text(storage)})")
            con.execute("COPY FROM DATABASE old TO new")
            con.execute("DETACH new")
            with naming.changed(path):
                if path.stat().st_ino != copied:
                    # Another process wrote it anew meanwhile, and somebody may have written into that file since.
                    return False
                aside.replace(path)
        except (duckdb.Error, OSError) as error:
            raise damage_of(path, error) or duck.failed(
                f"The corpus {path} can't be written anew", error, "run the same command again"
            ) from None
        finally:
            aside.unlink(missing_ok=True)
    return True


def _connect(path: Path, write: bool, memory: str) -> DuckDBPyConnection:
    """Open, check that it is a corpus, and bring an older schema up to date."""
    _check_file(path)
    connection = _open(path, write, memory)
    try:
        found = schema.version_of(connection)
        if found is None:
            raise XltError(f"{path} is a DuckDB file but no corpus of xlt; name another, or make one with xlt import.")
        if found > schema.VERSION:
            raise XltError(
                f"The corpus {path} was written by a newer xlt (schema {found}; this one knows {schema.VERSION}); "
                "update xlt to open it."
            )
        if found < schema.VERSION:
            connection = _migrated(connection, path, write, memory)
    except BaseException as error:
        connection.close()
        _remove_spill(path)
        damage = damage_of(path, error)
        if damage is None:
            raise
        raise damage from None
    return connection


def _migrated(connection: DuckDBPyConnection, path: Path, write: bool, memory: str) -> DuckDBPyConnection:
    if write:
        schema.migrate(connection)
        return connection
    connection.close()
    writer = _open(path, True, memory)
    try:
        schema.migrate(writer)
    finally:
        writer.close()
    return _open(path, False, memory)


def _check_file(path: Path) -> None:
    # stat() does not open the file, so it is safe; DuckDB alone would make a new file where there is none.
    if path.is_dir():
        raise XltError(f"{path} is a folder; a corpus is a file such as {path / 'corpus.duckdb'}.")
    if not path.exists():
        raise XltError(f"There is no corpus {path}; make one with xlt import FILE.")


def _open(path: Path, write: bool, memory: str) -> DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(_make_spill(path)),
        # Set before the file is opened: DuckDB would ask its server for a reader of files that it does not know.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with naming.kept(path):
            connection = duckdb.connect(str(path), read_only=not write, config=config)
    except duckdb.Error as error:
        _remove_spill(path)
        raise refused(path, error) from None
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def _spill(path: Path) -> Path:
    return path.parent / ".xlt" / "spill" / f"{path.stem}-{os.getpid()}"


def _make_spill(path: Path) -> Path:
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


def _remove_spill(path: Path) -> None:
    folder = _spill(path)
    shutil.rmtree(folder, ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        try:
            parent.rmdir()
        except OSError:
            return
