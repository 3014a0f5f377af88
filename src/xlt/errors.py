"""What can go wrong for a reason that a user can mend: one sentence and an exit code."""

from __future__ import annotations

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
