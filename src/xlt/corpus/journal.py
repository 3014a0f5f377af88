"""Labels that wait for the corpus, on the disk: what a killed process had not written yet is written later.

A line for each label, beside the corpus, in a file of the process that took it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from xlt.corpus.coding import Change, Coding
from xlt.processes import alive


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
        for path in sorted(self._path.parent.glob(self._file("*").name)):
            process = path.stem.rpartition("-")[2]
            if process.isdecimal() and not alive(int(process)):
                yield path, _read(path)


def _read(path: Path) -> list[Change]:
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            found.append(Change(Coding(**row["coding"]), datetime.fromisoformat(row["at"]), row["taken_back"]))
        except (ValueError, TypeError, KeyError):
            # The last line of a process that was killed while it wrote it.
            continue
    return found
