"""Every screen as a picture, in a small terminal and a large one, dark and light: one app for each size."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from textual.content import Content
from textual.widgets import Static

from corpus.workspaces import make_run, score, stage_into
from tui.coded import begin, written
from tui.driven import Driven, drive
from tui.pictures import check, check_dialog
from xlt.corpus import gate
from xlt.corpus.drawing import Ask, make_draw
from xlt.corpus.filters import Filter
from xlt.corpus.store import corpus_path
from xlt.tui.classify.screen import ClassifyScreen

SIZES = ((80, 24), (200, 60))
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "200x60"])
RUN, SECOND = "2026-03-03-bbbbbbbb", "2026-03-04-cccccccc"


@pytest.fixture(scope="session")
def studied_once(sample_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with a second run, one that stopped, and a draw that two people code."""
    folder = Path(shutil.copytree(sample_once, tmp_path_factory.mktemp("studied") / "studied"))
    corpus = corpus_path(folder)
    with gate.opened(corpus, write=True) as con:
        con.execute(
            f"INSERT INTO predictions SELECT '{SECOND}', text_key, CASE WHEN hash(text_key) % 9 = 0 THEN 'neutral' "
            "ELSE label END, confidence, p FROM predictions"
        )
        con.execute(
            f"INSERT INTO runs SELECT * REPLACE ('{SECOND}' AS id, 'other-model' AS model, '2026-02-01' AS "
            "created_at) FROM runs"
        )
        ask = Ask("immigration", "estimate", 12, coders=("ada", "ben"), overlap=0.5, filter=Filter(langs=("de", "en")))
        make_draw(con, ask)
        for table, column in (("draws", "id"), ("drawn", "draw")):
            con.execute(f"UPDATE {table} SET {column} = '2026-03-02-estimate-aaaaaa'")
    part = stage_into(make_run(corpus, RUN), corpus)
    assert part is not None
    score(part, range(part.staged.blocks - 1))
    return folder


@pytest.fixture
def studied(studied_once: Path, tmp_path: Path) -> Path:
    """A copy of the studied sample."""
    return Path(shutil.copytree(studied_once, tmp_path / "studied"))


@sizes
def test_welcome(tmp_path: Path, size: tuple[int, int]) -> None:
    async def script(driven: Driven) -> None:
        await check(driven, "welcome")
        await driven.press("question_mark")
        await check_dialog(driven, "about")

    drive(tmp_path, script, size)


@sizes
def test_looking(studied: Path, size: tuple[int, int]) -> None:
    async def script(driven: Driven) -> None:
        await check(driven, "breakdown")
        await driven.press("b")
        await check_dialog(driven, "group")
        await driven.press("escape", "f")
        await check_dialog(driven, "filter")
        await driven.press("escape", "v", "j", "enter")
        await check(driven, "two-runs")
        await driven.press("x", "question_mark")
        await check_dialog(driven, "help")
        await driven.press("escape", "j", "right", "enter")
        await check(driven, "posts")
        await driven.press("q", "3", "f2")
        await check_dialog(driven, "queries")
        await driven.type("hashtags")
        await driven.press("enter")
        came = driven.screen.query_one("#came", Static)
        came.update(Content(re.sub(r" · .* s$", "", driven.static("#came"))))
        await check(driven, "query")

    drive(studied, script, size)


@sizes
def test_working(studied: Path, size: tuple[int, int]) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("4")
        screen = driven.screen
        assert isinstance(screen, ClassifyScreen)
        await driven.until(lambda: bool(screen._state and screen._state.labels))
        await check(driven, "classify")
        await driven.press("5")
        await check(driven, "models")
        await driven.press("6", "n")
        await check_dialog(driven, "draw")
        await driven.press("escape")
        await begin(driven)
        await driven.press("1", "2", "m", *"irony", "enter", "r")
        await written(driven)
        await check(driven, "coding")
        await driven.press("b")
        await check_dialog(driven, "codebook")
        if size[0] < 100:
            await driven.press("escape")
        await driven.press("q")
        await driven.until(lambda: any("2 of" in line for line in driven.lines()))
        await check(driven, "label")
        await driven.press("a")
        await check_dialog(driven, "agreement")

    drive(studied, script, size)
