"""Query: statements run, fail and are stopped; queries are opened, saved and remembered; rows are honest."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest

from filled import PRO, Post, fill
from tui.conftest import RUN
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.history import entries
from xlt.corpus.store import corpus_path
from xlt.tui.query.editor import Candidates, SqlEditor
from xlt.tui.query.results import RecordScreen
from xlt.tui.query.screen import QueryScreen
from xlt.tui.widgets.picker import Picker
from xlt.tui.widgets.rows import Rows

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"


async def opened(driven: Driven, script: str | None = None) -> SqlEditor:
    await driven.press("3")
    assert isinstance(driven.screen, QueryScreen)
    editor = driven.screen.query_one(SqlEditor)
    if script is not None:
        editor.place(script, len(script))
        await driven.settled()
    return editor


def came(driven: Driven) -> str:
    return driven.static("#came")


def test_the_first_text_runs_as_it_stands(small: Path) -> None:
    async def script(driven: Driven) -> None:
        editor = await opened(driven)
        assert editor.has_focus
        await driven.press("f5")
        assert came(driven).startswith("3 rows · ")
        lines = driven.text()
        assert "language  posts" in lines
        assert "en           10" in lines

    drive(small, script)


def test_a_named_query_is_found_by_a_part_of_its_name_and_runs(small: Path) -> None:
    async def script(driven: Driven) -> None:
        editor = await opened(driven)
        await driven.press("f2")
        assert isinstance(driven.screen, Picker)
        assert "Texts that recur" in driven.text()
        await driven.type("low conf")
        await driven.settled()
        assert "Distinct texts that the model was least sure of" in driven.text()
        await driven.press("enter")
        assert "-- $below = 0.6" in editor.text
        assert came(driven).startswith("1 row · ")
        assert "neutraler Text" in driven.text()
        # A parameter is what the comment on top says.
        editor.load_text(editor.text.replace("$below = 0.6", "$below = 0.1"))
        await driven.press("f5")
        assert came(driven).startswith("0 rows · ")

    drive(small, script)


def test_a_file_is_asked_like_a_table(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "parties.csv").write_text("id,party\ne0,green\nd0,red\nzz,none\n", encoding="utf-8")
    (small / "lines.jsonl").write_text('{"id": "k1"}\n', encoding="utf-8")
    monkeypatch.chdir(small)

    async def script(driven: Driven) -> None:
        await opened(driven, "SELECT party, text FROM 'parties.csv' JOIN tweets USING (id) ORDER BY party")
        await driven.press("f5")
        assert came(driven).startswith("2 rows · ")
        assert "green  english text 0" in _rows(driven)
        await opened(driven, "SELECT text FROM 'lines.jsonl' JOIN tweets USING (id)")
        await driven.press("f5")
        assert came(driven).startswith("1 row · ")
        # Not from elsewhere, and nothing is loaded for it.
        await opened(driven, "SELECT * FROM 'https://example.org/a.parquet'")
        await driven.press("f5")
        assert "httpfs" in driven.notice()

    drive(small, script)


def test_the_statement_at_the_cursor_runs_and_a_selection_alone(small: Path) -> None:
    async def script(driven: Driven) -> None:
        editor = await opened(driven, "SELECT 'first' AS which;\nSELECT 'second' AS which;")
        await driven.press("f5")
        assert "second" in _rows(driven)
        await driven.press("up", "ctrl+r")
        assert "first" in _rows(driven)
        editor.move_cursor((0, 7))
        editor.move_cursor((0, 14), select=True)
        await driven.press("f5")
        assert "line 1" in driven.notice() or "can't be" in driven.notice()

    drive(small, script)


def _rows(driven: Driven) -> str:
    rows = driven.rows()
    return "\n".join(driven.lines()[rows.region.y : rows.region.bottom])


def test_more_rows_than_are_shown_are_counted(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await opened(driven, "SELECT range AS n FROM range(25000)")
        await driven.press("f5")
        assert came(driven).startswith("showing 10,000 of 25,000 rows; e writes all · ")
        await driven.press("escape", "G")
        assert "9,999" in _rows(driven)
        assert driven.rows().cursor == 9_999

    drive(small, script)


def test_a_statement_that_fails_says_why_where_and_the_rows_stay(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await opened(driven, "SELECT 42 AS answer")
        await driven.press("f5")
        driven.screen.query_one(SqlEditor).load_text("SELECT 42 AS answer;\nSELECT *\nFROM tweetz")
        driven.screen.query_one(SqlEditor).move_cursor((2, 3))
        await driven.press("f5")
        assert 'line 2: Table with name tweetz does not exist! Did you mean "tweets"?' in driven.notice()
        assert "before" in came(driven)
        assert "42" in _rows(driven)
        driven.screen.query_one(SqlEditor).load_text("DELETE FROM tweets")
        await driven.press("f5")
        assert "only reads" in driven.notice()
        driven.screen.query_one(SqlEditor).load_text("  -- nothing\n")
        await driven.press("f5")
        assert "no statement to run" in driven.notice()

    drive(small, script)
    with gate.opened(corpus_path(small)) as con:
        assert con.execute("SELECT count(*) FROM tweets").fetchall() == [(15,)]


def test_stopping_ends_the_query_in_duckdb_and_frees_the_corpus(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await opened(driven, ENDLESS)
        await driven.pilot.press("f5")
        screen = driven.screen
        assert isinstance(screen, QueryScreen)
        await driven.until(lambda: screen.jobs.running("query") is not None)
        job = screen.jobs.running("query")
        assert job is not None
        await driven.until(lambda: job.leash.progress() is not None)
        await driven.until(lambda: "Running" in driven.notice())
        before = time.process_time()
        await driven.until(lambda: time.process_time() - before > 0.3)
        await driven.press("escape")
        assert came(driven).startswith("Stopped after")
        before = time.process_time()
        time.sleep(0.4)
        assert time.process_time() - before < 0.15, "nothing should be at work any more"
        with gate.opened(corpus_path(small), write=True, patience=1):
            pass
        # The screen is as alive as before.
        screen.query_one(SqlEditor).load_text("SELECT 'again' AS word")
        await driven.press("f5")
        assert "again" in _rows(driven)

    drive(small, script)
    assert [each.error for each in entries(small)] == ["stopped", ""]


def test_candidates_come_while_writing_and_tab_takes_one(small: Path) -> None:
    async def script(driven: Driven) -> None:
        editor = await opened(driven, "")
        box = driven.screen.query_one(Candidates)
        await driven.type("sele")
        await driven.settled()
        assert box.display
        await driven.press("tab")
        assert editor.text == "SELECT"
        assert not box.display
        await driven.type(" lang FROM tweets t WHERE t.")
        await driven.settled()
        assert box.display
        assert "varchar · tweets" in driven.text()
        await driven.press("down", "enter")
        assert editor.text.endswith("t.platform")
        # Enter is a new line unless a candidate was chosen.
        await driven.type(" LI")
        await driven.press("enter")
        assert editor.text.endswith("LI\n")
        await driven.type("fr")
        await driven.press("escape")
        assert not box.display
        assert editor.has_focus
        await driven.press("escape")
        assert driven.rows().has_focus
        await driven.press("i")
        assert editor.has_focus

    drive(small, script)


def test_values_are_texts_whatever_they_hold(tmp_path: Path) -> None:
    nasty = "[bold]x[/] [/red] [link=a](b) \x1b[31m \u202eevil ‏עברית 한국어 👨‍👩‍👧 " + "w" * 100_000
    fill(tmp_path, [Post("1", nasty, PRO, "en", "en"), Post("2", "line\none\ttwo", PRO, "en", "en")], RUN)

    async def script(driven: Driven) -> None:
        await opened(driven, "SELECT {'a': [1, NULL]} AS nested, id, text, p FROM labelled ORDER BY id")
        await driven.press("f5")
        assert came(driven).startswith("2 rows")
        text = driven.text()
        assert "[bold]x[/]" in text
        assert "line one two" in text
        assert "{a: [1, –]}" in text
        assert not any(mark in text for mark in "\x1b\u202e")
        await driven.press("escape", "enter")
        assert isinstance(driven.screen, RecordScreen)
        assert "Row 1 of 2" in driven.text()
        await driven.press("escape")
        assert isinstance(driven.screen, QueryScreen)

    drive(tmp_path, script)


def test_all_rows_are_written_in_each_format(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await opened(driven, "SELECT id, text FROM tweets ORDER BY id")
        await driven.press("f8")
        assert "run a statement first" in driven.notice()
        await driven.press("f5")
        for name in ("rows.csv", "rows.jsonl", "rows.parquet", "rows.xlsx"):
            driven.screen._export(str(small / name))  # type: ignore[attr-defined]
            await driven.settled()
        assert "must end in" in driven.notice()

    drive(small, script)
    with (small / "rows.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 15
    assert len([json.loads(line) for line in (small / "rows.jsonl").read_text("utf-8").splitlines()]) == 15
    assert (small / "rows.parquet").is_file()


def test_a_query_is_saved_found_again_and_not_written_over_unasked(small: Path) -> None:
    async def script(driven: Driven) -> None:
        editor = await opened(
            driven, "-- Korean posts\n-- What was written in Korean.\nSELECT id FROM tweets WHERE lang = 'ko'"
        )
        await driven.press("f4")
        await driven.type("korean")
        await driven.press("enter")
        assert "xlt query korean runs it too" in driven.notice()
        await driven.press("f2")
        await driven.type("korean")
        await driven.settled()
        assert "in this workspace" in driven.text()
        await driven.press("enter")
        assert came(driven).startswith("1 row")
        driven.screen.query_one(SqlEditor).load_text("SELECT 1")
        await driven.press("f4", "enter")
        assert "begins with a comment that is its title" in driven.notice()
        # Another text under the same name.
        driven.screen._open_query = ""  # type: ignore[attr-defined]
        editor.load_text("-- Other\nSELECT 2")
        await driven.press("f4")
        await driven.type("korean")
        await driven.press("enter")
        assert "There is a query korean in this workspace" in driven.text()
        await driven.press("enter")
        assert "Korean posts" in (small / "queries" / "korean.sql").read_text("utf-8")

    drive(small, script)


def test_text_history_and_name_are_there_at_the_next_start(small: Path) -> None:
    async def first(driven: Driven) -> None:
        await opened(driven, "SELECT 'kept' AS word")
        await driven.press("f5", "escape", "q")

    async def second(driven: Driven) -> None:
        screen = driven.screen
        assert isinstance(screen, QueryScreen)
        assert screen.query_one(SqlEditor).text == "SELECT 'kept' AS word"
        screen.query_one(SqlEditor).load_text("")
        await driven.press("f3")
        assert "SELECT 'kept' AS word" in driven.text()
        assert "1 rows" in driven.text() or "1 row" in driven.text()
        await driven.press("enter")
        assert screen.query_one(SqlEditor).text == "SELECT 'kept' AS word;\n"

    drive(small, first)
    drive(small, second)


def test_it_fits_a_small_terminal_and_a_large_one(small: Path) -> None:
    for size in ((80, 24), (200, 60), (60, 16)):

        async def script(driven: Driven) -> None:
            await opened(driven, "SELECT * FROM labelled")
            await driven.press("f5")
            rows = driven.screen.query_one(Rows)
            assert rows.region.height >= 3
            assert driven.screen.query_one(SqlEditor).region.height >= 3
            assert all(len(line) <= driven.app.size.width for line in driven.lines())

        drive(small, script, size)
