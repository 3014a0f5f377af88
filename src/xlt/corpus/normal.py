"""Tells in SQL which texts a task's normalisation leaves as they are, so that Python need not look at them.

A text counts as normal only when it consists of characters that are listed here; any other goes to Python, where the
normalisation is defined. So this can be slow for a rare script, but never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from xlt.corpus.duck import text
from xlt.tasks.spec import Normalisation

# Characters that NFC neither changes nor joins to the one before, and that it never puts into another order (but for
# the Devanagari virama they are no combining marks). No blanks beyond ASCII's; not "@". Unicode keeps them so for ever.
_LETTERS = (
    "0-9A-Z_a-z\u00aa\u00b2\u00b3\u00b5\u00b9\u00ba\u00bc-\u00be\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017e\u0180-\u02af"
    "\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u0481\u048a-\u052f\u05d0-\u05ea\u0620-\u064a"
    "\u0660-\u0669\u0671-\u06d3\u06d5\u06f0-\u06fc\u0904-\u0939\u093d\u0950\u0966-\u096f\u0971-\u097f\u1e00-\u1e99\u1e9e\u1ea0-\u1ef9"
    "\u2776-\u2793\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe\u4e00-\u9fef\uac00-\ud7a3\U0001d400-\U0001d454"
)
_SIGNS = (
    "!-/:-?\\[-^`{-~\u00a1-\u00a9\u00ab-\u00ad\u00af-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u060c\u061b\u061f"
    "\u066a-\u066d\u06d4\u0900-\u0903\u093e-\u094d\u0964\u0965\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060\u20a0-\u20bf"
    "\u2190-\u2328\u232b-\u245f\u2500-\u2775\u2794-\u2adb\u2b00-\u2bff\u3001-\u3004\u3008-\u3020\ufe0f\uff01-\uff0f"
    "\U0001f000-\U0001f0ff\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff"
)
_BLANKS = "\\n\\t "


def untouched(normalise: Callable[[str], str], column: str = "text") -> str:
    """SQL that is true only for texts which `normalise` gives back as they are; false for all when it is no task's."""
    if not isinstance(normalise, Normalisation):
        return "false"
    sign, unit = _LETTERS + _SIGNS, []
    handles = normalise.handles
    if handles is None:
        sign += "@"
    elif re.fullmatch(r"@[a-z]{1,30}", handles):
        # What an import has masked already: the mask itself, and then no letter with which it would be another handle.
        unit.append(f"{handles}(?:[{_SIGNS}{_BLANKS}]|$)")
    unit.append(f"[{sign}{_BLANKS}]")
    normal = f"regexp_full_match({column}, {text('(?:' + '|'.join(unit) + ')+')})"
    if normalise.strip:
        ends = ", ".join(text(each) for each in "\n\t ")
        normal += f" AND left({column}, 1) NOT IN ({ends}) AND right({column}, 1) NOT IN ({ends})"
    if normalise.links is not None:
        normal += f" AND NOT contains({column}, '://') AND NOT contains(lower({column}), 'www.')"
    return f"({normal})"
