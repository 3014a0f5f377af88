"""Help: quick, complete, and with an example for every command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from cli.conftest import Xlt
from xlt.cli.app import app

HEAVY = ("torch", "transformers", "mlx", "mlx_lm", "textual", "duckdb", "pyarrow", "numpy", "tokenizers", "peft")


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(get_command(app)))


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["xlt", "--help"]
from xlt.cli import main
try:
    main()
except SystemExit as left:
    assert not left.code
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"
    assert "classify" in ended.stdout


def test_there_are_commands() -> None:
    assert {("classify",), ("demo",), ("doctor",), ("models", "list"), ("tasks", "show")} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_an_example_and_documented_options(path: tuple[str, ...], xlt: Xlt) -> None:
    ran = xlt(*path, "--help")
    assert ran.code == 0
    command = COMMANDS[path]
    assert f"xlt {' '.join(path)}" in command.help.partition("Example:")[2]  # type: ignore[attr-defined]
    for parameter in command.params:  # type: ignore[attr-defined]
        if parameter.name != "help":
            assert parameter.help, f"{path}: {parameter.name} has no help"
            # Typer takes small letters in square brackets for markup, and swallows them.
            assert not re.search(r"\[[a-z/]", parameter.help), f"{path}: {parameter.name}: {parameter.help}"


def test_version_and_unknown_things(xlt: Xlt) -> None:
    assert xlt("--version").out.startswith("xlt 0.")
    assert xlt("clasify").code == 2
    assert xlt("classify", "x.csv", "--no-such-option").code == 2
    assert xlt().code == 2


def test_completion_is_offered() -> None:
    assert isinstance(app, typer.Typer)
    # Named, since a test may run where no shell is among its parents.
    named = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-m", "xlt", "--show-completion", "bash"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=named)
    assert "complete" in ended.stdout
