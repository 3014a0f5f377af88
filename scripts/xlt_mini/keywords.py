"""A list of migration words in the thirteen languages: the baseline that needs no model."""

from __future__ import annotations

import re
import unicodedata

# Beginnings of words; in Korean and Hindi, which attach or inflect otherwise, anywhere in a word.
_STEMS = """
migra immigra emigra asylum refugee deport border undocumented illegals xenophob
migrant einwander zuwander auswander flüchtling geflüchtet asyl abschieb ausländer grenze
inmigra refugiad asilo extranjer frontera indocumentad deporta
immigré réfugié asile sans-papiers étranger frontière expuls
profug rifugiat stranier immigrat clandestin sbarch
imigra refugiad estrangeir fronteira
uchodź imigrant migrac azyl cudzoziem obcokraj granic
bevándor menekült migráns migráció kivándor határ idegen
göçmen mülteci sığınmac göç sınır yabancı
imigran pengungsi suaka perbatasan deportasi migran
مهاجر لاجئ لاجئين هجرة الهجرة اللاجئين المهاجرين لجوء اللجوء ترحيل الحدود نازح
"""
_INSIDE = """
이민 난민 이주 망명 추방 외국인 국경 불법체류
प्रवासी शरणार्थी आप्रवास घुसपैठ शरण सीमा विदेशी पलायन
"""


def _pattern() -> re.Pattern[str]:
    starts = "|".join(sorted({re.escape(_plain(stem)) for stem in _STEMS.split()}))
    inside = "|".join(re.escape(_plain(stem)) for stem in _INSIDE.split())
    return re.compile(rf"(?<!\w)(?:{starts})|(?:{inside})")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


_PATTERN = _pattern()


def mentions_migration(text: str) -> bool:
    """Whether one of the words occurs."""
    return _PATTERN.search(_plain(text)) is not None
