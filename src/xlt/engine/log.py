"""What a run said and when, kept in its folder, so that it can be read later and by others."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path

from xlt.engine.job import Listener, Progress

FILE = "log.txt"
_PROGRESS_SECONDS = 60.0


class Logged:
    """A listener that also writes to the run folder's log: a line for each sentence, and now and then how far it is."""

    def __init__(self, listener: Listener, folder: Path) -> None:
        self._listener = listener
        self._path = folder / FILE
        self._spoke = time.monotonic()

    def say(self, sentence: str) -> None:
        """One sentence of narration."""
        self.log(sentence)
        self._listener.say(sentence)

    def progress(self, progress: Progress) -> None:
        """Called after every batch."""
        now = time.monotonic()
        if now - self._spoke >= _PROGRESS_SECONDS:
            self._spoke = now
            self.log(
                f"{progress.done:,} of {progress.total:,} distinct texts, {progress.texts_per_second:,.1f} a second."
            )
        self._listener.progress(progress)

    def log(self, sentence: str) -> None:
        """Write a line to the log alone. A log that can't be written stops no run."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now().astimezone().isoformat(sep=' ', timespec='seconds')}  {sentence}\n")
        except OSError:
            pass

    def begins(self) -> None:
        """Write down which process works from here on."""
        self.log(f"Process {os.getpid()} begins.")
