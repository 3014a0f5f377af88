"""A newcomer's first ten minutes, in a real terminal: `scripts/walk_tui.py` loses its way nowhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_a_newcomer_walks_to_the_end(repository: Path, tmp_path: Path) -> None:
    page = tmp_path / "walk.md"
    command = [sys.executable, str(repository / "scripts" / "walk_tui.py"), "--record", str(page)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = page.read_text(encoding="utf-8")
    assert told.count("```text") > 10
    assert str(tmp_path) not in told
