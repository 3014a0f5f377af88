"""Breakdown: the same numbers as the command line, sorted, filtered, compared, and opened bar by bar."""

from __future__ import annotations

import re
from pathlib import Path

from filled import ANTI, PRO, Post, add_run, fill
from tui.conftest import POSTS, RUN
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.breakdown import Question, breakdown
from xlt.corpus.labelled import find_runs, from_corpus
from xlt.corpus.store import corpus_path
from xlt.tasks.load import load_task
from xlt.tui.breakdown.screen import BreakdownScreen
from xlt.tui.posts.screen import PostsScreen


def ids(driven: Driven) -> set[str]:
    """The ids of the posts that are open."""
    screen = driven.screen
    assert isinstance(screen, PostsScreen)
    assert screen._pages is not None
    numbers = [int(each) for each in screen._pages.numbers]
    with gate.opened(driven.app.corpus) as con:
        rows = con.execute("SELECT id FROM tweets WHERE rowid IN (SELECT unnest(?::BIGINT[]))", [numbers]).fetchall()
    return {row[0] for row in rows}


def test_rows_are_those_of_the_command_line(sample: Path) -> None:
    task = load_task("immigration")
    with gate.opened(corpus_path(sample)) as con:
        answer = breakdown(con, from_corpus(con, find_runs(con)), Question(), task.groups, task.names)

    async def script(driven: Driven) -> None:
        shown = [line.split() for line in driven.lines()[5 : 5 + len(answer.rows)]]
        for row, cells in zip(answer.rows, shown, strict=True):
            assert f"{row.n:,}" in cells
            for share in (row.share("topic", "related"), row.share("stance", "pro"), row.share("stance", "anti")):
                assert f"{100 * (share or 0):.1f}" in cells
        assert "Spanish" in driven.text()
        assert "French unseen" in driven.text()
        assert "Spanish unseen" not in driven.text()
        assert "Shares are the classifier's, uncorrected." in driven.text()

    drive(sample, script)


def test_a_bar_is_as_long_as_its_share(small: Path) -> None:
    async def script(driven: Driven) -> None:
        width = driven.rows().width_of("bar")
        bar = max(re.findall("[█▒░]+", driven.lines()[5]), key=len)
        assert len(bar) == width
        assert bar == "█" * round(0.75 * width) + "░" * (width - round(0.75 * width))

    drive(small, script)


