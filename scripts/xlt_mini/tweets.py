"""Reads the tweets that xlt-mini is made from: `tweets/<lang>.tsv`, written for this project.

Columns: label (pro, anti, neutral, unrelated), group (a translation family such as `s017`, or empty),
country (ISO 3166-1 alpha-2, or empty), text (a line break is written `\\n`).
`python scripts/xlt_mini/tweets.py [lang ...]` checks the files and counts them.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "tweets"
LABELS = ("pro", "anti", "neutral", "unrelated")
LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "hu", "id", "it", "ko", "pl", "pt", "tr")
HEADER = ["label", "group", "country", "text"]
MAX_CHARS = 400
_FOREIGN_HANDLE = re.compile(r"@(?!user\b)\w+")
_FOREIGN_LINK = re.compile(r"https?://(?!example\.org\b)")


@dataclass(frozen=True)
class Tweet:
    """One of our own tweets; `line` is where it stands in its file."""

    lang: str
    label: str
    group: str
    country: str
    text: str
    line: int


def read(lang: str) -> list[Tweet]:
    """The tweets of one language. Raises ValueError naming file and line when a row breaks the rules."""
    path = FOLDER / f"{lang}.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].split("\t") != HEADER:
        raise ValueError(f"{path.name}, line 1: the header must be {HEADER}")
    found: list[Tweet] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != len(HEADER):
            raise ValueError(f"{path.name}, line {number}: {len(cells)} cells, not {len(HEADER)}")
        label, group, country, raw = (cell.strip() for cell in cells)
        text = unicodedata.normalize("NFC", raw.replace("\\n", "\n"))
        problem = _problem(label, group, country, text, seen)
        if problem:
            raise ValueError(f"{path.name}, line {number}: {problem}")
        seen[text.casefold()] = number
        found.append(Tweet(lang, label, group, country, text, number))
    return found


def _problem(label: str, group: str, country: str, text: str, seen: dict[str, int]) -> str | None:
    if label not in LABELS:
        return f"label {label!r} is none of {LABELS}"
    if group and not re.fullmatch(r"s\d{3}", group):
        return f"group {group!r} is not like s017"
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        return f"country {country!r} is not two capitals"
    if not text or len(text) > MAX_CHARS:
        return f"the text has {len(text)} characters; 1 to {MAX_CHARS} are allowed"
    if _FOREIGN_HANDLE.search(text):
        return "a handle other than @user"
    if _FOREIGN_LINK.search(text):
        return "a link that does not lead to example.org"
    if text.casefold() in seen:
        return f"the same text as in line {seen[text.casefold()]}"
    return None


def main(langs: list[str]) -> int:
    """Print counts for the given languages (all that exist when none is given); 1 when a file is wrong."""
    wrong = 0
    for lang in langs or [lang for lang in LANGUAGES if (FOLDER / f"{lang}.tsv").exists()]:
        try:
            tweets = read(lang)
        except (OSError, ValueError) as error:
            print(error)
            wrong = 1
            continue
        counts = Counter(tweet.label for tweet in tweets)
        shared = len({tweet.group for tweet in tweets if tweet.group})
        print(f"{lang}: {len(tweets)} tweets, {shared} shared,", ", ".join(f"{k} {counts[k]}" for k in LABELS))
    return wrong


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
