"""What makes the app quick, counted and not timed: how often the corpus is opened and read, what is done beforehand."""

from __future__ import annotations

import gc
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet
from textual.widgets._footer import FooterKey

from filled import PRO, Post, fill
from tui.conftest import RUN
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.filters import Filter
from xlt.corpus.overview import overview
from xlt.corpus.store import corpus_path
from xlt.tui import warmth
from xlt.tui.breakdown.board import View, ask, curves
from xlt.tui.jobs import settle
from xlt.tui.posts.pages import PAGE
from xlt.tui.posts.reading import Window
from xlt.tui.scheme import scheme_of
from xlt.tui.tabs import TABS
from xlt.tui.widgets.keys import Keys


class Told:
    """A connection that remembers what it was asked."""

    def __init__(self, con: Any) -> None:
        self._con, self.asked = con, list[str]()

    def execute(self, sql: str, *given: Any) -> Any:
        self.asked.append(sql)
        return self._con.execute(sql, *given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


def openings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Grows by a path whenever a job opens a corpus."""
    opened: list[Path] = []
    enter = gate._enter

    def counted(*given: Any) -> Any:
        opened.append(given[1])
        return enter(*given)

    monkeypatch.setattr(gate, "_enter", counted)
    return opened


@pytest.mark.parametrize("asked", [Filter(), Filter(contains="text")])
def test_shares_and_curves_are_one_reading_of_the_posts_each(small: Path, asked: Filter) -> None:
    with gate.opened(corpus_path(small)) as real:
        con: Any = Told(real)
        about = overview(real)
        board = ask(con, View(filter=asked), about, None, scheme_of)
        found = curves(con, board)
        assert found is not None
        assert sum(pair.first.n for pair in board.rows) > 0
    readings = [
        each for each in con.asked if "FROM (SELECT" in each or " FROM labelled" in each or "FROM posts" in each
    ]
    assert len([each for each in readings if "VIEW" not in each]) == 2, con.asked


def test_a_breakdown_opens_the_corpus_once(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(driven: Driven) -> None:
        opened = openings(monkeypatch)
        screen: Any = driven.screen
        screen.load()
        await driven.settled()
        assert len(opened) == 1
        assert "by " in driven.text()

    drive(small, script)


def test_every_page_that_is_seen_comes_with_a_new_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a list two pages are seen: the second one cost another opening of the corpus."""
    fill(tmp_path / "w", [Post(str(at), f"text {at}", PRO, "en") for at in range(5 * PAGE + 5)], RUN)

    async def script(driven: Driven) -> None:
        await driven.press("2", "G")
        opened = openings(monkeypatch)
        await driven.press("S")
        assert len(opened) == 1
        assert "…" not in "".join(line[:70] for line in driven.lines()[4:-2])

    drive(tmp_path / "w", script)


def test_a_window_stays_where_it_was_in_a_list_that_is_as_long() -> None:
    length = 10 * PAGE
    assert list(Window(length, length - 1, length - 30, 30).pages(length)) == [9]
    assert list(Window(length, length - 1, length - 30, 30).pages(length - 1)) == [0]
    assert list(Window(length, 2 * PAGE, 2 * PAGE - 10, 30).pages(length)) == [1, 2]
    assert list(Window(None, 0, 0, 0).pages(0)) == [0]
    assert Window(length, length - 1, 0, 30).place(length) == length - 1
    assert Window(length, length - 1, 0, 30).place(5) == 0


def test_rows_are_drawn_while_the_post_is_still_read(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xlt.corpus import pages

    go = threading.Event()
    read = pages.post

    def slow(*given: Any) -> Any:
        go.wait(20)
        return read(*given)

    async def script(driven: Driven) -> None:
        await driven.press("2")
        monkeypatch.setattr(pages, "post", slow)
        try:
            await driven.pilot.press("S")
            screen: Any = driven.screen
            await driven.until(lambda: screen._pages.numbers[0] > screen._pages.numbers[-1])
            first = next(at for at, line in enumerate(driven.lines()) if "한국어" in line)
            assert first < next(at for at, line in enumerate(driven.lines()) if "english text 1" in line)
            assert driven.busy()
            assert "english text 0" in driven.static("#text")
        finally:
            go.set()
        await driven.settled()
        assert "한국어 문장" in driven.static("#text")

    drive(small, script)


def test_what_screens_need_is_there_before_they_are_opened(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    async def script(driven: Driven) -> None:
        await driven.until(lambda: driven.app.warmth.ready)
        await driven.settled()
        monkeypatch.setattr(Stylesheet, "reparse", lambda self: parsed.append(1))
        assert {"numpy", "xlt.tui.help", *(tab.where.partition(":")[0] for tab in TABS)} <= set(sys.modules)
        await driven.press("f", "escape", "2", "3")
        assert driven.screen.styles is not None
        assert parsed == []

    drive(small, script)


def test_no_full_collection_comes_while_somebody_works(small: Path) -> None:
    usual = gc.get_threshold()

    async def script(driven: Driven) -> None:
        await driven.until(lambda: driven.app.warmth.ready)
        assert gc.get_threshold()[2] > 100_000
        assert gc.get_freeze_count() > 10_000
        await driven.settled()
        done = gc.get_stats()[2]["collections"]
        driven.app.warmth._touched -= 2 * warmth.IDLE
        for _ in range(warmth.DUE + 1):
            gc.collect(1)
        await driven.until(lambda: gc.get_stats()[2]["collections"] > done)

    drive(small, script)
    settle()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() == 0


def test_the_footer_holds_on_to_no_key_that_is_gone(small: Path) -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(each, FooterKey) for each in gc.get_objects())

    async def script(driven: Driven) -> None:
        await driven.until(lambda: driven.app.warmth.ready)
        await driven.settled()
        gc.unfreeze()
        for _ in range(5):
            await driven.press("3", "1")
        shown = sum(len(screen.query(FooterKey)) for stack in driven.app._screen_stacks.values() for screen in stack)
        assert len(driven.screen.query_one(Keys).query(FooterKey)) >= 5
        assert alive() <= shown

    drive(small, script)


def test_the_footer_is_not_made_anew_for_the_same_keys(small: Path) -> None:
    async def script(driven: Driven) -> None:
        before = list(driven.screen.query_one(Keys).query(FooterKey))
        await driven.press("f", "escape")
        assert list(driven.screen.query_one(Keys).query(FooterKey)) == before

    drive(small, script)
