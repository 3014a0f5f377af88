"""Who codes, and how well they read each language: asked once, kept with the workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xlt.corpus.coding import CodedFrom
from xlt.languages import UNDETERMINED, name
from xlt.tui.choice import Choice, Line
from xlt.tui.words import one_line

if TYPE_CHECKING:
    from xlt.tui.app import XltApp

LEVELS = {
    "native": "native: grew up with it, or reads it as if",
    "fluent": "fluent: gets irony and slang",
    "basic": "basic: gets the gist",
    "none": "none: reads it in translation only",
}


class People:
    """What the workspace remembers of its coders. `state` is that of the screen Label; it may be damaged."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    @property
    def coder(self) -> str | None:
        """Who codes here."""
        found = self._state.get("coder")
        return found if isinstance(found, str) and found else None

    @coder.setter
    def coder(self, name: str) -> None:
        self._state["coder"] = name

    def _kept(self, what: str, coder: str) -> dict[str, Any]:
        for key in (what, coder):
            place = self._state if key == what else self._state[what]
            if not isinstance(place.get(key), dict):
                place[key] = {}
        found: dict[str, Any] = self._state[what][coder]
        return found

    def competence(self, coder: str, lang: str) -> str | None:
        """How well a coder reads a language; None when nobody said."""
        found = self._kept("competence", coder).get(lang)
        return found if found in LEVELS else None

    def set_competence(self, coder: str, lang: str, level: str) -> None:
        """Remember it. Who can't read a language codes it from a translation."""
        self._kept("competence", coder)[lang] = level
        if level == "none":
            self.set_coded_from(coder, lang, "translation")

    def coded_from(self, coder: str, lang: str) -> CodedFrom:
        """What a coder reads of a language, as last chosen."""
        return "translation" if self._kept("coded_from", coder).get(lang) == "translation" else "original"

    def set_coded_from(self, coder: str, lang: str, source: CodedFrom) -> None:
        """Remember it."""
        self._kept("coded_from", coder)[lang] = source


def is_known(lang: str) -> bool:
    """Whether it is a language at all that a post is in."""
    return lang not in UNDETERMINED


def ask_competence(app: XltApp, lang: str, now: str | None, then: Callable[[str | None], None]) -> None:
    """How well the coder reads a language; None when the coder does not say."""
    app.push_screen(Choice(f"How well do you read {name(lang)}?", list(LEVELS.items()), now), then)


def ask_coder(app: XltApp, known: Sequence[str], now: str | None, then: Callable[[str], None]) -> None:
    """Who codes; `then` is not called when nobody says."""

    def written(given: str | None) -> None:
        # Commas part coders on the command line.
        if given and (coder := one_line(given.replace(",", " "))):
            then(coder)

    def chosen(coder: str | None) -> None:
        if coder == "":
            app.push_screen(Line("Who codes? A name or initials; it stands with every label"), written)
        elif coder is not None:
            then(coder)

    there = sorted({*known, *([now] if now else [])})
    if there:
        app.push_screen(
            Choice("Who codes?", [*((each, one_line(each)) for each in there), ("", "somebody else …")], now), chosen
        )
    else:
        chosen("")
