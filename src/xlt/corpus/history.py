"""The statements that were run in a workspace, the newest last: `.xlt/history.jsonl`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from xlt.disk import write_text
from xlt.errors import XltError

KEPT = 1000


@dataclass(frozen=True)
class Entry:
    """One statement that was run."""

    sql: str
    at: str
    """ISO 8601, local time with its zone."""
    seconds: float | None = None
    """None when it failed or was stopped."""
    rows: int | None = None
    error: str = ""


def remember(
    workspace: Path, sql: str, *, seconds: float | None = None, rows: int | None = None, error: str = ""
) -> None:
    """Add a statement; said again in a row, it stands there once. A workspace that can't be written keeps none."""
    entry = Entry(sql, datetime.now().astimezone().isoformat(timespec="seconds"), seconds, rows, error)
    path = _path(workspace)
    try:
        path.parent.mkdir(exist_ok=True)
        kept = entries(workspace)
        if kept and (kept[-1].sql == sql or len(kept) >= 2 * KEPT):
            kept = [*(kept[:-1] if kept[-1].sql == sql else kept), entry][-KEPT:]
            write_text(path, "".join(_line(each) for each in kept))
            return
        with path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))
    except (OSError, XltError):
        return


def entries(workspace: Path) -> list[Entry]:
    """What was run, the oldest first; a line that can't be read is left out."""
    try:
        lines = _path(workspace).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=True) + "\n"


def _path(workspace: Path) -> Path:
    return workspace / ".xlt" / "history.jsonl"
