"""Which file a corpus's name stands for does not change while somebody opens it.

DuckDB opens a file, locks it, and then reads and at last removes the log `NAME.wal`, which it finds by name. If the
file is replaced between the opening and the lock, that log is the new file's: rows that others committed there would be
lost. So whoever opens a corpus keeps the name for that moment, and whoever replaces it waits until nobody does. The
lock lies on the folder, so that it leaves nothing behind, and the system frees it when the process dies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which lets nobody replace a file that is open.
    fcntl = None  # type: ignore[assignment]


def kept(path: Path) -> AbstractContextManager[None]:
    """The name `path` stays with its file for the block; many may keep it at once."""
    return _folder(path, exclusive=False)


def changed(path: Path) -> AbstractContextManager[None]:
    """Nobody is opening `path` during the block: the one moment to replace it."""
    return _folder(path, exclusive=True)


@contextmanager
def _folder(path: Path, exclusive: bool) -> Iterator[None]:
    # Neither Windows nor some network drives can lock a folder; DuckDB's own lock is then all there is.
    folder = -1
    try:
        if fcntl is not None:
            with suppress(OSError):
                folder = os.open(path.parent, os.O_RDONLY)
                fcntl.flock(folder, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        if folder >= 0:
            os.close(folder)
