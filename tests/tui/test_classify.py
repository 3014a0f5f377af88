"""Classify: planned, started, watched, stopped, killed, found again, gone on with."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from textual.widgets import Static

from corpus.workspaces import make_corpus, make_run, query, score, stage_into
from models import SENTENCES, write_model
from tui.driven import Driven, drive
from xlt.corpus.store import runs_folder
from xlt.engine.follow import runs
from xlt.engine.process import Started
from xlt.tui.choice import Choice
from xlt.tui.classify.plan import PlanScreen
from xlt.tui.classify.progress import gauge
from xlt.tui.classify.screen import ClassifyScreen
from xlt.tui.classify.setup import Setup, SetupBar
from xlt.tui.reading import TextScreen

LANGS = ("en", "de", "tr", "ko")


def workspace(folder: Path, posts: int) -> Path:
    rng = random.Random(3)
    words = " ".join(SENTENCES).split()
    make_corpus(folder, [f"{' '.join(rng.choices(words, k=20))} {number}" for number in range(posts)], LANGS)
    return folder


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough texts that a run takes some seconds."""
    return workspace(tmp_path, 4000)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    return workspace(tmp_path, 1200)


def screen(driven: Driven) -> ClassifyScreen:
    assert isinstance(driven.screen, ClassifyScreen)
    return driven.screen


def headline(driven: Driven) -> str:
    return str(screen(driven).query_one("#headline", Static).content)


async def looked(driven: Driven) -> None:
    """Wait for another look at the run folders."""
    screen(driven).look()
    await driven.settled()


