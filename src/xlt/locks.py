"""Says who works on a run or an output, so that a second process stops instead of mixing its rows in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xlt.errors import XltError
from xlt.processes import at_work


class HeldError(XltError):
    """Another process is at work on it."""


@contextmanager
def hold(path: Path, what: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock file `path` for the block; the operating system frees it when the process dies.

    Raises HeldError naming the process when another one holds it, unless `wait` is set. `what` begins the sentence
    ("The output x.csv").
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_suffix(".pid")
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        raise HeldError(f"{what} is being written by another xlt{_process(holder)}; wait for it or stop it.") from None
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path) -> int | None:
    """The process that holds the lock file `path`; None when nobody does. Does not touch the lock itself.

    A killed process leaves its id behind, which another process may bear by now: that one began later.
    """
    noted = path.with_suffix(".pid")
    try:
        pid = int(noted.read_text(encoding="utf-8"))
        return pid if at_work(pid, noted) else None
    except (OSError, ValueError):
        return None


def _process(holder: Path) -> str:
    try:
        return f" (process {int(holder.read_text(encoding='utf-8'))})"
    except (OSError, ValueError):
        return ""
