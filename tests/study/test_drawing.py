"""Pictures hold every script: no empty boxes, no reversed words, and one look for all formats."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xlt.study import drawing
from xlt.study.drawing import missing, pyplot, save, stand_in_note

ARABIC, HEBREW, CHINESE, HINDI = "مؤيد للهجرة", "בעד הגירה", "支持移民", "आप्रवासन"


@pytest.fixture
def own_font_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without any font but matplotlib's."""
    monkeypatch.setattr(drawing, "_fonts_for", lambda letters: ())


def picture(words: list[str]) -> Any:
    figure, axes = pyplot().subplots(figsize=(3, 2))
    axes.set_title(words[0])
    axes.set_yticks(range(len(words)), words)
    axes.set_xticks([])
    return figure


def shown(path: Path) -> str:
    return "".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8")))


def test_letters_of_matplotlibs_own_font_are_not_missing() -> None:
    assert missing(f"{ARABIC} {HEBREW} ÄÖ Ελλ рус\u200d") == ""


@pytest.mark.usefixtures("own_font_alone")
def test_what_no_font_can_draw_gets_a_stand_in_and_svg_keeps_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, set[str]] = {}
    write = drawing._write

    def noting(figure: Any, output: Path, ending: str, box: Any, fonts: bool) -> None:
        write(figure, output, ending, box, fonts)
        axes = figure.axes[0]
        drawn[ending] = {axes.get_title(), *(label.get_text() for label in axes.get_yticklabels())}

    monkeypatch.setattr(drawing, "_write", noting)
    save(picture([CHINESE, ARABIC, "日x"]), tmp_path / "all", [ARABIC, CHINESE])
    assert {path.name for path in tmp_path.iterdir()} == {"all.svg", "all.pdf", "all.png"}
    assert {CHINESE, ARABIC, "日x"} <= drawn["svg"]
    assert drawn["png"] == drawn["pdf"] == {"class 2", ARABIC, "U+65E5 x"}
    for words in (CHINESE, ARABIC):
        assert words in shown(tmp_path / "all.svg")
    assert "DejaVu Sans', Verdana" in (tmp_path / "all.svg").read_text(encoding="utf-8")
    said = stand_in_note([ARABIC, CHINESE, HINDI])
    assert said is not None
    assert f"class 2 is {CHINESE}, class 3 is {HINDI}" in said
    assert stand_in_note([ARABIC]) is None


def test_arabic_and_hebrew_are_shaped_and_run_from_the_right(tmp_path: Path) -> None:
    """Joined letters are narrower than letters apart, and what comes first stands at the right."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    font.set_text(ARABIC.replace(" ", "\u200c "), 0)
    joined = font.get_width_height()[0]
    font.set_text("\u200c".join(ARABIC), 0)
    assert joined < 0.95 * font.get_width_height()[0]
    figure = pyplot().figure(figsize=(2, 1))
    figure.text(0.1, 0.4, "ו" + "ם" * 12)
    figure.savefig(tmp_path / "h.png", dpi=100)
    from PIL import Image

    ink = np.asarray(Image.open(tmp_path / "h.png").convert("L")) < 128
    columns = np.flatnonzero(ink.any(axis=0))
    # Vav is one stroke, final mem a closed square: less ink at the end where the word begins.
    first, last = ink[:, columns[0] : columns[0] + 8].sum(), ink[:, columns[-1] - 7 : columns[-1] + 1].sum()
    assert 0 < last < first


def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(picture(["one", "two"]), tmp_path / name)
    for ending in drawing.FORMATS:
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
