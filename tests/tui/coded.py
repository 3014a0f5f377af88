"""A corpus with a draw to code, and what has been coded of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from filled import ANTI, NEUTRAL, PRO, UNRELATED, Post, fill
from tui.driven import Driven
from xlt.corpus import gate
from xlt.corpus.coding import Coding, Item, code, items
from xlt.corpus.drawing import Ask, make_draw
from xlt.corpus.draws import Draw, find_draw
from xlt.corpus.store import corpus_path
from xlt.tui.label.coding import CodingScreen

LABELS = (PRO, ANTI, NEUTRAL, UNRELATED)
POSTS = [
    *(Post(f"e{at}", f"english text {at}", LABELS[at % 4], "en", "en") for at in range(8)),
    *(Post(f"d{at}", f"deutscher Text {at}", LABELS[at % 4], "de", "de") for at in range(4)),
]
ASK = Ask("immigration", "estimate", 12)


def drawn(workspace: Path, posts: list[Post] = POSTS, ask: Ask = ASK, **more: Any) -> Draw:
    """A workspace with these posts, a run, and a draw."""
    corpus = fill(workspace, posts)
    with gate.opened(corpus, write=True) as con:
        return make_draw(con, replace(ask, **more))


def say(workspace: Path, draw: Draw, *voices: tuple[int, str | None, str]) -> None:
    """Labels as (position, label, coder)."""
    with gate.opened(corpus_path(workspace), write=True) as con:
        keys = {each.position: each.text_key for each in items(con, draw)}
        code(con, [Coding(keys[at], draw.task, label, coder, draw.id) for at, label, coder in voices])


def gold(workspace: Path) -> list[dict[str, Any]]:
    """Every gold row, the oldest first, each with its text."""
    with gate.opened(corpus_path(workspace)) as con:
        found = con.execute(
            "SELECT g.*, t.text FROM gold g LEFT JOIN (SELECT text_key, any_value(text) AS text FROM tweets "
            "GROUP BY text_key) t USING (text_key) ORDER BY coded_at"
        )
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def order(workspace: Path) -> list[Item]:
    """The texts in the order in which they are to be coded."""
    with gate.opened(corpus_path(workspace)) as con:
        return items(con, find_draw(con, None))


def coding(driven: Driven) -> CodingScreen:
    """The screen on which a coder codes."""
    assert isinstance(driven.screen, CodingScreen)
    return driven.screen


async def written(driven: Driven) -> None:
    """Wait until every label is in the corpus."""
    await driven.until(lambda: driven.app.labels is None or not driven.app.labels.waiting)
    await driven.settled()


async def begin(driven: Driven, coder: str = "ada") -> None:
    """From any screen into coding, as somebody who reads every language as their own."""
    driven.app.settings.of("label")["coder"] = coder
    langs = {"en": "native", "de": "native"}
    driven.app.settings.of("label")["competence"] = {coder: langs}
    await driven.press("6", "enter")
    coding(driven)
