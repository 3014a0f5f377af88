"""Files that are whole or not there: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xlt.errors import XltError


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path`, then rename it to `path`. Raises XltError when the disk refuses."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(aside)
        with aside.open("rb+") as written:
            os.fsync(written.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise refused(path, error) from None
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""

    def write(aside: Path) -> None:
        aside.write_bytes(content)

    write_whole(path, write)


def write_text(path: Path, content: str) -> None:
    """Write a text file in UTF-8 with the line ends that it has, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def refused(path: Path, error: OSError) -> XltError:
    """What to say when the operating system refuses to write a file."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return XltError(f"{path} can't be written: the disk is full; free some space and run the same command again.")
    reason = (error.strerror or str(error)).lower()
    return XltError(f"{path} can't be written: {reason}; choose another place or mend that, and run it again.")
