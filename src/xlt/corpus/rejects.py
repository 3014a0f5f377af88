"""Rows that could not be used: where they stand and why, one line of JSON each."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Reject:
    """A row that could not be used: which file, which line or record (from 1), and why."""

    file: str
    line: int
    reason: str
    text: str = ""

    def as_json(self) -> str:
        """One line of a rejects file."""
        return json.dumps(self.__dict__, ensure_ascii=False)
