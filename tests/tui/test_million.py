"""A million posts: every screen that lists or counts them answers, can be stopped, and takes no more memory for it."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest

from filled import TASK
from tui.driven import Driven, drive
from xlt.corpus import gate, schema
from xlt.corpus.store import corpus_path, ensure
from xlt.tui.posts.pages import KEPT
from xlt.tui.posts.screen import PostsScreen
from xlt.tui.query.editor import SqlEditor

ROWS = 1_000_000
RUN = "2026-03-02-aaaaaaaa"
LANGS = ("en", "es", "ar", "de", "hi", "it", "ko", "tr")


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Posts of 40 words' choice, two in five of them reposts, and a run that labels every distinct text."""
    folder = tmp_path_factory.mktemp("million")
    ensure(corpus_path(folder))
    names = list(TASK.names)
    with gate.opened(corpus_path(folder), write=True) as con:
        con.execute(
            "CREATE TEMP TABLE texts AS SELECT i AS k, 'post ' || i || ' about ' || "
            "array_to_string(list_transform(range(12), lambda w: 'word' || (hash(i * 31 + w) % 40)), ' ') AS text "
            f"FROM range({ROWS * 3 // 5}) t(i)"
        )
        con.execute(f"CREATE TEMP TABLE keyed AS SELECT k, text, {schema.text_key('text')} AS text_key FROM texts")
        con.execute(
            "INSERT INTO tweets BY NAME SELECT i::VARCHAR AS id, 'x' AS platform, text, text_key, "
            "TIMESTAMP '2023-01-01' + INTERVAL (hash(i) % 900) DAY AS created_at, "
            "?[1 + (k % 8)::INTEGER] AS lang_tag, 'a' || (hash(i) % 9999) AS author, 1 AS source "
            f"FROM range({ROWS}) t(i) JOIN keyed ON k = i % {ROWS * 3 // 5}",
            [list(LANGS)],
        )
        con.execute(
            "INSERT INTO predictions SELECT ?, text_key, (?::VARCHAR[])[1 + (k % 7 % 4)::INTEGER], "
            "0.4 + (k % 599) / 1000, [0.1, 0.2, 0.3, 0.4] FROM keyed",
            [RUN, names],
        )
        con.execute(
            "INSERT INTO runs VALUES (?, 'f', 'some-model', 'h', 'immigration', ?, ?, ['en'], now()::TIMESTAMP, "
            f"now()::TIMESTAMP, {ROWS * 3 // 5}, '{{}}')",
            [RUN, TASK.hash, names],
        )
    return folder


def peak() -> float:
    """The most memory of this process so far, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@pytest.mark.slow
def test_a_million_posts(million: Path) -> None:
    async def script(driven: Driven) -> None:
        assert "125,000" in driven.text()
        assert "1,000,000" in driven.text()
        await driven.press("slash")
        await driven.type("word7")
        await driven.press("enter")
        assert "125,000" not in driven.text()
        await driven.press("x", "b", "j", "enter")
        assert "2023-01" in driven.text()
        await driven.pilot.resize_terminal(80, 24)
        await driven.settled()
        assert all(len(line) <= 80 for line in driven.lines())

        await driven.press("2")
        screen = driven.screen
        assert isinstance(screen, PostsScreen)
        assert "1,000,000 posts" in driven.static("#what")
        before = peak()
        await driven.press("s", "g", "j", "enter")
        assert "by date" in driven.static("#what")
        assert "2023-01-01" in driven.lines()[3]
        await driven.press("G")
        assert "2025-06-18" in driven.static("#head")
        assert "row 1,000,000" in driven.static("#what")
        for _ in range(30):
            driven.rows().cursor -= 20_011
            await driven.settled()
            pages = screen._pages
            assert pages is not None
            assert pages.line(driven.rows().cursor) is not None
            assert len(pages._pages) <= KEPT
        # Eight bytes for each row number, and what sorting takes within DuckDB's 256 MB.
        assert peak() - before < 350

        await driven.press("3")
        driven.screen.query_one(SqlEditor).load_text("SELECT count(*) FROM tweets a, tweets b WHERE a.text > b.text")
        await driven.pilot.press("f5")
        await driven.until(lambda: "Running" in driven.notice())
        await driven.press("escape")
        assert driven.static("#came").startswith("Stopped after")
        spent = time.process_time()
        time.sleep(0.4)
        assert time.process_time() - spent < 0.2, "DuckDB goes on"
        with gate.opened(corpus_path(million), write=True, patience=1):
            pass

    drive(million, script)
