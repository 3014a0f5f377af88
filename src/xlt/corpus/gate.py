"""The one way to open a corpus file: for one job, with bounds, and closed at its end.

DuckDB lets one process write or several read, never both, and its lock is a POSIX lock: an ordinary `open()` and
`close()` of the file anywhere in this process drops it, and a second writer's rows then vanish without an error. So
nothing but this module opens a corpus, and nothing hashes, copies or reads the file while it may be open here.

Take results whole inside the block (`fetchall`, `to_arrow_table`, `COPY … TO`). An unfinished Arrow reader that
outlives the block keeps the lock, and the next writer of this process would wait for it forever.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck, leash, naming, opening, schema
from xlt.corpus.refusals import CorpusLockedError as CorpusLockedError
from xlt.corpus.refusals import damage as damage_of
from xlt.corpus.refusals import refused
from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PATIENCE = 5.0
_PAUSE = 0.05


@dataclass
class _Door:
    """One corpus file in this process. Readers share a connection; a writer is alone."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    root: DuckDBPyConnection | None = None
    warm: DuckDBPyConnection | None = None
    """A DuckDB without a file for the next reader, kept where a thread with a leash had it: more jobs will come."""
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
                    if door.root is None:
                        warm, door.warm = door.warm, None
                        door.root = _connect(path, write, memory, warm)
                    cursor = door.root.cursor()
                    if not write:
                        cursor.execute(f"USE {opening.name(path)}")
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
        write = door.writing
        if write:
            door.writing = False
        else:
            door.readers -= 1
        if door.readers == 0 and door.root is not None:
            if write or leash.current() is None:
                door.root.close()
            else:
                door.warm = opening.let_go(door.root, path)
            door.root = None
            opening.remove_spill(path)


def cool() -> None:
    """Close what is kept for later readers: no more jobs will come."""
    with _doors_lock:
        doors = list(_doors.values())
    for door in doors:
        with door.lock:
            if door.warm is not None:
                door.warm.close()
                door.warm = None


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
                opening.opened(path, True, duck.MEMORY).close()
            except CorpusLockedError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_PAUSE)
    finally:
        with door.lock:
            door.writing = False
        opening.remove_spill(path)


def _copied(path: Path, storage: str) -> bool:
    """Copy the file aside and put the copy in its place; False when there is a log beside it."""
    import duckdb

    aside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    aside.unlink(missing_ok=True)
    with duck.job(opening.make_spill(path)) as con:
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


def _connect(path: Path, write: bool, memory: str, warm: DuckDBPyConnection | None) -> DuckDBPyConnection:
    """Open, check that it is a corpus, and bring an older schema up to date."""
    opening.check(path)
    connection = opening.opened(path, write, memory, warm)
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
        opening.remove_spill(path)
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
    writer = opening.opened(path, True, memory)
    try:
        schema.migrate(writer)
    finally:
        writer.close()
    return opening.opened(path, False, memory)
