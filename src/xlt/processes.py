"""Names of running processes, for sentences that say who holds a file."""

from __future__ import annotations

from pathlib import Path

# Seconds between the system's clock of processes and that of files.
_CLOCKS_DIFFER = 2.0


def alive(pid: int) -> bool:
    """Whether a process with this id runs. One that has ended and whose parent has not looked yet does not."""
    return began(pid) is not None


def began(pid: int) -> float | None:
    """When the running process with this id began, in seconds of the epoch; None when there is none."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.AccessDenied:
        return 0.0
    except psutil.Error:
        return None


def at_work(pid: int, note: Path) -> bool:
    """Whether the process runs that wrote the file `note`; one that began after it was written has its id by chance."""
    since = began(pid)
    try:
        return since is not None and since <= note.stat().st_mtime + _CLOCKS_DIFFER
    except OSError:
        return False


def program_of(pid: int) -> str | None:
    """What a person would call the process: `xlt import`, `rsession`, `python3.11`; None when it can't be known."""
    import psutil

    try:
        process = psutil.Process(pid)
        arguments = process.cmdline()
        name = str(process.name())
    except psutil.Error:
        return None
    for position, argument in enumerate(arguments[:4]):
        if Path(argument).name in ("xlt", "xlt.exe") and (position == 0 or arguments[position - 1] != "-c"):
            verb = next((each for each in arguments[position + 1 :] if not each.startswith("-")), "")
            return f"xlt {verb}".strip()
    return name or None
