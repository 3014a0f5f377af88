"""What every picture shares: formats, lines that differ without colour, and letters of all scripts.

matplotlib shapes Arabic, Hebrew and Devanagari and turns lines the right way from 3.11 on. Its own font, DejaVu Sans,
has no Chinese, Japanese, Korean or Devanagari letters, so an installed font that has them is looked for. Where there is
none, SVG (whose text stays text) is left to the reader's fonts, and PDF and PNG show a stand-in, never empty boxes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
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
    # What no font can draw is replaced before it is drawn.
    warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
    # The same bytes for the same data: no date, ids from a fixed salt. Text stays text.
    mpl.rcParams.update({"svg.hashsalt": "xlt", "svg.fonttype": "none", "font.family": [_OWN]})
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, output: Path, classes: Sequence[str] = ()) -> None:
    """Write the figure in the format of its name's ending, or without an ending in all, whole or not at all.

    `classes` are names in the figure that become `class 1`, `class 2` … where no font here has their letters. Raises
    XltError.
    """
    ending = output.suffix.lower().removeprefix(".")
    if ending and ending not in FORMATS:
        raise XltError(f"{output}: a picture must end in {', '.join('.' + each for each in FORMATS)}.")
    fonts = _choose_fonts(figure)
    box = None
    # SVG first: its text stays as it is, and what follows may have to change it.
    for each in [ending] if ending else FORMATS:
        changed = each != "svg" and _replace(figure, classes)
        if box is None or changed:
            figure.draw_without_rendering()
            box = figure.get_tightbbox().padded(0.1)
        _write(figure, output if ending else output.with_suffix(f".{each}"), each, box, fonts)
    pyplot().close(figure)


def _write(figure: Any, output: Path, ending: str, box: Any, fonts: bool) -> None:
    import matplotlib as mpl

    from xlt.disk import write_whole

    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})

    def write(aside: Path) -> None:
        figure.savefig(aside, format=ending, dpi=200, bbox_inches=box, metadata=stamp)
        if ending == "svg":
            text = aside.read_text(encoding="utf-8")
            aside.write_text(text.replace(f"'{_OWN}'", _ON_SCREEN), encoding="utf-8")

    # Journals ask for Type 42, but matplotlib leaves out the letters of fonts with PostScript outlines in it.
    with mpl.rc_context({"pdf.fonttype": 3 if fonts else 42}):
        write_whole(output, write)


def missing(text: str) -> str:
    """The letters of `text` that no installed font can draw."""
    if text.isascii():
        return ""
    letters = _beyond_own(text)
    for font in _fonts_for(letters):
        letters -= _letters_of(font)
    return "".join(sorted(letters))


def stand_in_note(classes: Sequence[str]) -> str | None:
    """Which classes `save` shows by their number, where no font here has their letters; None where it shows all."""
    unknown = [f"class {number} is {each}" for number, each in enumerate(classes, start=1) if missing(each)]
    if not unknown:
        return None
    return (
        f"In the PDF and PNG figures {', '.join(unknown)}: no font on this machine has the letters. Install one that "
        "has them, such as Noto Sans CJK, and make the report again."
    )


def tidy(axes: Any) -> None:
    """Without a frame above and at the right, and with small numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def key_above(axes: Any, columns: int = 4) -> None:
    """The legend above the picture, at its left."""
    axes.legend(frameon=False, fontsize=8, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1.0))


def _choose_fonts(figure: Any) -> bool:
    """Give every text fonts that have its letters; whether any but matplotlib's own is needed."""
    from matplotlib.text import Text

    others = False
    for text in figure.findobj(Text):
        if families := [_family(font) for font in _fonts_for(_beyond_own(text.get_text()))]:
            others = True
            text.set_fontfamily([_OWN, *families])
    return others


def _replace(figure: Any, classes: Sequence[str]) -> bool:
    """Put stand-ins for names, and the numbers of letters, where no font has the letters; whether there were any."""
    from matplotlib.text import Text
    from matplotlib.ticker import FixedLocator

    def spelt(words: str) -> str:
        if not (unknown := missing(words)):
            return words
        if words in classes:
            return f"class {classes.index(words) + 1}"
        return "".join(f"U+{ord(each):04X} " if each in unknown else each for each in words).strip()

    changed = False
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        # Ticks take their words anew from the formatter when they are drawn.
        if isinstance(axis.get_major_locator(), FixedLocator):
            shown = [label.get_text() for label in axis.get_ticklabels()]
            if any(map(missing, shown)):
                axis.set_ticklabels([spelt(words) for words in shown])
                changed = True
    for text in figure.findobj(Text):
        if missing(text.get_text()):
            text.set_text(spelt(text.get_text()))
            changed = True
    return changed


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
