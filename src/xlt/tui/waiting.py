"""A job that waits for a process of `xlt` and says what it says."""

from __future__ import annotations

import time

from xlt.engine.process import Started
from xlt.tui.jobs import Job

_LOOK = 0.1


def wait_for(job: Job, started: Started, about: str, *, ends_with_job: bool = True) -> None:
    """Until the process has ended. A cancelled job stops it with `ends_with_job`, and else only stops waiting."""
    while started.code is None:
        if job.cancelled:
            if ends_with_job:
                started.stop()
            job.leash.check()
        said = started.said()
        job.say(f"{about} …  {f'{said}  ' if said else ''}{time.monotonic() - job.began:.0f} s")
        time.sleep(_LOOK)
