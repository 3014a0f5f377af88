"""How whoever started a job in a thread stops it, bounds it, and hears what it waits for.

A leash is put on a thread; `gate.opened` looks whether the thread that opens a corpus has one. So every function of
this room can be stopped without knowing it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from xlt.errors import Interrupted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Connection: TypeAlias = DuckDBPyConnection

_AGAIN = 0.02
_threads = threading.local()


class Leash:
    """For one job: `hold` it in the job's thread, `stop` it from any other."""

    def __init__(self, memory: str | None = None, waiting: Callable[[str], None] | None = None) -> None:
        """`memory` bounds DuckDB in every corpus that the job opens. `waiting` makes the job wait for a corpus that is
        in use for as long as it takes; it is told again and again who holds the file."""
        self.memory, self.waiting = memory, waiting
        self.stopped = False
        self._cursors: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Put the leash on this thread for the block."""
        before, _threads.leash = current(), self
        try:
            yield
        finally:
            _threads.leash = before

    def check(self) -> None:
        """Raise Interrupted when the job was stopped."""
        if self.stopped:
            raise Interrupted("Stopped.")

    def stop(self) -> None:
        """End the query that runs, and let no other begin. Returns at once."""
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
        threading.Thread(target=self._pull, name="xlt-stop", daemon=True).start()

    def _pull(self) -> None:
        # Again and again: an interrupt that comes between two queries is forgotten when the next one begins.
        while True:
            with self._lock:
                if not self._cursors:
                    return
                for cursor in self._cursors:
                    cursor.interrupt()
            time.sleep(_AGAIN)

    @contextmanager
    def watch(self, cursor: Connection) -> Iterator[None]:
        """Stop what `cursor` does in the block when the job is stopped; whatever error comes of it is Interrupted."""
        with self._lock:
            self.check()
            self._cursors.append(cursor)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._cursors.remove(cursor)

    def progress(self) -> float | None:
        """How far the query that runs is, 0 to 1; None when DuckDB can't tell or none runs."""
        with self._lock:
            found = self._cursors[-1].query_progress() if self._cursors else -1.0
        return found / 100 if 0 < found <= 100 else None


def current() -> Leash | None:
    """The leash of this thread."""
    found: Leash | None = getattr(_threads, "leash", None)
    return found
