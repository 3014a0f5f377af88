"""Pictures of the screens, compared with those in `snapshots/`. SNAPSHOTS=new writes them anew: look at them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tui.driven import Driven, drive
from xlt.tui.themes import DARK, LIGHT

HERE = Path(__file__).parent / "snapshots"
WRITES_NEW = os.environ.get("SNAPSHOTS") == "new"


async def check(driven: Driven, name: str) -> None:
    # Without the names of the screens, of which there will be more.
    driven.screen.query("TabName").set(display=False)
    await driven.settled()
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


@pytest.mark.parametrize(("size", "theme"), [((80, 24), DARK), ((120, 36), LIGHT)])
def test_breakdown_and_posts(sample: Path, size: tuple[int, int], theme: str) -> None:
    async def script(driven: Driven) -> None:
        driven.app.theme = theme
        await driven.settled()
        await check(driven, f"breakdown-{size[0]}-{theme}")
        await driven.press("right", "enter")
        await check(driven, f"posts-{size[0]}-{theme}")

    drive(sample, script, size)
