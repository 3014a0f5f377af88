"""Pictures of the screen, compared with those in `snapshots/`. SNAPSHOTS=new writes them anew: look at them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from tui.driven import Driven
from xlt.tui.themes import DARK, LIGHT

HERE = Path(__file__).parent / "snapshots"
WRITES_NEW = os.environ.get("SNAPSHOTS") == "new"
# No cursor blinks.
Input._toggle_cursor = lambda self: None  # type: ignore[method-assign]
TextArea._toggle_cursor_blink_visible = lambda self: None  # type: ignore[method-assign]


async def check(driven: Driven, name: str, *themes: str) -> None:
    """Compare the screen in these themes, or in both: `NAME-WIDTH-THEME.svg`."""
    # The one that is there first: changing it takes longest.
    for theme in sorted(themes or (DARK, LIGHT), key=lambda theme: theme != driven.app.theme):
        driven.app.theme = theme
        await driven.settled()
        _compare(driven, f"{name}-{driven.app.size.width}-{theme.removeprefix('xlt-')}")


async def check_dialog(driven: Driven, name: str) -> None:
    """Compare a dialog: dark in a small terminal, light in a large one."""
    await check(driven, name, DARK if driven.app.size.width < 100 else LIGHT)


def _compare(driven: Driven, name: str) -> None:
    # Textual numbers its styles by a hash of the content.
    found = re.sub(r"terminal-\d+", "terminal", driven.app.export_screenshot(simplify=True))
    # Nor the address of a font.
    found = re.sub(r"\s*@font-face \{.*?\n    \}", "", found, flags=re.DOTALL)
    path = HERE / f"{name}.svg"
    if WRITES_NEW:
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), f"there is no {path}; SNAPSHOTS=new makes it"
    aside = path.with_suffix(".found.svg")
    if found != path.read_text(encoding="utf-8"):
        aside.write_text(found, encoding="utf-8")
        pytest.fail(f"{aside} is not {path}: look at both")
    aside.unlink(missing_ok=True)
