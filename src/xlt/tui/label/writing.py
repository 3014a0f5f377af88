"""Labels on their way into the corpus: the coder never waits for it, and none is lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus.coding import Change, Coding, standing
from xlt.corpus.journal import Journal
from xlt.errors import XltError
from xlt.tui.jobs import Job, Jobs

if TYPE_CHECKING:
    from textual.message_pump import MessagePump

_SILENCE = 0.5
"""Seconds of waiting for the corpus of which nothing is said."""
_AGAIN = 5.0
"""Seconds until the next try after one that failed."""


class Writer:
    """Writes labels in the order in which they were given, as soon as the corpus is free.

    Each is in the journal first, so that one that waits outlives this process.
    """

    def __init__(
        self,
        owner: MessagePump,
        corpus: Path,
        say: Callable[[str, float | None], None],
        fail: Callable[[XltError], None],
        defect: Callable[[Exception], str],
    ) -> None:
        """`defect` notes an error that is xlt's own and gives the sentence for the user."""
        self._owner, self._corpus, self._say, self._fail = owner, corpus, say, fail
        self._jobs = Jobs(owner, self._says, self._failed, lambda error: self._failed(XltError(defect(error))))
        self._journal = Journal(corpus)
        self._waiting: deque[Change] = deque()
        self._last = datetime.min
        self.heard: Callable[[], None] = lambda: None
        """Called when the number of labels that wait has changed."""

    @property
    def waiting(self) -> int:
        """Labels that are not in the corpus yet."""
        return len(self._waiting)

    def put(self, coding: Coding) -> datetime:
        """Take a label; the time under which it will stand."""
        now = datetime.now(UTC).replace(tzinfo=None)
        # A clock that is set back must not turn the order around.
        self._last = max(now, self._last + timedelta(microseconds=1))
        self._take(Change(coding, self._last))
        return self._last

    def take_back(self, coding: Coding, at: datetime) -> None:
        """Undo a label, written or not."""
        self._take(Change(coding, at, taken_back=True))

    def recover(self) -> int:
        """Take what a killed process has left; how many labels that are."""
        found = 0
        for path, changes in self._journal.left():
            for each in changes:
                self._take(each)
            path.unlink(missing_ok=True)
            found += standing(changes)
        return found

    def stop(self) -> None:
        """Try no more; what waits is in the journal."""
        self._jobs.cancel_all()

    def _take(self, change: Change) -> None:
        self._journal.add(change)
        self._waiting.append(change)
        self._go()
        self.heard()

    def _go(self) -> None:
        if self._waiting and self._jobs.running("labels") is None:
            batch = tuple(self._waiting)
            self._jobs.start("labels", lambda job: self._write(job, batch), lambda _: self._written(len(batch)))

    def _write(self, job: Job, batch: tuple[Change, ...]) -> None:
        from xlt.corpus import gate
        from xlt.corpus.coding import change

        with gate.opened(self._corpus, write=True) as con:
            change(con, batch)

    def _written(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()
        if not self._waiting:
            self._journal.clear()
        self._go()
        self.heard()

    def _failed(self, error: XltError) -> None:
        self._fail(XltError(f"{self.words()} {error}"))
        self._owner.set_timer(_AGAIN, self._go)

    def _says(self, sentence: str, part: float | None) -> None:
        job = self._jobs.running("labels")
        if not sentence:
            self._say("", None)
        elif job is not None and time.monotonic() - job.began > _SILENCE:
            self._say(f"{self.words()} {sentence}", part)

    def words(self) -> str:
        """How many labels wait."""
        return "1 label waits to be written." if self.waiting == 1 else f"{self.waiting:,} labels wait to be written."
