"""What every picture shares: formats, lines that differ without colour, and letters of all scripts.

matplotlib shapes Arabic, Hebrew and Devanagari and turns lines the right way from 3.11 on. Its own font, DejaVu Sans,
has no Chinese, Japanese, Korean or Devanagari letters, so an installed font that has them is looked for. Where there is
none, SVG (whose text stays text) is left to the reader's fonts, and PDF and PNG show a stand-in, never empty boxes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from xlt.errors import XltError

FORMATS = ("svg", "pdf", "png")
# Told apart by colour-blind eyes (Okabe and Ito 2008), and by their markers.
LINES = (("#0072b2", "o"), ("#e69f00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#56b4e9", "v"), ("#d55e00", "P"))
GREY = "#5b6472"
_OWN = "DejaVu Sans"
# A browser without DejaVu Sans would take a font with serifs.
_ON_SCREEN = "'DejaVu Sans', Verdana, 'Noto Sans', Arial, sans-serif"


def pyplot() -> Any:
    """matplotlib without a screen; raises XltError where it is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise XltError("Plots need matplotlib: pip install 'xlt[science]'.") from None
    mpl.use("Agg")
    # The same bytes for the same data: no date, ids from a fixed salt. Text stays text.
    mpl.rcParams.update({"svg.hashsalt": "xlt", "svg.fonttype": "none", "font.family": [_OWN]})
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, output: Path) -> None:
    """Write the figure in the format of its name's ending, whole or not at all. Raises XltError."""
    import matplotlib as mpl

    from xlt.disk import write_whole

    ending = output.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise XltError(f"{output}: a picture must end in {', '.join('.' + each for each in FORMATS)}.")
    others = _choose_fonts(figure, stand_ins=ending != "svg")
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
    # Journals ask for Type 42, but matplotlib leaves out the letters of fonts with PostScript outlines in it.

    def write(aside: Path) -> None:
        figure.savefig(aside, format=ending, dpi=200, bbox_inches="tight", metadata=stamp)
        if ending == "svg":
            text = aside.read_text(encoding="utf-8")
            aside.write_text(text.replace(f"'{_OWN}'", _ON_SCREEN), encoding="utf-8")

    with mpl.rc_context({"pdf.fonttype": 3 if others else 42}):
        write_whole(output, write)
    pyplot().close(figure)


def missing(text: str) -> str:
    """The letters of `text` that no installed font can draw."""
    letters = _beyond_own(text)
    for font in _fonts_for(letters):
        letters -= _letters_of(font)
    return "".join(sorted(letters))


def stand_in(text: str, number: int, output: Path) -> str:
    """`text` as it is shown in a picture, `class NUMBER` where the picture needs letters that no font here has."""
    return f"class {number}" if output.suffix.lower() != ".svg" and missing(text) else text


def tidy(axes: Any) -> None:
    """Without a frame above and at the right, and with small numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def key_above(axes: Any, columns: int = 4) -> None:
    """The legend above the picture, at its left."""
    axes.legend(frameon=False, fontsize=8, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1.0))


def _choose_fonts(figure: Any, *, stand_ins: bool) -> bool:
    """Give every text fonts that have its letters; whether any but matplotlib's own is needed."""
    from matplotlib.text import Text

    others = False
    for text in figure.findobj(Text):
        words = text.get_text()
        if not words or words.isascii():
            continue
        if stand_ins and (unknown := missing(words)):
            text.set_text("".join(f"U+{ord(each):04X} " if each in unknown else each for each in words).strip())
        if families := [_family(font) for font in _fonts_for(_beyond_own(words))]:
            others = True
            text.set_fontfamily([_OWN, *families])
    return others


def _beyond_own(text: str) -> frozenset[str]:
    """The visible letters that DejaVu Sans has not."""
    return frozenset(each for each in text if each.isprintable() and not each.isspace()) - _letters_of(None)


@cache
def _fonts_for(letters: frozenset[str]) -> tuple[str, ...]:
    """Files of installed fonts that draw these letters together, upright ones without serifs first."""
    if not letters:
        return ()
    wanted = letters
    from matplotlib import font_manager

    entries = [each for each in font_manager.fontManager.ttflist if each.style == "normal" and "Last" not in each.name]
    entries.sort(key=lambda each: ("Serif" in each.name, "Mono" in each.name, each.weight != 400, each.name))
    chosen: list[str] = []
    for file in dict.fromkeys(each.fname for each in entries):
        found = wanted & _letters_of(file)
        if found:
            chosen.append(file)
            wanted -= found
        if not wanted:
            break
    return tuple(chosen)


@cache
def _letters_of(font: str | None) -> frozenset[str]:
    """The letters of a font's file, or of matplotlib's own; none of one that can't be read."""
    from matplotlib import font_manager

    try:
        file = font_manager.findfont(_OWN) if font is None else font
        return frozenset(map(chr, font_manager.get_font(file).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _family(font: str) -> str:
    from matplotlib import font_manager

    return str(font_manager.get_font(font).family_name)
