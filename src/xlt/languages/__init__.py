"""Languages: codes and names (`codes`), and finding out which one a text is in (`detect`)."""

from __future__ import annotations

from xlt.languages.codes import NAMES, OLD_CODES, UNDETERMINED, canonical, name, spellings

__all__ = ["NAMES", "OLD_CODES", "UNDETERMINED", "canonical", "name", "spellings"]
