"""Files that are whole or not there: written aside, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xlt.errors import UsageError, XltError


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


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to fill, which becomes `path` when the block ends well and goes when it does not.

    Its name begins with a dot, so that nobody takes it for finished. Raises UsageError when `path` is there already,
    XltError when the disk refuses.
    """
    import psutil

    if path.exists():
        raise UsageError(f"{path} is there already; remove it or choose another name.")
    # What a killed process left.
    for left in path.parent.glob(f".{path.name}.*.part") if path.parent.is_dir() else ():
        owner = left.name.split(".")[-2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
        yield aside
        for written in aside.rglob("*"):
            if written.is_file():
                with written.open("rb+") as file:
                    os.fsync(file.fileno())
        aside.rename(path)
    except OSError as error:
        raise refused(path, error) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise XltError with both numbers when `folder`, which need not exist yet, has no room for `needed` bytes."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if needed > free:
        raise XltError(
            f"{what} takes {_amount(needed)} and {folder} has {_amount(free)} free; free some space or choose a folder "
            "on another disk."
        )


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def refused(path: Path, error: OSError) -> XltError:
    """What to say when the operating system refuses to write a file."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return XltError(f"{path} can't be written: the disk is full; free some space and run the same command again.")
    reason = (error.strerror or str(error)).lower()
    return XltError(f"{path} can't be written: {reason}; choose another place or mend that, and run it again.")
