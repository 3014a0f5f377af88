"""What the app remembers of a workspace (`.xlt/tui.json`), and what the user set in `xlt.toml`.

[tui]
theme = "textual-light"

[tui.keys]
"posts.search" = "slash,ctrl+f"
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xlt.disk import write_json
from xlt.errors import UsageError, XltError

FILE = "xlt.toml"


@dataclass
class Settings:
    """Settings and last state of one workspace."""

    workspace: Path
    keys: dict[str, str] = field(default_factory=dict)
    """Action → keys, from xlt.toml."""
    theme: str | None = None
    """From xlt.toml; it wins over the theme that was last chosen."""
    state: dict[str, Any] = field(default_factory=dict)
    """What was last chosen, by screen."""

    def of(self, screen: str) -> dict[str, Any]:
        """The state of one screen; what is put into it is kept."""
        found = self.state.setdefault(screen, {})
        if not isinstance(found, dict):
            found = self.state[screen] = {}
        return found

    def save(self) -> None:
        """Keep the state. A workspace that can't be written to keeps none."""
        path = _state_path(self.workspace)
        try:
            path.parent.mkdir(exist_ok=True)
            write_json(path, self.state)
        except (OSError, XltError):
            return


def _state_path(workspace: Path) -> Path:
    return workspace / ".xlt" / "tui.json"


def load(workspace: Path, known: frozenset[str]) -> Settings:
    """The settings of a workspace. `known` are the actions. Raises UsageError for an xlt.toml that can't be meant."""
    found = Settings(workspace)
    try:
        state = json.loads(_state_path(workspace).read_text(encoding="utf-8"))
        found.state = state if isinstance(state, dict) else {}
    except (OSError, ValueError):
        found.state = {}
    path = workspace / FILE
    if not path.is_file():
        return found
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tui", {})
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}.") from None
    found.theme = table.get("theme")
    found.keys = {str(name): str(keys) for name, keys in table.get("keys", {}).items()}
    unknown = sorted(set(found.keys) - known)
    if unknown:
        raise UsageError(f"{path}: there is no action {unknown[0]} in [tui.keys]; `?` in xlt tui lists them all.")
    return found
