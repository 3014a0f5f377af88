"""Runs `xlt` in this process, through the same entry point as the console script."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from models import write_model


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on stderr: of a failed command the reason."""
        return self.err.strip().splitlines()[-1]


Xlt = Callable[..., Ran]


@pytest.fixture
def xlt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Xlt:
    """`xlt(*arguments)` in an empty folder."""
    from xlt.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["xlt", *arguments])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a tiny model with random weights."""
    return str(write_model(tmp_path_factory.mktemp("cli") / "tiny"))
