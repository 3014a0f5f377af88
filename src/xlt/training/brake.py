"""Lets Ctrl-C end a training between two steps, so that a checkpoint of a whole step can be written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Brake:
    """While it is held, the first Ctrl-C (or SIGTERM) only sets `pulled`; a second one stops at once."""

    def __init__(self, say: Callable[[str], None], *, heeds: bool = True) -> None:
        """`heeds` False: do nothing on Ctrl-C, for a process whose leader stops for all."""
        self.pulled = False
        self._say, self._heeds = say, heeds
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Brake:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pull)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _pull(self, number: int, frame: FrameType | None) -> None:
        if not self._heeds:
            return
        if self.pulled:
            raise KeyboardInterrupt
        self.pulled = True
        self._say("Stopping after this step; Ctrl-C again stops at once.")
