"""The app's side of `bench_tui.py`: runs the real app in the terminal that it stands in, presses keys, tells times.

    python scripts/tui_driven.py FOLDER REPEAT TELL HEAR

`TELL` and `HEAR` are file descriptors: a line of JSON goes out for each action, and the next one begins when a byte
has come back.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

if TYPE_CHECKING:
    from tui.driven import Driven

RUN = "2026-01-01-bench000"
_JOIN = f"tweets t JOIN predictions p ON p.text_key = t.text_key WHERE p.run = '{RUN}'"
_LEFT = f"tweets t LEFT JOIN (SELECT * FROM predictions WHERE run = '{RUN}') p ON p.text_key = t.text_key"
_QUIET = 0.05
"""Seconds without work and without a frame after which an action is over: three frames."""


@dataclass(frozen=True)
class Step:
    """One action: the key that does it, and what anybody would write in SQL for it."""

    name: str
    key: str
    sql: str | None = None
    before: tuple[str, ...] = ()
    """Keys that are pressed first and not timed."""
    after: tuple[str, ...] = ()
    typed: str = ""
    whole: bool = False
    """Whether the SQL stands for all of it, not only for its rows."""


STEPS = (
    Step(
        "breakdown by language, with its curves",
        "ctrl+r",
        f"SELECT coalesce(lang, lang_tag, 'und') AS k, label, count(*) FROM {_JOIN} GROUP BY ALL; SELECT "
        f"coalesce(lang, lang_tag, 'und') AS k, date_trunc('month', created_at) AS m, count(*) FROM {_JOIN} AND "
        "label <> 'unrelated' GROUP BY ALL",
        whole=True,
    ),
    Step(
        "breakdown, only texts with a word",
        "enter",
        f"SELECT coalesce(lang, lang_tag, 'und') AS k, label, count(*) FROM {_JOIN} AND regexp_matches(text, 'border', "
        "'i') GROUP BY ALL; SELECT coalesce(lang, lang_tag, 'und') AS k, date_trunc('month', created_at) AS m, "
        f"count(*) FROM {_JOIN} AND label <> 'unrelated' AND regexp_matches(text, 'border', 'i') GROUP BY ALL",
        before=("slash",),
        typed="border",
        after=("x",),
        whole=True,
    ),
    Step(
        "open a bar (anti in English, by confidence)",
        "enter",
        f"SELECT t.rowid FROM {_JOIN} AND coalesce(lang, lang_tag, 'und') = 'en' AND label = 'anti-immigration' "
        "ORDER BY confidence, t.rowid",
        before=("g", "left"),
        after=("q", "right"),
    ),
    Step("switch to Posts, which asks anew", "2", before=("1",)),
    Step("to the last post", "G", before=("g",)),
    Step("one page up", "pageup", before=("pageup",)),
    Step("sort by date", "enter", "SELECT rowid FROM tweets ORDER BY created_at, rowid", ("s", "g", "j")),
    Step(
        "sort by confidence",
        "enter",
        f"SELECT t.rowid FROM {_LEFT} ORDER BY confidence, t.rowid",
        ("s", "home", "j", "j", "j", "j"),
    ),
    Step(
        "search",
        "enter",
        "SELECT rowid FROM tweets WHERE regexp_matches(text, 'refugees', 'i')",
        before=("slash", "ctrl+u"),
        typed="refugees",
        # What is searched for is searched for again in every new selection.
        after=("slash", "ctrl+u", "enter"),
    ),
    Step("switch to Breakdown", "1"),
)

DIALOGS = {
    "Breakdown: group by": ("1", "b"),
    "Breakdown: filter": ("1", "f"),
    "Breakdown: sort": ("1", "s"),
    "Breakdown: run": ("1", "r"),
    "Breakdown: export": ("1", "e"),
    "help": ("1", "question_mark"),
    "palette": ("1", "ctrl+p"),
    "import": ("1", "ctrl+o"),
    "Posts": ("1", "2"),
    "Posts: filter": ("2", "f"),
    "Posts: sort": ("2", "s"),
    "Posts: search": ("2", "slash"),
    "Query": ("1", "3"),
    "Query: named queries": ("3", "f2"),
    "Query: save": ("3", "f4"),
    "Classify": ("1", "4"),
    "Classify: model": ("4", "m"),
    "Classify: languages": ("4", "f"),
    "Models": ("1", "5"),
    "Models: machine": ("5", "d"),
    "Label": ("1", "6"),
    "Label: draw": ("6", "n"),
    "Label: codebook": ("6", "b"),
    "Label: who codes": ("6", "w"),
}
"""What is opened by the last of these keys; escape closes the dialogs."""


class Turns:
    """How long the event loop hears no key: the CPU time between two of its looks at the outside."""

    def __init__(self, loop: Any) -> None:
        self.longest = 0.0
        self._began: float | None = None
        self._select = loop._selector.select
        loop._selector.select = self._look

    def _look(self, timeout: float | None = None) -> Any:
        if self._began is not None:
            self.longest = max(self.longest, time.thread_time() - self._began)
        found = self._select(timeout)
        self._began = time.thread_time()
        return found

    def taken(self) -> float:
        """The longest since this was asked last."""
        found, self.longest = self.longest, 0.0
        return found


class Frames:
    """When the app last wrote something to the terminal, and when it first did with other rows than before."""

    def __init__(self, driven: Driven) -> None:
        self._driven = driven
        self.last = time.perf_counter()
        self.rows: float | None = None
        self._before: object = None
        display = driven.app._display

        def displayed(screen: Any, renderable: Any) -> None:
            display(screen, renderable)
            self.last = time.perf_counter()
            if self.rows is None and renderable is not None and self.state() not in (self._before, None):
                self.rows = self.last

        driven.app._display = displayed  # type: ignore[method-assign]

    def state(self) -> object:
        """What stands in the list of the screen that is seen; None while it is not complete."""
        from xlt.tui.widgets.rows import Rows

        # Under a dialog: what stands there counts, not that it is seen again.
        screen = self._driven.app._own_screen() or self._driven.app.screen
        found = next(iter(screen.query(Rows)), None)
        source = None if found is None else found._source
        if found is None or source is None or not found.seen:
            return None
        if any(source.row(index) is None for index in (found.seen[0], found.seen[-1])):
            return None
        matches = getattr(screen, "_matches", None)
        board = getattr(screen, "_board", None)
        # Not which rows are seen: a line that says what goes on takes one of them.
        return (id(screen), found.cursor, id(source if board is None else board), id(matches))

    def begin(self) -> None:
        """From now on other rows count."""
        self.rows, self._before = None, self.state()


async def quiet(driven: Driven, frames: Frames) -> float:
    """Wait until nothing is at work and nothing is drawn; when that began."""
    await asyncio.sleep(0)
    worked = time.perf_counter()
    while time.perf_counter() - max(worked, frames.last) < _QUIET:
        await asyncio.sleep(0.004)
        if driven.busy():
            worked = time.perf_counter()
    return frames.last


async def walk(folder: Path, repeat: int, tell: int, hear: int) -> None:
    """Run the app through every step."""
    from tui.driven import Driven
    from xlt.tui.app import XltApp

    app = XltApp(folder)
    async with app.run_test(headless=False, size=None) as pilot:
        driven = Driven(app, pilot)
        turns = Turns(asyncio.get_running_loop())
        await driven.settled(600)
        frames = Frames(driven)
        # The app does some things when nobody asks for anything: they belong to no action.
        await asyncio.sleep(2)
        await quiet(driven, frames)
        turns.taken()

        async def press(*keys: str) -> None:
            for key in keys:
                app.simulate_key(key)
                await quiet(driven, frames)
            if not keys:
                await quiet(driven, frames)

        for _ in range(repeat):
            for step in STEPS:
                await press(*step.before, *step.typed)
                turns.taken()
                frames.begin()
                began = time.perf_counter()
                app.simulate_key(step.key)
                end = await quiet(driven, frames)
                told = {"step": step.name, "whole": end - began, "rows": (frames.rows or end) - began}
                os.write(tell, (json.dumps(told | {"turn": turns.taken()}) + "\n").encode())
                await asyncio.to_thread(os.read, hear, 1)
                await press(*step.after)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        opened = {name: await opening(keys, press, turns, app) for name, keys in DIALOGS.items()}
        os.write(tell, (json.dumps({"turns": opened, "memory": memory}) + "\n").encode())


async def opening(keys: tuple[str, ...], press: Any, turns: Turns, app: Any) -> tuple[float, float]:
    """The longest turn while something is opened for the first time, and for the third."""
    found = []
    for _ in range(3):
        if len(app.screen_stack) == 1:
            app.action_tab(int(keys[0]))
            await press()
        turns.taken()
        if keys[1].isdigit():
            # The text of Query takes the number.
            app.action_tab(int(keys[1]))
            await press()
        else:
            await press(keys[1])
        found.append(turns.taken())
        if len(app.screen_stack) > 1:
            await press("escape")
    return found[0], found[-1]


if __name__ == "__main__":
    from xlt.tui.jobs import settle

    try:
        asyncio.run(walk(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:5])))
    finally:
        settle()
