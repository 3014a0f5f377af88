"""Errors that are xlt's own fault: kept with everything that is known, and told in one sentence."""

from __future__ import annotations

import traceback
from pathlib import Path


def note(workspace: Path, error: Exception) -> str:
    """Write an error to the workspace's `.xlt/tui.log`; the sentence for the user."""
    path = workspace / ".xlt" / "tui.log"
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)) + "\n")
    except OSError:
        return f"A defect of xlt: {error!r}."
    return f"A defect of xlt: {type(error).__name__}: {error} (the details are in {path})."
