"""Long work in a process of its own: begun, looked at, stopped. It outlives the process that began it.

Neither fork nor multiprocessing: after torch was imported a fork hangs, and spawn fails under a full-screen program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xlt.engine.follow import RunState
from xlt.errors import Exit, XltError
from xlt.processes import alive, at_work

_KEPT = 20
_GRACE = 10.0
"""Seconds that a process has to put down its work."""
_LOOK = 0.05
_RECORD = ".json"


@dataclass
class Started:
    """A process of `xlt` that this one began, or an earlier session in the same workspace."""

    process: subprocess.Popen[bytes] | int
    """Its id where an earlier session began it."""
    arguments: tuple[str, ...]
    output: Path
    """What it writes to stdout (data)."""
    narration: Path
    """What it writes to stderr."""
    told: bool = False
    """Whether it was asked to stop."""

    @property
    def pid(self) -> int:
        """Its id."""
        return self.process if isinstance(self.process, int) else self.process.pid

    @property
    def code(self) -> int | None:
        """Its exit code (xlt.errors.Exit); None while it runs. Negative when a signal ended it."""
        if not isinstance(self.process, int):
            return self.process.poll()
        if at_work(self.process, self.output.with_suffix(_RECORD)):
            return None
        # Nobody but its parent hears the code; what it said last tells, too.
        if self.told:
            return Exit.INTERRUPTED
        return Exit.FAILED if self._last().startswith("xlt: ") else Exit.DONE

    def narrated(self) -> list[str]:
        """The lines of its narration so far."""
        return [line.rstrip() for line in _read(self.narration).splitlines() if line.strip()]

    def _last(self) -> str:
        return next(reversed(self.narrated()), "")

    def said(self) -> str:
        """Its last line of narration: when it failed, the sentence that says why."""
        return self._last().removeprefix("xlt: ")

    def printed(self) -> str:
        """What it wrote to stdout so far."""
        return _read(self.output)

    def stop(self) -> None:
        """Ask it to stop; what it has done is kept."""
        if self.code is None:
            self.told = True
            _tell(self.pid, signal.SIGINT)

    def end(self, patience: float = _GRACE) -> None:
        """Ask it to stop, wait until it has, and kill it when it does not."""
        self.stop()
        deadline = time.monotonic() + patience
        while self.code is None and time.monotonic() < deadline:
            time.sleep(_LOOK)
        if self.code is None:
            _tell(self.pid, signal.SIGKILL)
            while self.code is None:
                time.sleep(_LOOK)


def start(arguments: Sequence[str], workspace: Path, folder: Path | None = None) -> Started:
    """Run `xlt ARGUMENTS` from `folder` (by default the current one). Raises XltError when it can't be begun."""
    place = _place(workspace)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 1_000_000:06d}"
    output, narration = place / f"{name}.out", place / f"{name}.err"
    try:
        with output.open("wb") as out, narration.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "xlt", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env={**os.environ, "PYTHONUTF8": "1", "NO_COLOR": "1"},
                # A Ctrl-C in this terminal, and its closing, are none of its business.
                start_new_session=True,
            )
    except OSError as error:
        raise XltError(
            f"xlt {' '.join(arguments[:1])} can't be begun: {(error.strerror or str(error)).lower()}."
        ) from None
    with suppress(OSError):
        # Whoever is here next finds it.
        record = {"pid": process.pid, "arguments": list(arguments)}
        output.with_suffix(_RECORD).write_text(json.dumps(record), encoding="utf-8")
    return Started(process, tuple(arguments), output, narration)


def going(workspace: Path) -> list[Started]:
    """What earlier sessions began in a workspace and what still runs, the oldest first."""
    found = []
    for record in sorted((workspace / ".xlt" / "output").glob(f"*{_RECORD}")):
        try:
            about = json.loads(record.read_text(encoding="utf-8"))
            pid, arguments = int(about["pid"]), tuple(map(str, about["arguments"]))
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if at_work(pid, record):
            found.append(Started(pid, arguments, record.with_suffix(".out"), record.with_suffix(".err")))
    return found


def classify_corpus(
    workspace: Path,
    *,
    model: str | None = None,
    task: str | None = None,
    langs: Sequence[str] = (),
    where: str = "",
    limit: int | None = None,
) -> list[str]:
    """The arguments of `xlt` that classify the workspace's corpus."""
    arguments = ["classify", "corpus", "--workspace", str(workspace.resolve())]
    options = {
        "--model": model or "",
        "--task": task or "",
        "--langs": ",".join(langs),
        "--where": where.strip(),
        "--limit": "" if limit is None else str(limit),
    }
    for option, value in options.items():
        # In one word, so that a value that begins with a hyphen is no option.
        arguments += [f"{option}={value}"] if value else []
    return arguments


def resume(state: RunState, workspace: Path) -> Started:
    """Go on with a run that stopped. Raises XltError."""
    if not state.resumable:
        raise XltError(f"The run {state.id} can't be gone on with from here; give its xlt classify command again.")
    if not state.started_in.is_dir():
        raise XltError(f"The run {state.id} was begun in {state.started_in}, which is gone; give its command again.")
    return start(state.command, workspace, state.started_in)


def stop(pid: int) -> None:
    """Ask a process of `xlt classify`, whoever began it, to stop as Ctrl-C does; nothing happens when it has ended."""
    # A shell that begins it in the background has Ctrl-C ignored; this signal it hears all the same.
    _tell(pid, signal.SIGTERM)


def _tell(pid: int, sign: signal.Signals) -> None:
    if alive(pid):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        except OSError as error:
            raise XltError(f"Process {pid} can't be stopped: {(error.strerror or str(error)).lower()}.") from None


def _place(workspace: Path) -> Path:
    """Where output is kept, the newest few; the system's temporary folder when the workspace can't be written."""
    place = workspace / ".xlt" / "output"
    try:
        place.mkdir(parents=True, exist_ok=True)
        for old in sorted(place.iterdir())[: -3 * _KEPT]:
            old.unlink(missing_ok=True)
        return place
    except OSError:
        return Path(tempfile.mkdtemp(prefix="xlt-output-"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
