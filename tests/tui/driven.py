"""Drives the real app with Textual's Pilot."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

# Nobody looks: what is to be drawn need not wait for the next picture of a real terminal.
os.environ.setdefault("TEXTUAL_FPS", "400")

import textual.app
import textual.pilot
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from xlt.tui.app import XltApp
from xlt.tui.jobs import settle
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.bar import Notice
from xlt.tui.widgets.rows import Rows

Script = Callable[["Driven"], Awaitable[None]]
SIZE = (120, 36)
_SOON = 0.02
"""Seconds; what a timer does within this time is waited for."""


async def calm(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until the event loop has nothing to do but to wait for a thread, a key or a clock.

    Textual's own driver waits until the process uses little CPU time: at least 20 ms, and not at all where the machine
    is so busy that the process gets none.
    """
    loop: Any = asyncio.get_running_loop()
    end = loop.time() + max_sleep
    while loop.time() < end:
        await asyncio.sleep(0)
        if loop._ready:
            continue
        due = min((each.when() for each in loop._scheduled if not each.cancelled()), default=end) - loop.time()
        if due > _SOON:
            return
        await asyncio.sleep(max(due, 0.0))


textual.app.wait_for_idle = textual.pilot.wait_for_idle = calm  # type: ignore[attr-defined]


_NAMES = {" ": "space", "-": "minus", ".": "full_stop", "/": "slash", ",": "comma"}


class Driven:
    """A running app."""

    def __init__(self, app: XltApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> Screen[Any]:
        return self.app.screen

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until everything that they began is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.settled()

    def at_once(self, *keys: str) -> None:
        """Press keys without waiting for what any of them does."""
        for key in keys:
            name = _NAMES.get(key, key)
            self.app.post_message(Key(name, key if len(key) == 1 else None))

    async def type(self, text: str) -> None:
        """Write into what has the focus."""
        for letter in text:
            await self.pilot.press(_NAMES.get(letter, letter))

    async def settled(self, seconds: float = 20.0) -> None:
        """Wait until no job runs, and none that the last one began."""
        deadline = time.monotonic() + seconds
        await self.pilot.pause()
        while self.busy():
            assert time.monotonic() < deadline, f"still at work:\n{stacks()}\n{self.text()}"
            await asyncio.sleep(0.002)
            if not self.busy():
                await self.pilot.pause()

    def busy(self) -> bool:
        screens = [each for each in self.app.screen_stack if hasattr(each, "jobs")]
        return self.app.jobs.busy or any(cast("XltScreen", each).jobs.busy for each in screens)

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it never held"
            await self.pilot.pause(0.02)

    def lines(self) -> list[str]:
        """What is on the screen, line by line."""
        width, height = self.app.size
        found = self.screen._compositor.render_strips(self.app.size)
        return [strip.text[:width].rstrip() for strip in found][:height]

    def text(self) -> str:
        return "\n".join(self.lines())

    def rows(self) -> Rows:
        return self.screen.query_one(Rows)

    def notice(self) -> str:
        """What the line above the footer says; empty when it is not there."""
        found = self.screen.query_one(Notice)
        return str(found.content) if found.display else ""

    def static(self, selector: str) -> str:
        return str(self.screen.query_one(selector, Static).content)


def stacks() -> str:
    """What every thread is doing."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for thread in threading.enumerate()
        if thread.ident in frames
    )


def drive(workspace: Path, script: Script, size: tuple[int, int] = SIZE, corpus: Path | None = None) -> XltApp:
    """Run the app over a workspace through a script; gives back the ended app."""

    async def run() -> XltApp:
        app = XltApp(workspace, corpus)
        app.animation_level = "none"
        async with app.run_test(size=size) as pilot:
            driven = Driven(app, pilot)
            await driven.settled()
            await script(driven)
        return app

    try:
        return asyncio.run(run())
    finally:
        settle()
