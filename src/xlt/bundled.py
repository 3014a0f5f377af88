"""Finds the files that ship with xlt: built-in cards, xlt-mini, queries, the sample.

The wheel holds them in `xlt/_bundled`; an editable install reads them at the repository's root, because
hatchling force-includes nothing into editable installs.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def bundled(*parts: str) -> Path:
    """The path of a shipped file or folder, for example `bundled("models", "xlt-mini")`.

    The path is returned even when nothing is there, so that callers can name it in their message.
    """
    packed = PACKAGE / "_bundled"
    root = packed if packed.is_dir() else PACKAGE.parents[1]
    return root.joinpath(*parts)
