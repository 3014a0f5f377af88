"""Texts of strangers on a screen: harmless, on one line or on many, in the cells that they take."""

from __future__ import annotations

import re

from rich.style import Style
from rich.text import Text

# Control characters, those that reorder what follows them, and halves of characters. Joiners stay: scripts need them.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def harmless(text: str) -> str:
    """The text without what could move the cursor, ring a bell or turn the line around; line breaks stay."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "  "))


def one_line(text: str) -> str:
    """The text on one line."""
    return harmless(_SPACE.sub(" ", text)).strip()


def marked(text: str, words: str | None, style: Style) -> Text:
    """The text with every place that holds `words`, in any case, in a style of its own."""
    found = Text(text, no_wrap=True)
    if words:
        for match in re.finditer(re.escape(words), text, re.IGNORECASE):
            found.stylize(style, *match.span())
    return found
