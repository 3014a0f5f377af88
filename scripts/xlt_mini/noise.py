"""Harmless changes to a tweet: what a small model must learn to look through."""

from __future__ import annotations

import random
import re
import unicodedata

_EDGE = re.compile(r"^(?:@user\s+)+|\s*http\s*$")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]+")


def vary(text: str, rng: random.Random) -> str:
    """The tweet with a few changes drawn at random; its label stays the same."""
    if rng.random() < 0.3:
        text = _EDGE.sub("", text) or text
    if rng.random() < 0.15:
        text = text.replace("#", "")
    if rng.random() < 0.1:
        text = _EMOJI.sub("", text) or text
    draw = rng.random()
    if draw < 0.12:
        text = text.lower()
    elif draw < 0.15:
        text = text.upper()
    if rng.random() < 0.12:
        text = _without_accents(text)
    words = text.split(" ")
    if len(words) > 6 and rng.random() < 0.15:
        kept = rng.randint(len(words) * 6 // 10, len(words))
        start = rng.randint(0, len(words) - kept)
        words = words[start : start + kept]
    if len(words) > 3 and rng.random() < 0.5:
        rate = rng.choice((0.05, 0.1, 0.2))
        words = [word for word in words if rng.random() >= rate] or words
    text = " ".join(words)
    if rng.random() < 0.2:
        text = _typo(text, rng)
    if rng.random() < 0.2:
        text = "@user " * rng.randint(1, 2) + text
    if rng.random() < 0.12:
        text += " http"
    return text.strip() or "…"


def _without_accents(text: str) -> str:
    """Latin letters without their marks, as people type in a hurry; other scripts stay."""
    out = []
    for char in text:
        bare = unicodedata.normalize("NFD", char)[0]
        out.append(bare if bare.isascii() else char)
    return "".join(out)


def _typo(text: str, rng: random.Random) -> str:
    """One or two letters dropped, doubled or swapped."""
    for _ in range(rng.randint(1, 2)):
        if len(text) < 4:
            return text
        at = rng.randrange(len(text) - 1)
        kind = rng.randrange(3)
        middle = ("", text[at] * 2 + text[at + 1], text[at + 1] + text[at])[kind]
        text = text[:at] + middle + text[at + 2 - (kind == 0) :]
    return text


def snippet(text: str, rng: random.Random) -> str:
    """A few words in a row out of the tweet."""
    words = text.split(" ")
    count = rng.randint(2, 12)
    start = rng.randint(0, max(0, len(words) - count))
    return " ".join(words[start : start + count]).strip() or "…"
