"""One key at a time, however fast they come: from a script, a paste into the terminal, or a slow line.

Textual gives a key to what has the focus now, and what the key does (open a dialog, go to the next field) happens some
messages later: a key right behind it would still go to the old place. Here it waits until the one before is done with.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from textual import events
from textual.app import App
from textual.message import Message

if TYPE_CHECKING:
    from textual.screen import Screen

_LAPS = 2
"""What a key does may send a message itself, such as that a line is written; one lap for each."""
_PATIENCE = 0.5
"""Seconds after which a lap is taken for lost, since the widget that it began at is gone."""


class Lap(Message):
    """Goes behind a key from what has the focus up to the app."""

    def __init__(self, key: int) -> None:
        super().__init__()
        self.key = key


class KeyByKey(App[None]):
    """An app that looks at a key when the one before it has done what it does."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key] = deque()
        self._key, self._laps, self._since = 0, 0, 0.0
        self._typed_on: Screen[object] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Take keys one by one, everything else as it comes."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._laps or time.monotonic() - self._since > _PATIENCE:
            await self._next_key()

    async def _next_key(self) -> None:
        self._laps = 0
        while self._typed and not self._laps:
            self._key, self._since, self._typed_on = self._key + 1, time.monotonic(), self.screen
            await super().on_event(self._typed.popleft())
            self._lap(_LAPS)

    def _lap(self, laps: int) -> None:
        self._laps = laps if (self.focused or self.screen).post_message(Lap(self._key)) else 0

    async def on_lap(self, message: Lap) -> None:
        """A lap is done; a screen that has come meanwhile does its own, for which it has to be there."""
        if message.key != self._key or not self.screen_stack:
            # Of an earlier key, or the app is being closed.
            return
        if self.screen is not self._typed_on:
            self._typed_on, self._laps = self.screen, _LAPS + 1
        if self._laps > 1:
            self._lap(self._laps - 1)
        else:
            self._laps = 0
        if not self._laps:
            await self._next_key()
