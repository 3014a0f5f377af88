"""Finds the language of tweets, offline. The library and the defaults were chosen by docs/languages.md."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from xlt.errors import UsageError
from xlt.languages.codes import NAMES, canonical
from xlt.languages.hindi import CONFIDENCE, is_romanised
from xlt.languages.scripts import LATIN, has_letters, script_of, scripts_of

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNDETERMINED = ("und", 0.0)
# The library tells these apart; here they are varieties of one language of the table.
_VARIETIES = {"arz": "ar", "ary": "ar", "yue": "zh", "wuu": "zh", "nn": "no"}
_NOISE = re.compile(r"^RT\b:?|\bhttps?:\S+|\bwww\.\S+|(?<![\w.@/])@\w{1,30}:?|&\w+;|#", re.IGNORECASE)


def detect(texts: Iterable[str], candidates: Sequence[str] | None = None) -> list[tuple[str, float]]:
    """The language of each text and how sure that is, as (ISO 639-1 code, probability among the candidates).

    `candidates` are the only codes that may come out; by default all of `xlt.languages.NAMES`. Texts without letters,
    or in a script that no candidate is written in, are `("und", 0.0)`. Raises UsageError for an unknown candidate.
    """
    detector = _restricted(check_candidates(candidates))
    return [detector.one(text) for text in texts]


def check_candidates(candidates: Sequence[str] | None) -> tuple[str, ...]:
    """Canonical codes of the candidates, each once, sorted. Raises UsageError for one that can't be detected."""
    if candidates is None:
        return tuple(NAMES)
    codes = tuple(sorted({canonical(code) for code in candidates}))
    unknown = [code for code in codes if code not in NAMES]
    if unknown or not codes:
        wrong = f"{', '.join(unknown)}: no such language" if unknown else "no language is given"
        raise UsageError(f"--candidates: {wrong}; there are {', '.join(NAMES)}.")
    return codes


def words_of(text: str) -> str:
    """The text without what says nothing of its language: links, handles, the signs `#` and `RT`, HTML entities."""
    return _NOISE.sub(" ", text).replace("\n", " ").strip()


@dataclass(frozen=True)
class _Detector:
    """The library, restricted to some languages."""

    codes: frozenset[str]
    scripts: frozenset[str]
    identifier: LanguageIdentifier
    nothing: frozenset[float]
    """The best probabilities of a text in which the library finds nothing it knows: all columns alike."""

    def one(self, text: str) -> tuple[str, float]:
        words = words_of(text)
        if not has_letters(words):
            return UNDETERMINED
        script = script_of(words)
        if script == LATIN and "hi" in self.codes and is_romanised(words):
            return "hi", CONFIDENCE
        if script not in self.scripts:
            return UNDETERMINED
        found, confidence = self.identifier.classify(words.encode("utf-8", "replace"))
        if confidence in self.nothing:
            return UNDETERMINED
        return _VARIETIES.get(found, found), float(confidence)


@lru_cache(maxsize=1)
def _library() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache(maxsize=8)
def _restricted(codes: tuple[str, ...]) -> _Detector:
    import numpy as np

    # A shallow copy: to restrict the library's own identifier would restrict everybody's.
    identifier = copy.copy(_library())
    identifier.set_languages([*codes, *(variety for variety, code in _VARIETIES.items() if code in codes)])
    even = float(np.float32(1) / np.float32(len(identifier.nb_classes)))
    # Serbian has a column for each script.
    nothing = {even, 2 * even} if "sr" in codes else {even}
    scripts = frozenset(script for code in codes for script in scripts_of(code))
    return _Detector(frozenset(codes), scripts, identifier, frozenset(nothing - {1.0}))
