"""Two quiet themes. Colour means stance and nothing else, so everything else is a shade of grey."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

DARK, LIGHT = "xlt-dark", "xlt-light"

THEMES = (
    Theme(
        name=DARK,
        primary="#9aa0a8",
        secondary="#7d838c",
        accent="#c3c8cf",
        warning="#c3c8cf",
        error="#e6e8eb",
        success="#c3c8cf",
        foreground="#d7dae0",
        background="#15171a",
        surface="#1b1e22",
        panel="#272b31",
        dark=True,
    ),
    Theme(
        name=LIGHT,
        primary="#5b6068",
        secondary="#7d838c",
        accent="#3c4148",
        warning="#3c4148",
        error="#1b1e22",
        success="#3c4148",
        foreground="#202327",
        background="#fbfbfa",
        surface="#f1f1ef",
        panel="#e1e2e0",
        dark=False,
    ),
)


def default_theme(environment: Mapping[str, str]) -> str:
    """The theme that fits the terminal, as far as it says what its background is (COLORFGBG)."""
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT if background in ("7", "15") else DARK
