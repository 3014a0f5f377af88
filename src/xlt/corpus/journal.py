"""Labels that wait for the corpus, on the disk: what a killed process had not written yet is written later.

A line for each label, beside the corpus, in a file of the process that took it. Whoever reads labels from the corpus
calls `catch_up` first; what erases posts calls `take_in`.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from xlt.corpus import gate
from xlt.corpus.coding import Change, Coding, change, standing
from xlt.errors import XltError
from xlt.processes import at_work

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PATIENCE = 1.0
"""Seconds for which a command that only reads waits to write labels first."""


class Journal:
    """The labels that this process has taken for a corpus and not written yet."""

    def __init__(self, corpus: Path) -> None:
        self._corpus = corpus.resolve()
        self._path = self._file(str(os.getpid()))

    def _file(self, process: str) -> Path:
        return self._corpus.parent / ".xlt" / f"{self._corpus.stem}-labels-{process}.jsonl"

    def add(self, change: Change) -> None:
        """Note a label. It is there even when this process is killed at once. A disk that refuses is not an error:
        the corpus, which is what counts, lies on the same one."""
        line = {"coding": asdict(change.coding), "at": change.at.isoformat(), "taken_back": change.taken_back}
        for _ in range(2):
            # Twice: whoever closes the corpus takes an empty folder away.
            with suppress(OSError):
                self._path.parent.mkdir(exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                return

    def clear(self) -> None:
        """Everything is written."""
        self._path.unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[Path, list[Change]]]:
        """What processes that run no more have left, file by file; delete a file when its labels are safe."""
        for path in sorted(self._path.parent.glob(glob.escape(f"{self._corpus.stem}-labels-") + "*.jsonl")):
            process = path.stem.rpartition("-")[2]
            if process.isdecimal() and not at_work(int(process), path):
                yield path, _read(path)


def take_in(con: DuckDBPyConnection, corpus: Path) -> int:
    """Write the labels that killed processes have left into the open corpus; how many. Nobody else can write meanwhile,
    so that each is written once."""
    count = 0
    for path, changes in Journal(corpus).left():
        change(con, changes)
        path.unlink(missing_ok=True)
        count += standing(changes)
    return count


def catch_up(corpus: Path, patience: float = _PATIENCE) -> str | None:
    """Write what killed processes have left, before the labels of a corpus are read; a sentence when there is any.

    Never stops a command that can do without: when the corpus can't be written now, the sentence says what waits.
    """
    left = [changes for _, changes in Journal(corpus).left()]
    if not left or not corpus.exists():
        return None
    waiting = sum(map(standing, left))
    try:
        with gate.opened(corpus, write=True, patience=patience) as con:
            count = take_in(con, corpus)
    except XltError as error:
        return f"{_labels(waiting)} of a session that was cut short {'wait' if waiting > 1 else 'waits'} still: {error}"
    if not count:
        # What was left was taken back, or another command was quicker.
        return None
    return f"{_labels(count)} of a session that was cut short {'is' if count == 1 else 'are'} in the corpus now."


def _labels(count: int) -> str:
    return {0: "What was taken back", 1: "1 label"}.get(count, f"{count:,} labels")


def _read(path: Path) -> list[Change]:
    found = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        # Another process was quicker.
        return []
    for line in lines:
        try:
            row = json.loads(line)
            UUID(row["coding"]["text_key"])
            found.append(Change(Coding(**row["coding"]), datetime.fromisoformat(row["at"]), row["taken_back"]))
        except (ValueError, TypeError, KeyError):
            # The last line of a process that was killed while it wrote it.
            continue
    return found
