"""Where xlt remembers what it measured and hashed on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder; it need not exist yet. `XLT_CACHE` overrides it."""
    if given := os.environ.get("XLT_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xlt"
