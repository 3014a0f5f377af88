"""Language codes as tweets carry them: ISO 639-1, the old codes that platforms still send, and English names."""

from __future__ import annotations

NAMES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gl": "Galician",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ml": "Malayalam",
    "mr": "Marathi",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Panjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovene",
    "sr": "Serbian",
    "sv": "Swedish",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
OLD_CODES = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro"}
UNDETERMINED = frozenset({"", "und", "zxx", "qme", "qht", "qam", "qct", "qst", "art"})


def canonical(code: str) -> str:
    """The ISO 639-1 code that a platform's tag means: `in` → `id`, `pt-BR` → `pt`, `qme` → `und`."""
    short = code.strip().lower().replace("_", "-").split("-", 1)[0]
    return "und" if short in UNDETERMINED else OLD_CODES.get(short, short)


def spellings(code: str) -> tuple[str, ...]:
    """Every tag without region that means this language, the canonical one first."""
    wanted = canonical(code)
    return (wanted, *(old for old, new in OLD_CODES.items() if new == wanted))


def name(code: str) -> str:
    """The English name, or the code itself when it is not in the table."""
    wanted = canonical(code)
    return "undetermined" if wanted == "und" else NAMES.get(wanted, code)
