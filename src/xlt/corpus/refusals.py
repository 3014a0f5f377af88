"""Why DuckDB does not open or read a corpus file, as sentences."""

from __future__ import annotations

import re
from pathlib import Path

from xlt.corpus import duck
from xlt.errors import XltError
from xlt.processes import program_of

_HOLDER = re.compile(r"(?:held|open) in\s+(?:(?P<program>[^\n]*?)\s)?\(?PID (?P<pid>\d+)\)?", re.DOTALL)


class CorpusLockedError(XltError):
    """Another process (or another job of this one) has the corpus open."""


def refused(path: Path, error: Exception) -> XltError:
    """Why DuckDB did not open the file."""
    message = str(error)
    here = "different configuration" in message or "already attached" in message
    if here or "lock" in message or "already open in" in message:
        holder = _HOLDER.search(message)
        if holder:
            pid = int(holder["pid"])
            program = program_of(pid) or Path((holder["program"] or "").strip()).name or "another program"
            return CorpusLockedError(
                f"The corpus {path} is in use by {program} (process {pid}); close it there, or try again when it is "
                "done."
            )
        if here or "Conflicting" in message:
            return CorpusLockedError(
                f"The corpus {path} is in use by another program; close it there, or try again when it is done."
            )
        return XltError(
            f"The corpus {path} can't be locked: {duck.sentence(error)}; its drive may know no locks (a network "
            "drive), so move the workspace to a local disk."
        )
    if "version number" in message:
        return XltError(f"The corpus {path} was written by a newer DuckDB than this one; update xlt to open it.")
    if "not a valid DuckDB database" in message or "extension" in message:
        return XltError(f"{path} is no DuckDB file, or was cut short at its very beginning; restore it from a copy.")
    if "ermission denied" in message or "Read-only file system" in message:
        return XltError(f"The corpus {path} can't be opened: permission denied; change the rights of file and folder.")
    return damage(path, error) or duck.failed(f"The corpus {path} can't be opened", error, "restore it from a copy")


def damage(path: Path, error: BaseException) -> XltError | None:
    """A sentence for a file that is not whole or a disk that is full; None for every other error."""
    message = str(error)
    if any(sign in message for sign in ("read enough bytes", "Corrupt", "orrupted", "checksum")):
        return XltError(
            f"The corpus {path} is damaged, perhaps cut short by a full disk; restore it from a copy, or move it away, "
            "import the files again and run xlt runs merge."
        )
    if "No space left" in message or "File too large" in message:
        return XltError(f"The corpus {path} can't be written: the disk is full; free some space and try again.")
    return None
