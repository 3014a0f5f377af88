"""Which script a text is written in, as ISO 15924 codes, and which languages use it."""

from __future__ import annotations

import re

LATIN = "Latn"
_RANGES = {
    "Latn": "A-Za-zªºÀ-ÖØ-öø-ɏḀ-ỿＡ-Ｚａ-ｚ",
    "Grek": "Ͱ-Ͽἀ-῿",
    "Cyrl": "Ѐ-ԯ",
    "Armn": "԰-֏",
    "Hebr": "֐-׿",
    "Arab": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufeff",
    "Deva": "\u0900-\u097f",
    "Beng": "\u0980-\u09ff",
    "Guru": "\u0a00-\u0a7f",
    "Gujr": "\u0a80-\u0aff",
    "Taml": "\u0b80-\u0bff",
    "Telu": "\u0c00-\u0c7f",
    "Mlym": "\u0d00-\u0d7f",
    "Thai": "\u0e00-\u0e7f",
    "Geor": "\u10a0-\u10ff",
    "Kore": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "Kana": "\u3040-\u30ff\uff66-\uff9d",
    "Hani": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f",
}
_LETTERS = {script: re.compile(f"[{spans}]") for script, spans in _RANGES.items()}
_ANY_LETTER = re.compile(r"[^\W\d_]")
_OTHER_THAN_LATIN: dict[str, tuple[str, ...]] = {
    "ar": ("Arab",),
    "bg": ("Cyrl",),
    "bn": ("Beng",),
    "el": ("Grek",),
    "fa": ("Arab",),
    "gu": ("Gujr",),
    "he": ("Hebr",),
    "hi": ("Deva",),
    "hy": ("Armn",),
    "ja": ("Kana", "Hani"),
    "ka": ("Geor",),
    "ko": ("Kore", "Hani"),
    "ml": ("Mlym",),
    "mr": ("Deva",),
    "ne": ("Deva",),
    "pa": ("Guru", "Arab"),
    "ru": ("Cyrl",),
    "sr": ("Cyrl", "Latn"),
    "ta": ("Taml",),
    "te": ("Telu",),
    "th": ("Thai",),
    "uk": ("Cyrl",),
    "ur": ("Arab",),
    "zh": ("Hani",),
}


def scripts_of(code: str) -> tuple[str, ...]:
    """The scripts that a language of `NAMES` is written in; Latin unless the table says another."""
    return _OTHER_THAN_LATIN.get(code, (LATIN,))


def has_letters(text: str) -> bool:
    """Whether any character is a letter."""
    return _ANY_LETTER.search(text) is not None


def script_of(text: str) -> str | None:
    """The script that most letters of the text are in; None without a letter of a script in the table."""
    if text.isascii():
        return LATIN if _LETTERS[LATIN].search(text) else None
    counts = {script: len(letters.findall(text)) for script, letters in _LETTERS.items()}
    most = max(counts, key=lambda script: counts[script])
    return most if counts[most] else None
