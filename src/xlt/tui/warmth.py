"""What the app does while nobody waits, so that no key has to.

A screen or dialog that is shown for the first time would be imported, and all styles read anew, in the turn of the
event loop that opens it. And a full garbage collection takes 50 to 180 ms of one turn, wherever it falls: it is done
when no key was pressed for a while, and without all that stays as long as the app.
"""

from __future__ import annotations

import gc
import sys
import time
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

from xlt.tui.jobs import Job

if TYPE_CHECKING:
    from xlt.tui.app import XltApp

MANY = 100
"""Modules from which another freeze is worth it: somebody has imported torch."""
IDLE = 1.0
"""Seconds without a key or the mouse after which nobody waits."""
DUE, OVERDUE = 10, 400
"""Collections of the middle generation after which a full one is due (Python's own rule), and done in any case."""
_NEVER = 1_000_000
_usual = gc.get_threshold()
_WANTED = (
    "numpy",
    "pyarrow",
    "xlt.corpus.asking",
    "xlt.corpus.breakdown",
    "xlt.corpus.completion",
    "xlt.corpus.draws",
    "xlt.corpus.pages",
    "xlt.corpus.queries",
    "xlt.corpus.selection",
    "xlt.corpus.statements",
    "xlt.corpus.trend",
)


class Warmth:
    """For one app; `look` is called again and again."""

    def __init__(self, app: XltApp) -> None:
        self._app = app
        self._begun = False
        self._touched = time.monotonic()
        self._modules = 0
        """How many there were when the collector was last told; 0 before."""
        defer()

    @property
    def ready(self) -> bool:
        """Whether all that will be wanted is there."""
        return self._modules > 0

    def touched(self) -> None:
        """The user has done something."""
        self._touched = time.monotonic()

    def look(self) -> None:
        """Do what there is to do, if nothing else is at work."""
        waiting = self._app.busy or (self._begun and time.monotonic() - self._touched < IDLE)
        collections = gc.get_count()[2]
        if waiting:
            if collections >= OVERDUE:
                gc.collect()
        elif not self._begun:
            self._begun = True
            self._app.jobs.start("warm", _import, lambda _: self._read_styles())
        elif self.ready and len(sys.modules) >= self._modules + MANY:
            self._freeze()
        elif collections >= DUE:
            gc.collect()

    def _read_styles(self) -> None:
        styles = self._app.stylesheet
        for path in sorted(Path(__file__).parent.rglob("*.tcss")):
            if not styles.has_source(str(path)):
                styles.read(path)
        styles.parse()
        self._freeze()

    def _freeze(self) -> None:
        self._modules = len(sys.modules)
        gc.freeze()


def _import(job: Job) -> None:
    import xlt.tui

    for found in walk_packages(xlt.tui.__path__, "xlt.tui."):
        job.leash.check()
        import_module(found.name)
    for name in _WANTED:
        job.leash.check()
        import_module(name)


def defer() -> None:
    """From now on no full collection comes by itself."""
    gc.set_threshold(*_usual[:2], _NEVER)


def cool() -> None:
    """The app has ended: all is collected as usual."""
    gc.set_threshold(*_usual)
    gc.unfreeze()
