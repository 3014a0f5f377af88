"""Runs `xlt …` as a process of its own, so that the screen never stutters and the work can be stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from xlt.errors import Exit, XltError
from xlt.tui.jobs import Job

_LOOK = 0.1
_GRACE = 10.0


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    lines: tuple[str, ...]
    """What it narrated."""


def run_xlt(job: Job, arguments: Sequence[str]) -> Ended:
    """Run `xlt` with these arguments in a job's thread, and show the last line that it narrates.

    A cancelled job stops the command as Ctrl-C does. Raises XltError with the command's own sentence when it fails;
    rejected rows are no failure.
    """
    # Beside no corpus: an ordinary file in the system's own folder.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "xlt", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        began, last = time.monotonic(), ""
        while process.poll() is None:
            if job.cancelled:
                _stop(process)
                job.leash.check()
            lines = _lines(said.fileno())
            last = lines[-1] if lines else last
            job.say(f"{last or 'Starting …'}  {time.monotonic() - began:.0f} s")
            time.sleep(_LOOK)
        lines = _lines(said.fileno())
    if process.returncode not in (Exit.DONE, Exit.REJECTED_ROWS):
        sentence = lines[-1].removeprefix("xlt: ") if lines else f"xlt {arguments[0]} ended with {process.returncode}."
        raise XltError(sentence)
    return Ended(process.returncode, tuple(lines))


def _lines(file: int) -> list[str]:
    content = os.pread(file, 1 << 20, 0).decode("utf-8", "replace")
    return [line.rstrip() for line in content.splitlines() if line.strip()]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
