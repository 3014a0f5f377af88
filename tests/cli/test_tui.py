"""`xlt tui` before there is a screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Xlt


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs a terminal"),
        (("absent.duckdb",), "There is no corpus absent.duckdb"),
        (("--workspace", "absent"), "There is no folder absent"),
    ],
)
def test_what_can_not_be_opened_is_a_sentence(xlt: Xlt, arguments: tuple[str, ...], said: str) -> None:
    ran = xlt("tui", *arguments)
    assert ran.code == 2
    assert said in ran.sentence


def test_keys_are_listed_without_a_terminal(xlt: Xlt, tmp_path: Path) -> None:
    ran = xlt("tui", "--keys")
    assert ran.code == 0
    assert "posts.search" in ran.out
    assert "slash" in ran.out
