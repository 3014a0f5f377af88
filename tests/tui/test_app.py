"""The shell: start, welcome, screens, keys, palette, help, settings, and a corpus that others hold or change."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList

from corpus.workspaces import holder, let_go
from filled import Post, fill
from tui.conftest import POSTS, RUN
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.store import corpus_path
from xlt.tui.actions import ACTIONS, BY_ID
from xlt.tui.app import XltApp
from xlt.tui.breakdown.screen import BreakdownScreen
from xlt.tui.help import HelpScreen
from xlt.tui.imports import ImportScreen
from xlt.tui.jobs import settle
from xlt.tui.posts.screen import PostsScreen
from xlt.tui.tabs import TABS
from xlt.tui.themes import DARK, LIGHT, default_theme
from xlt.tui.welcome import AboutScreen, WelcomeScreen


def test_the_first_paint_does_not_wait_for_the_corpus(small: Path) -> None:
    async def run() -> None:
        app = XltApp(small)
        async with app.run_test(size=(80, 24)) as pilot:
            # A locked corpus would hold the paint up for ever, were it awaited.
            assert isinstance(app.screen, BreakdownScreen)
            assert app.overview is None
            app._own_screen()
            await pilot.pause()

    with holder(corpus_path(small), "write"):
        asyncio.run(run())
    settle()


def test_a_locked_corpus_names_its_holder_and_is_opened_when_it_is_free(small: Path) -> None:
    async def run(process: object, pid: int) -> None:
        app = XltApp(small)
        async with app.run_test(size=(120, 36)) as pilot:
            driven = Driven(app, pilot)
            await driven.until(lambda: f"(process {pid})" in driven.notice())
            assert "Trying again" in driven.notice()
            let_go(process)  # type: ignore[arg-type]
            await driven.settled()
            assert driven.notice() == ""
            assert "English" in driven.text()

    with holder(corpus_path(small), "write") as process:
        asyncio.run(run(process, process.pid))
    settle()


def test_the_app_holds_the_corpus_only_while_it_asks(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2", "G")
        # Another process can write although the app is open.
        with holder(corpus_path(small), "write"):
            pass

    drive(small, script)


def test_what_others_import_is_seen(small: Path) -> None:
    async def script(driven: Driven) -> None:
        fresh = Post("new", "another", lang="fr", tag="fr")
        with gate.opened(corpus_path(small), write=True) as con:
            con.execute(
                "INSERT INTO tweets BY NAME SELECT ? AS id, 'x' AS platform, ? AS text, 'fr' AS lang_tag, 1 AS source",
                [fresh.id, fresh.text],
            )
        await driven.press("ctrl+r")
        assert "16 posts" in driven.text()

    drive(small, script)


def test_an_empty_workspace_is_a_welcome(tmp_path: Path) -> None:
    async def script(driven: Driven) -> None:
        assert isinstance(driven.screen, WelcomeScreen)
        assert "Nothing here yet." in driven.text()
        await driven.press("2")
        assert isinstance(driven.screen, WelcomeScreen)
        assert "There are no posts yet" in driven.notice()
        await driven.press("question_mark")
        assert isinstance(driven.screen, AboutScreen)
        assert "xlt --help" not in driven.text()
        await driven.press("end")
        assert "xlt --help" in driven.text()
        await driven.press("escape", "i")
        assert isinstance(driven.screen, ImportScreen)

    drive(tmp_path, script, size=(80, 24))


def test_a_corpus_without_posts_is_a_welcome_too(tmp_path: Path) -> None:
    fill(tmp_path, [], run=None)

    async def script(driven: Driven) -> None:
        assert isinstance(driven.screen, WelcomeScreen)
        for key in ("1", "3", "6"):
            await driven.press(key)
            assert "There are no posts yet" in driven.notice()
        await driven.press("5")
        assert "xlt-mini" in driven.text()

    drive(tmp_path, script)


def test_a_file_is_imported_from_the_welcome(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("id,text,lang\n1,one,en\n2,two,de\n", encoding="utf-8")

    async def script(driven: Driven) -> None:
        await driven.press("i")
        driven.screen.query_one("#path", Input).value = str(tmp_path / "absent.csv")
        await driven.pilot.click("#go")
        await driven.settled(60)
        assert driven.static("#said") == f"There is no file {tmp_path / 'absent.csv'}."
        driven.screen.query_one("#path", Input).value = str(tmp_path / "posts.csv")
        await driven.pilot.click("#go")
        await driven.settled(60)
        assert "2 new" in driven.static("#said")
        await driven.press("escape")
        assert isinstance(driven.screen, BreakdownScreen)
        assert "No model has labelled these posts yet." in driven.text()

    drive(tmp_path, script)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is not None, reason="the walk of test_walk.py does it")
def test_the_sample_is_loaded_from_the_welcome(tmp_path: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press()
        await driven.pilot.press("d")
        await driven.until(lambda: isinstance(driven.screen, BreakdownScreen), 280)
        await driven.settled(60)
        assert "Portuguese" in driven.text()
        assert driven.app.overview is not None
        assert driven.app.overview.runs[0].model == "xlt-mini"

    drive(tmp_path, script)


def test_loading_the_sample_can_be_stopped(tmp_path: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.pilot.press("d")
        await driven.until(lambda: " s" in driven.notice())
        assert "s stop" in driven.lines()[-1]
        started = time.monotonic()
        await driven.pilot.press("s")
        assert driven.notice() == "Stopped."
        assert "s stop" not in driven.lines()[-1]
        await driven.settled(30)
        assert time.monotonic() - started < 30
        assert isinstance(driven.screen, WelcomeScreen)

    drive(tmp_path, script)


def test_numbers_and_the_mouse_change_screens(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("2")
        assert isinstance(driven.screen, PostsScreen)
        await driven.pilot.click("TabName")
        await driven.settled()
        assert isinstance(driven.screen, BreakdownScreen)
        shown = driven.lines()[0]
        assert all(f"{tab.key} {tab.title}" in shown for tab in TABS)

    drive(small, script)


@pytest.mark.parametrize("key", ["1", "2"])
def test_the_footer_has_at_most_six_keys(small: Path, key: str) -> None:
    async def script(driven: Driven) -> None:
        await driven.press(key)
        shown = {each.binding.action for each in driven.screen.active_bindings.values() if each.binding.show}
        assert 3 <= len(shown) <= 6
        assert len(driven.lines()[-1]) <= 80

    drive(small, script, size=(80, 24))


def test_help_begins_with_what_has_the_focus_and_names_every_key(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("question_mark")
        assert isinstance(driven.screen, HelpScreen)
        table = driven.screen._lines()
        content = [str(cell) for column in table.columns for cell in column.cells]
        assert content[0] == "In a list"
        for action in ACTIONS:
            if action.scope in ("rows", "breakdown"):
                assert action.about in content
        await driven.press("escape")
        assert isinstance(driven.screen, BreakdownScreen)

    drive(small, script)


def test_the_palette_does_what_it_names(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("ctrl+p")
        await driven.type("group by")
        await driven.until(lambda: driven.screen.query_one(OptionList).option_count == 1)
        await driven.press("enter")
        await driven.until(lambda: "A row for each" in driven.text())

    drive(small, script)


def test_keys_can_be_remapped(small: Path) -> None:
    (small / "xlt.toml").write_text('[tui.keys]\n"breakdown.group" = "ctrl+g"\n', encoding="utf-8")

    async def script(driven: Driven) -> None:
        await driven.press("b")
        assert isinstance(driven.screen, BreakdownScreen)
        await driven.press("ctrl+g")
        assert "A row for each" in driven.text()

    drive(small, script)


@pytest.mark.parametrize(
    ("content", "said"),
    [('[tui.keys]\n"posts.fly" = "f"\n', "there is no action posts.fly"), ("[tui", "can't be read")],
)
def test_a_wrong_xlt_toml_is_a_sentence(small: Path, content: str, said: str) -> None:
    (small / "xlt.toml").write_text(content, encoding="utf-8")

    async def script(driven: Driven) -> None:
        assert said in driven.notice()
        assert "English" in driven.text()

    drive(small, script)


def test_themes_and_state_are_kept(small: Path) -> None:
    async def first(driven: Driven) -> None:
        driven.app.theme = LIGHT
        await driven.press("b", "j", "enter", "ctrl+q")

    async def then(driven: Driven) -> None:
        assert driven.app.theme == LIGHT
        assert "by month" in driven.text()
        await driven.press("ctrl+q")

    drive(small, first)
    assert json.loads((small / ".xlt" / "tui.json").read_text(encoding="utf-8"))["breakdown"]["by"] == "month"
    drive(small, then)
    (small / ".xlt" / "tui.json").write_text('{"breakdown": {"by": 7, "filter": [1]}, "app": 3}', encoding="utf-8")

    async def damaged(driven: Driven) -> None:
        assert "by language" in driven.text()

    drive(small, damaged)


def test_the_theme_fits_the_terminal() -> None:
    assert default_theme({"COLORFGBG": "0;15"}) == LIGHT
    assert default_theme({"COLORFGBG": "15;0"}) == default_theme({}) == DARK


def test_actions_are_unique() -> None:
    assert len(BY_ID) == len(ACTIONS)


def test_q_goes_back_and_out(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("enter", "q")
        assert isinstance(driven.screen, BreakdownScreen)
        await driven.pilot.press("q")
        await driven.until(lambda: not driven.app.is_running or driven.app._exit)

    drive(small, script)


def test_escape_goes_back_and_never_out(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("enter", "escape")
        assert isinstance(driven.screen, BreakdownScreen)
        await driven.press("escape", "escape")
        assert not driven.app._exit
        await driven.press("2")
        assert isinstance(driven.screen, PostsScreen)

    drive(small, script)


def test_leaving_with_keys_on_their_way_is_no_error(small: Path) -> None:
    async def script(driven: Driven) -> None:
        driven.at_once("b", "enter", "enter")

    for _ in range(3):
        drive(small, script)


def test_a_corpus_beside_the_workspace(tmp_path: Path) -> None:
    corpus = fill(tmp_path / "elsewhere", POSTS, RUN)
    other = corpus.rename(corpus.with_name("other.duckdb"))

    async def script(driven: Driven) -> None:
        assert "other.duckdb · 15 posts" in driven.text()

    drive(tmp_path, script, corpus=other)
