"""What can go wrong for a reason that a user can mend: one sentence and an exit code."""

from __future__ import annotations

import re
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `xlt` command; scripts may rely on them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REJECTED_ROWS = 3
    INTERRUPTED = 130


class XltError(Exception):
    """One sentence for the user: what is wrong, where, and what to do next."""

    code = Exit.FAILED


class UsageError(XltError):
    """The command itself is wrong: an unknown name, a bad option, options that exclude each other."""

    code = Exit.USAGE


class Interrupted(XltError):
    """The user stopped the work; what was done is kept."""

    code = Exit.INTERRUPTED


def at_line(where: str, source: str, pattern: str, reason: str, nth: int = 0) -> XltError:
    """A refusal of a TOML file, with the nth line that sets a key or opens a table (line 1 when none does).

    `pattern` is a regular expression for the key, such as `re.escape("seed") + r"\b"`.
    """
    start = re.compile(rf"\s*(\[+\s*)?[\"']?(?:{pattern})")
    hits = [number for number, line in enumerate(source.splitlines(), start=1) if start.match(line)]
    return XltError(f"{where}, line {hits[min(nth, len(hits) - 1)] if hits else 1}: {reason}.")