def test_enter_opens_the_posts_of_a_row_and_arrows_choose_a_part(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("enter")
        assert ids(driven) == {post.id for post in POSTS if post.lang == "en"}
        await driven.press("q")
        assert isinstance(driven.screen, BreakdownScreen)
        await driven.press("right", "enter")
        assert ids(driven) == {post.id for post in POSTS if post.lang == "en" and post.label == PRO}
        await driven.press("q", "left", "left", "j", "enter")
        assert ids(driven) == {post.id for post in POSTS if post.lang == "de" and post.label == ANTI}
        assert "German · anti" in driven.static("#what")
        await driven.press("q", "G", "enter")
        assert ids(driven) == {post.id for post in POSTS if post.label == ANTI}

    drive(small, script)


def test_a_click_on_a_bar_opens_the_part_under_the_mouse(small: Path) -> None:
    async def script(driven: Driven) -> None:
        rows = driven.rows()
        line = next(at for at, text in enumerate(driven.lines()) if "English" in text)
        anti = driven.lines()[line].rindex("░")
        await driven.pilot.click(rows, offset=(anti, line - rows.region.y))
        await driven.settled()
        assert ids(driven) == {post.id for post in POSTS if post.lang == "en" and post.label == ANTI}

    drive(small, script)


def test_sorting_by_a_column_and_turning_it_around(small: Path) -> None:
    async def script(driven: Driven) -> None:
        def first() -> str:
            return driven.lines()[5].split()[0]

        assert first() == "English"
        await driven.press("s", "j", "j", "j", "j", "enter")  # pro
        assert first() == "Korean"
        await driven.press("S")
        assert first() == "German"
        rows = driven.rows()
        await driven.pilot.click(rows, offset=(2, 1))
        await driven.settled()
        assert first() == "English"
        assert driven.lines()[8].split()[0] == "all"

    drive(small, script)


def test_grouping_by_month_and_by_seen(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("b", "j", "enter")
        assert [line.split()[0] for line in driven.lines()[5:8]] == ["2024-01", "2024-02", "2024-03"]
        await driven.press("down", "enter")
        assert ids(driven) == {post.id for post in POSTS if (post.at or "").startswith("2024-02")}
        await driven.press("q", "b", "j", "j", "j", "j", "enter")
        assert {line.split()[0] for line in driven.lines()[5:7]} == {"seen", "unseen"}

    drive(small, script)


def test_a_filter_counts_only_what_it_leaves(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("f")
        await driven.type("German")
        await driven.press("enter")
        assert driven.lines()[5].split()[:3] == ["German", "unseen", "4"]
        assert "German ▾" in driven.text()
        await driven.press("slash")
        await driven.type("NEUTRAL")
        await driven.press("enter")
        assert driven.lines()[5].split()[:3] == ["German", "unseen", "1"]
        await driven.press("enter")
        assert ids(driven) == {"n1"}
        await driven.press("q", "x")
        assert driven.lines()[5].split()[:2] == ["English", "10"]

    drive(small, script)


def test_a_wrong_filter_is_a_sentence_where_it_was_written(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("f")
        await driven.type("Klingon")
        await driven.press("enter")
        assert "Klingon is no language" in driven.text()

    drive(small, script)


def test_texts_count_once(tmp_path: Path) -> None:
    fill(tmp_path / "w", [Post(str(at), "same", PRO, "en", "en", f"a{at}") for at in range(3)], RUN)

    async def script(driven: Driven) -> None:
        assert driven.lines()[5].split()[:2] == ["English", "3"]
        await driven.press("u", "j", "enter")
        assert driven.lines()[5].split()[:2] == ["English", "1"]
        assert "distinct texts" in driven.text()

    drive(tmp_path / "w", script)


def test_a_second_run_stands_below_the_first_and_differences_are_marked(small: Path) -> None:
    other = [Post(post.id, post.text, ANTI if post.label == PRO else post.label, post.lang) for post in POSTS]
    add_run(corpus_path(small), other, "2026-03-03-bbbbbbbb")

    async def script(driven: Driven) -> None:
        await driven.press("v", "j", "enter")
        first, second = driven.lines()[5:7]
        assert first.split()[:2] == ["English", "A"]
        assert second.split()[0] == "B"
        assert "▲75.0" in second or "▼75.0" in second
        await driven.press("j", "right", "enter")
        assert "pro" in driven.static("#what")
        assert ids(driven) == {post.id for post in POSTS if post.lang == "en" and post.label == PRO}
        await driven.press("q")
        await driven.pilot.resize_terminal(80, 24)
        await driven.settled()
        # Every number is seen, those at the right too.
        assert driven.rows().virtual_size.width <= driven.rows().size.width
        assert driven.lines()[6].split()[-2:] == ["▼75.0", "25.0"]

    drive(small, script)


def test_without_a_run_there_are_counts_and_a_sentence(tmp_path: Path) -> None:
    fill(tmp_path / "w", POSTS, run=None)

    async def script(driven: Driven) -> None:
        assert driven.lines()[4].split()[:2] == ["English", "10"]
        assert "No model has labelled these posts yet." in driven.text()
        await driven.press("v")
        assert driven.notice() == "There is no run yet."

    drive(tmp_path / "w", script)


def test_bars_grow_and_columns_go_with_the_width(sample: Path) -> None:
    async def script(driven: Driven) -> None:
        wide = driven.rows().width_of("bar")
        assert "by month" in driven.text()
        await driven.pilot.resize_terminal(80, 24)
        await driven.settled()
        assert 10 <= driven.rows().width_of("bar") < wide
        assert "by month" not in driven.text()
        assert all(len(line) <= 80 for line in driven.lines())
        await driven.pilot.resize_terminal(200, 60)
        await driven.settled()
        assert driven.rows().width_of("bar") > wide

    drive(sample, script)


def test_a_task_that_is_not_here_gets_bars_of_its_bare_labels(tmp_path: Path) -> None:
    corpus = fill(tmp_path / "w", POSTS, run=None)
    add_run(corpus, POSTS, RUN, task="somebody-elses")

    async def script(driven: Driven) -> None:
        assert "The run's task somebody-elses is not here" in driven.text()
        assert "█" in driven.text()

    drive(tmp_path / "w", script)


def test_names_of_rows_are_texts_whatever_they_hold(tmp_path: Path) -> None:
    odd = ("[bold]x[/] [/red]", "\x1b[31mred", "a\u202eb", "国" * 60, "👨‍👩‍👧 two\nlines", "")
    fill(tmp_path, [Post(str(at), f"t{at}", PRO, "en", country=name) for at, name in enumerate(odd)], RUN)

    async def script(driven: Driven) -> None:
        await driven.press("b", "j", "j", "j", "j", "enter")
        assert "by country" in driven.text()
        assert "[bold]x[/] [/red]" in driven.text()
        assert not any(ord(letter) < 32 or letter == "\u202e" for line in driven.lines() for letter in line)
        for strip in driven.screen._compositor.render_strips(driven.app.size):
            assert strip.cell_length == 120
        await driven.press("enter")
        assert len(ids(driven)) == 1

    drive(tmp_path, script)
