"""Posts: paged, searched, sorted, filtered, exported; texts of any kind stay texts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from filled import ANTI, NEUTRAL, PRO, Post, fill
from tui.conftest import POSTS, RUN
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.coded import read_gold
from xlt.corpus.gold import gold_of
from xlt.corpus.store import corpus_path
from xlt.errors import XltError
from xlt.tui.choice import Line
from xlt.tui.posts.pages import KEPT, PAGE, Pages
from xlt.tui.posts.screen import PostsScreen


def screen(driven: Driven) -> PostsScreen:
    assert isinstance(driven.screen, PostsScreen)
    return driven.screen


def pages(driven: Driven) -> Pages:
    found = screen(driven)._pages
    assert found is not None
    return found


def test_all_posts_and_the_one_at_the_cursor(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2")
        assert "All posts · 15 posts" in driven.static("#what")
        assert "english text 0" in driven.static("#text")
        assert "pro        ███████████  .90" in driven.static("#known")
        await driven.press("G")
        assert "한국어 문장" in driven.static("#text")
        assert "Korean" in driven.static("#head")
        assert "row 15" in driven.static("#what")

    drive(small, script)


def test_a_long_list_is_paged_and_few_pages_are_kept(sample: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "G")
        last = driven.static("#text")
        assert pages(driven).line(len(pages(driven)) - 1) is not None
        await driven.press("g")
        for _ in range(40):
            driven.rows().cursor += 2 * PAGE
            await driven.settled()
        assert len(pages(driven)._pages) <= KEPT
        assert driven.static("#text") == last
        assert all(len(line) <= 120 for line in driven.lines())

    drive(sample, script)


def test_sort_and_reverse(small: Path) -> None:
    async def script(driven: Driven) -> None:
        def dates() -> list[str]:
            return [line.split()[0] for line in driven.lines()[3:18]]

        await driven.press("2", "s", "j", "enter")
        assert dates() == sorted(dates())
        await driven.press("S")
        assert dates() == sorted(dates(), reverse=True)
        assert "by date ↓" in driven.static("#what")
        await driven.pilot.click(driven.rows(), offset=(40, 0))  # the title `conf`
        await driven.settled()
        assert screen(driven)._wanted.order in ("confidence", "label")

    drive(small, script)


def test_filter(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "f", "tab")
        await driven.type("2024-02")
        await driven.press("tab")
        await driven.type("2024-02")
        await driven.press("enter")
        assert len(pages(driven)) == 6
        assert "2024-02-01 to 2024-02-29" in driven.static("#what")

    drive(small, script)


def test_search_goes_from_match_to_match_and_around(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "slash")
        await driven.type("TEXT")
        await driven.press("enter")
        assert "10 hold “TEXT”" in driven.static("#what")
        assert driven.rows().cursor == 0
        await driven.press("n", "n")
        assert driven.rows().cursor == 2
        await driven.press("N", "N", "N")
        assert "neutraler Text" in driven.static("#text")
        assert "from the first match" in driven.notice().lower()
        await driven.press("slash", "ctrl+u")
        await driven.type("nowhere")
        await driven.press("enter")
        assert driven.notice() == "No post here holds “nowhere”."

    drive(small, script)


def test_copy_takes_the_text(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "y")
        assert driven.app.clipboard == "english text 0"
        await driven.press("Y")
        assert driven.app.clipboard == "e0"

    drive(small, script)


def test_export_writes_exactly_the_posts_shown_in_their_order(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("down", "enter")  # German
        await driven.press("S", "e", "enter")
        assert "4 posts" in driven.notice()

    drive(small, script)
    with (small / "posts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["n1", "d2", "d1", "d0"]
    assert [row["predicted"] for row in rows] == [NEUTRAL, *[ANTI] * 3]


def test_an_export_that_fails_says_why(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "e", "ctrl+u")
        await driven.type("posts.xyz")
        await driven.press("enter")
        assert "the output must end in" in driven.notice()

    drive(small, script)


ODD = {
    "markup": "[bold]not bold[/bold] [@click=app.quit]x[/] [[ ]] \\[",
    "control": "bell\x07 escape\x1b[31mred\x1b[0m back\x08 null\x00end",
    "direction": "abc \u202egnirts\u202c def",
    "arabic": "مرحبا بالعالم، هذا نص عربي طويل بعض الشيء",
    "hindi": "आप्रवासन के बारे में एक वाक्य",
    "emoji": "family 👨‍👩‍👧‍👦 flag 🇩🇪 thumbs 👍🏽 done",
    "cjk": "移民についての長い日本語の文章です。" * 20,
    "lines": "first\nsecond\r\nthird\ttabbed",
    "long": "word " * 20_000,
    "one word": "x" * 100_000,
    "empty": "",
}


def test_texts_of_any_kind_neither_act_nor_break_the_lines(tmp_path: Path) -> None:
    fill(tmp_path / "w", [Post(name, text, PRO, "en", "en") for name, text in ODD.items()], RUN)

    async def script(driven: Driven) -> None:
        await driven.press("2")
        for at in range(len(ODD)):
            driven.rows().cursor = at
            await driven.settled()
            for strip in driven.screen._compositor.render_strips(driven.app.size):
                assert strip.cell_length == 120
            assert not any(ord(letter) < 32 or letter == "\u202e" for line in driven.lines() for letter in line)
        driven.rows().cursor = 0
        await driven.settled()
        assert "[bold]not bold[/bold]" in driven.static("#text")
        assert "[bold]not bold" in driven.text()

    drive(tmp_path / "w", script)


def test_hand_labels_and_other_runs_are_shown(small: Path) -> None:
    with gate.opened(corpus_path(small), write=True) as con:
        con.execute(
            "INSERT INTO gold BY NAME SELECT text_key, id AS tweet_id, 'immigration' AS task, ? AS label, "
            "'Coder' AS coder, '2026-01-02'::TIMESTAMP AS coded_at, 'sure' AS note FROM tweets WHERE id = 'e0'",
            [NEUTRAL],
        )

    async def script(driven: Driven) -> None:
        await driven.press("2")
        assert "by hand    ▒ neutral  Coder, 2026-01-02  sure" in driven.static("#known")

    drive(small, script)


def test_a_post_that_is_erased_meanwhile_is_no_defect(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2")
        with gate.opened(corpus_path(small), write=True) as con:
            con.execute("DELETE FROM tweets WHERE id IN ('e1', 'k1')")
        await driven.press("G", "g", "j")
        assert driven.notice() == ""
        await driven.press("ctrl+r")
        assert "13 posts" in driven.static("#what")
        assert len(pages(driven)) == 13

    drive(small, script)


def test_the_post_stands_below_the_list_on_a_narrow_screen(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2")
        assert driven.screen.query_one("Detail").region.y == driven.rows().region.y
        for width in (200, 140, 110, 100, 99, 80):
            await driven.pilot.resize_terminal(width, 30)
            await driven.settled()
            assert driven.rows().virtual_size.width <= driven.rows().size.width, f"cut at {width}"
        await driven.pilot.resize_terminal(80, 24)
        await driven.settled()
        assert driven.screen.query_one("Detail").region.y > driven.rows().region.y
        assert driven.screen.query_one("Detail").region.height >= 8

    drive(small, script)


def test_what_was_chosen_is_there_again(small: Path) -> None:
    async def choose(driven: Driven) -> None:
        await driven.press("2", "s", "j", "enter", "S")
        await driven.press("ctrl+q")

    async def again(driven: Driven) -> None:
        assert isinstance(driven.screen, PostsScreen)
        assert "by date ↓" in driven.static("#what")

    drive(small, choose)
    drive(small, again)


def test_posts_without_text_or_date(tmp_path: Path) -> None:
    fill(tmp_path / "w", [Post("1", None, at=None), *POSTS[:1]], RUN)

    async def script(driven: Driven) -> None:
        await driven.press("2")
        assert "no date" in driven.text()
        assert "no text" in driven.static("#text")

    drive(tmp_path / "w", script)


def test_a_selection_is_seen_after_one_opening_of_the_corpus(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    enter = gate._enter

    def counted(*given: Any) -> Any:
        opened.append(given[1])
        return enter(*given)

    async def script(driven: Driven) -> None:
        monkeypatch.setattr(gate, "_enter", counted)
        await driven.press("enter")
        assert len(opened) == 1
        assert "english text 0" in driven.text()
        assert "english text 0" in driven.static("#text")

    drive(small, script)


def test_a_page_that_cannot_be_read_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "w", [Post(str(at), f"text {at}", PRO, "en") for at in range(5 * PAGE)], RUN)
    asked: list[int] = []

    def broken(*given: Any) -> Any:
        asked.append(1)
        raise XltError("The corpus is damaged.")

    async def script(driven: Driven) -> None:
        await driven.press("2")
        monkeypatch.setattr("xlt.corpus.pages.page", broken)
        await driven.press("G")
        assert driven.notice() == "The corpus is damaged."
        assert len(asked) == 1

    drive(tmp_path / "w", script)


def test_a_post_that_was_come_upon_is_labelled_for_training_alone(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "l")
        assert isinstance(driven.screen, Line)
        await driven.type("ada")
        await driven.press("enter")
        assert "part of no estimate" in " ".join(driven.text().split())
        await driven.press("2")
        await driven.until(lambda: not driven.app.writer.waiting)
        await driven.settled()
        assert "anti  ada" in driven.text()
        await driven.press("j", "l", "x", "j", "l", "escape")
        await driven.until(lambda: not driven.app.writer.waiting)
        await driven.settled()

    drive(small, script)
    with gate.opened(corpus_path(small)) as con:
        rows = con.execute("SELECT tweet_id, label, coder, blind FROM gold ORDER BY coded_at").fetchall()
        assert [row[1:] for row in rows] == [("anti-immigration", "ada", False), (None, "ada", False)]
        assert gold_of(con, "immigration", (None, "estimate", "dev")).rows == ()
        assert [row.label for row in gold_of(con, "immigration", ("train",)).rows] == ["anti-immigration"]
    # It is learnt from.
    assert [(row.label, row.side) for row in read_gold(corpus_path(small), ["immigration"]).rows] == [
        ("anti-immigration", "")
    ]
