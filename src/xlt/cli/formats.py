"""What `--format` means: checked names, and JSON that other programs read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from xlt.errors import UsageError


def check_format(given: str, allowed: Sequence[str]) -> None:
    """Raise UsageError unless `given` is one of `allowed`."""
    if given not in allowed:
        raise UsageError(f"--format {given}: there are {', '.join(allowed)}.")


def print_json(content: object) -> None:
    """Print as JSON; paths become text."""
    print(
        json.dumps(
            content, indent=2, ensure_ascii=False, default=lambda each: str(each) if isinstance(each, Path) else each
        )
    )