def test_without_runs_it_says_what_to_do_and_counts_what_is_chosen(few: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("4")
        assert "No runs yet: c plans one" in headline(driven)
        assert "1,200 posts, 1,200 distinct texts" in driven.static("#extent")
        await driven.press("f")
        assert "en (300)" in driven.text()
        await driven.type("de,Turkish")
        await driven.press("enter")
        assert "600 posts" in driven.static("#extent")
        assert "German, Turkish" in driven.text()
        await driven.press("n")
        await driven.type("x")
        await driven.press("enter")
        assert "x is no number" in driven.notice()
        await driven.press("n")
        await driven.type("50")
        await driven.press("enter")
        assert "50 posts" in driven.static("#extent")
        await driven.press("w")
        await driven.type("lack = 1")
        await driven.press("enter")
        assert "'lack = 1' is no condition" in driven.notice()
        await driven.press("q")

    async def again(driven: Driven) -> None:
        # What was chosen is kept, and where.
        assert screen(driven).query_one(SetupBar).setup == Setup(langs=["de", "tr"], where="lack = 1", limit=50)

    drive(few, script)
    drive(few, again)


def test_a_damaged_setup_is_the_usual_one() -> None:
    assert Setup.remembered({"model": 3, "langs": "en", "limit": "x", "where": "a"}) == Setup(where="a")


def test_models_and_tasks_are_chosen_from_a_list(few: Path) -> None:
    (few / "mine.toml").write_text("")

    async def script(driven: Driven) -> None:
        await driven.press("4", "m")
        assert "xlt-mini-base" in driven.text()
        assert "llama-3.2-3b" not in driven.text(), "it is not on this machine"
        await driven.type("base")
        await driven.press("enter", "t")
        assert "mine.toml" in driven.text()
        await driven.type("sent")
        await driven.press("enter")
        setup = screen(driven).query_one(SetupBar).setup
        assert (setup.model, setup.task) == ("xlt-mini-base", "sentiment")

    drive(few, script)


def test_a_run_of_the_command_line_shows_with_its_labels_so_far(few: Path) -> None:
    corpus = few / "corpus.duckdb"
    run = make_run(corpus)
    part = stage_into(run, corpus)
    assert part is not None
    # This process stands for the one at work.
    (run / "run.pid").write_text(str(os.getpid()))

    async def script(driven: Driven) -> None:
        await driven.press("4")
        await looked(driven)
        assert headline(driven) == "Loading the model …   0 of 1,200 distinct texts   0 %"
        score(part, [0])
        await looked(driven)
        text = driven.text()
        assert "at work" in text or "loading" in text
        for name in (
            "English",
            "German unseen",
            "Turkish unseen",
            "Korean unseen",
            "so far",
            "on topic %",
            "pro",
            "anti",
        ):
            assert name in text
        assert "█" in text
        assert "▒" in text
        score(part)
        (run / "run.pid").unlink()
        await looked(driven)
        assert (
            headline(driven) == "Complete: 1,200 of 1,200 distinct texts   100 %; the predictions wait for the corpus"
        )
        await driven.press("s")
        assert "not at work" in driven.notice()
        await driven.press("r")
        assert "give its xlt classify command again" in driven.notice()
        await driven.press("o")
        assert isinstance(driven.screen, TextScreen)
        assert "It has said nothing." in driven.text()

    drive(few, script)


def test_a_stopped_run_comes_first_when_none_is_at_work(few: Path) -> None:
    corpus = few / "corpus.duckdb"
    stopped = make_run(corpus, "2026-01-01-aaaaaaaa")
    assert stage_into(stopped, corpus, langs=("de",))
    done = make_run(corpus, "2026-01-02-bbbbbbbb")
    part = stage_into(done, corpus, langs=("en",))
    assert part is not None
    score(part)
    part.close("x")

    async def script(driven: Driven) -> None:
        await driven.press("4")
        await looked(driven)
        assert headline(driven).startswith("Stopped: 0 of 300 distinct texts are kept")
        assert "German" in driven.text()
        await driven.press("k")
        assert headline(driven) == "Complete: 300 distinct texts"
        await driven.press("r")
        assert driven.notice() == "This run is complete: there is nothing to go on with."

    drive(few, script)


@pytest.fixture
def going() -> Started:
    """A process that would go on for a minute."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    return Started(process, ("classify",), Path("none"), Path("none"))


@pytest.mark.parametrize(
    ("keys", "code", "leaves"),
    [(["enter"], None, False), (["down", "enter"], None, True), (["down", "down", "enter"], -2, True)],
)
def test_leaving_asks_what_becomes_of_a_run(
    few: Path, going: Started, keys: list[str], code: int | None, leaves: bool
) -> None:
    process = going.process
    assert isinstance(process, subprocess.Popen)

    async def script(driven: Driven) -> None:
        driven.app.started.append(going)
        await driven.press("q")
        assert isinstance(driven.screen, Choice)
        assert "A run goes on: leave xlt?" in driven.text()
        await driven.press(*keys)
        assert driven.app._exit is leaves

    try:
        drive(few, script)
        if code is not None:
            assert process.wait(10) == code
        assert going.code == code
    finally:
        process.kill()
        process.wait()


def test_the_gauge_is_full_to_an_eighth_of_a_cell() -> None:
    assert gauge(0, 4) == "────"
    assert gauge(0.5, 4) == "██──"
    assert gauge(0.53125, 4) == "██▏─"
    assert gauge(2, 4) == "████"


@pytest.mark.slow
def test_planned_started_and_brought_into_the_corpus(few: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("4")
        await driven.pilot.press("c")
        await driven.until(lambda: isinstance(driven.screen, PlanScreen))
        assert "1,200 posts, 1,200 distinct texts" in driven.text()
        await driven.until(lambda: "texts/s" in driven.text(), 90)
        assert "the prefix of" in driven.text()
        assert "Which label fits" in str(driven.screen.query_one("#prompt", Static).content)
        await driven.pilot.press("enter")
        await driven.until(lambda: "Complete: 1,200" in headline(driven), 120)
        await driven.until(lambda: not driven.app.started)
        assert "In the corpus as run" in driven.notice()
        await driven.settled()
        assert driven.app.overview is not None
        assert len(driven.app.overview.runs) == 1
        await driven.press("enter")
        assert driven.app.current_mode == "breakdown"
        assert "Turkish" in driven.text()

    drive(few, script)


@pytest.mark.slow
def test_stopped_killed_found_again_and_gone_on_with(many: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "models" / "tiny")
    assert model.is_dir()

    async def begin(driven: Driven) -> None:
        await driven.press("4")
        screen(driven).query_one(SetupBar).show(Setup(model="tiny", task="immigration"))
        bar = screen(driven).query_one(SetupBar)
        arguments = bar.setup.arguments(driven.app.workspace, driven.app.corpus)
        screen(driven)._start([*arguments, "--threads=1", "--batch-tokens=512"])
        await driven.until(lambda: bool(screen(driven)._state and screen(driven)._state.labels), 120)  # type: ignore[union-attr]
        assert "texts/s" in headline(driven)
        await driven.pilot.press("s")
        await driven.until(lambda: headline(driven).startswith("Stopped: "), 60)
        await driven.until(lambda: "was stopped" in driven.notice())
        assert not driven.app.started

        # On with it, and killed in the middle.
        await driven.pilot.press("r")
        await driven.until(lambda: "texts/s" in headline(driven), 120)
        (child,) = driven.app.started
        before = screen(driven)._state.done  # type: ignore[union-attr]
        os.kill(child.pid, signal.SIGKILL)
        await driven.until(lambda: headline(driven).startswith("Stopped: "), 60)
        assert before > 0

    async def finish(driven: Driven) -> None:
        # A new app, as after a restart.
        await driven.press("4")
        await looked(driven)
        assert headline(driven).startswith("Stopped: ")
        assert "r goes on where it was" in driven.static("#details")
        await driven.pilot.press("r")
        await driven.until(lambda: "Complete" in headline(driven), 180)

    drive(many, begin)
    assert [each.phase for each in runs(runs_folder(many / "corpus.duckdb"))] == ["stopped"]
    drive(many, finish)
    assert query(many / "corpus.duckdb", "SELECT count(*), count(DISTINCT text_key) FROM predictions") == [(4000, 4000)]


@pytest.mark.slow
def test_a_run_that_can_t_begin_says_why(few: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("4")
        screen(driven)._start(Setup(model="no-such-model").arguments(few, few / "corpus.duckdb"))
        await driven.until(lambda: "no-such-model" in driven.notice(), 60)
        assert "No runs yet" in headline(driven)

    drive(few, script)
