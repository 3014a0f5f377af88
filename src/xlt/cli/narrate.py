"""Narration on stderr: sentences, and a progress line with rate and ETA. stdout stays free for data."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from xlt.engine.words import count as count
from xlt.engine.words import duration as duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from xlt.engine.job import Progress

PLAIN_SECONDS = 10.0


def describe(progress: Progress) -> str:
    """Rate, share known before, and ETA in one line."""
    parts = [f"{count(progress.texts_per_second)} tweets/s", f"{count(progress.tokens_per_second)} tokens/s"]
    if progress.known:
        parts.append(f"{progress.known:,} known before")
    left = progress.seconds_left
    if left is not None and progress.done < progress.total:
        parts.append(f"ETA {duration(left)}")
    return " · ".join(parts)


def stderr_console() -> Console:
    """A console for narration: no line is wrapped, no number coloured."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


class Voice:
    """Says sentences on stderr and shows how far a job is: a live bar on a terminal, a line now and then elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self.live = sys.stderr.isatty() and not quiet
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._spoke = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, sentence: str) -> None:
        """One sentence on a line of its own."""
        if self._quiet:
            return
        if self._bar:
            self._bar.console.print(sentence, markup=False, highlight=False)
        else:
            print(sentence, file=sys.stderr, flush=True)

    def show(self, done: int, total: int, unit: str, figures: str) -> None:
        """Draw or print that `done` of `total` units are done, with some figures."""
        if self.live:
            self._draw(done, total, figures)
        elif not self._quiet and time.monotonic() - self._spoke >= PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self.say(f"{done:,} of {total:,} {unit} · {figures}")

    def _draw(self, done: int, total: int, figures: str) -> None:
        if self._bar is None or self._task is None:
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (BarColumn(40), TaskProgressColumn(), TextColumn("{task.fields[figures]}"))
            self._bar = Bar(*columns, console=stderr_console(), transient=True)
            self._task = self._bar.add_task("", total=total, figures="")
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, figures=figures)


class Narrator(Voice):
    """Tells how a classification goes."""

    def progress(self, progress: Progress) -> None:
        """How far it is."""
        self.show(progress.done, progress.total, "distinct texts", describe(progress))


class Download:
    """Tells how a download goes: a live bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(40), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=stderr_console(), transient=True)
        self._task = self._bar.add_task("", total=None)
        self._live = sys.stderr.isatty()
        self._spoke = float("-inf")

    def __enter__(self) -> Self:
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        if self._live:
            self._bar.stop()

    def progress(self, done: int, total: int) -> None:
        """Bytes that are there, and bytes in all."""
        from xlt.backends.common import amount

        now = time.monotonic()
        if self._live:
            self._bar.update(self._task, completed=done, total=total)
        elif now - self._spoke >= PLAIN_SECONDS or done == total:
            self._spoke = now
            print(f"{amount(done)} of {amount(total)}", file=sys.stderr, flush=True)
