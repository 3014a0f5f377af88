"""Jobs that wait for a process of `xlt` and say what it says: the screen never stutters, the work can be stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from xlt.engine.process import Started, start
from xlt.errors import Exit, XltError
from xlt.tui.jobs import Job

_LOOK = 0.1


def wait_for(job: Job, started: Started, about: str, *, ends_with_job: bool = True) -> None:
    """Until the process has ended. A cancelled job ends it with `ends_with_job`, and else only stops waiting."""
    while started.code is None:
        if job.cancelled:
            if ends_with_job:
                started.end()
            job.leash.check()
        said = started.said()
        job.say(f"{about} …  {f'{said}  ' if said else ''}{time.monotonic() - job.began:.0f} s")
        time.sleep(_LOOK)


def run_xlt(job: Job, arguments: Sequence[str], workspace: Path, about: str) -> list[str]:
    """Run `xlt` with these arguments, and give back what it narrated. A cancelled job ends it.

    Raises XltError with the command's own sentence when it fails; rejected rows are no failure.
    """
    started = start(arguments, workspace)
    wait_for(job, started, about)
    if started.code not in (Exit.DONE, Exit.REJECTED_ROWS):
        raise XltError(started.said() or f"xlt {arguments[0]} ended with {started.code}.")
    return started.narrated()
