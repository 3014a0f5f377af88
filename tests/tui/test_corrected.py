"""Breakdown: shares corrected by hand labels, and the table as it is shown in a file."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from cli.conftest import Xlt, xlt
from coded import drawn, make_corpus
from filled import ANTI, PRO, add_run
from tui.conftest import POSTS
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.breakdown import Question
from xlt.corpus.labelled import find_runs
from xlt.corpus.store import corpus_path
from xlt.study.prevalence import of_corpus
from xlt.tasks.load import load_task

__all__ = ["xlt"]


@pytest.fixture(scope="module")
def coded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corrected")
    drawn(make_corpus(folder), 300, by=("lang",))
    return folder


@pytest.fixture
def coded(coded_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(coded_once, tmp_path / "coded"))


def words(driven: Driven) -> str:
    """The screen without its line breaks."""
    return re.sub(r"\s+", " ", driven.text())


def test_c_shows_what_the_command_line_estimates(coded: Path) -> None:
    task = load_task("immigration")
    with gate.opened(corpus_path(coded)) as con:
        answer = of_corpus(con, find_runs(con)[0], Question(), task).corrected()
    (english,) = [row for row in answer.rows if row.keys == ("en",)]
    low, high = english.intervals["topic"]["related"] or (0.0, 0.0)
    share = english.share("topic", "related") or 0.0
    own = english.counts["topic"]["related"] / english.bases["topic"]
    assert own - share > 0.05

    async def script(driven: Driven) -> None:
        def line() -> str:
            return next(each for each in driven.lines() if each.lstrip().startswith("English"))

        assert f"{100 * own:.1f}" in line()
        assert "300 hand labels of a random draw exist: c corrects by them." in words(driven)
        await driven.press("c")
        assert f"{100 * share:.1f}  {100 * low:.1f}–{100 * high:.1f}" in line()
        assert f"on topic {100 * share:.1f} ({100 * low:.1f}–{100 * high:.1f}) · pro" in driven.static("#about-row")
        assert "uncorrected" not in driven.text()
        assert "Shares are corrected by hand labels. Gold of the draw" in words(driven)
        await driven.pilot.resize_terminal(80, 24)
        await driven.settled()
        assert f"{100 * share:.1f}" in line()
        assert "–" not in line()
        assert re.search("[█▒░]{12}", line())
        await driven.press("c")
        assert f"{100 * own:.1f}" in line()

    drive(coded, script)


def test_what_is_corrected_is_remembered(coded: Path) -> None:
    async def first(driven: Driven) -> None:
        await driven.press("c", "ctrl+q")

    async def then(driven: Driven) -> None:
        assert "Shares are corrected by hand labels." in driven.text()

    drive(coded, first)
    drive(coded, then)


def test_without_hand_labels_c_says_what_to_do(small: Path) -> None:
    async def script(driven: Driven) -> None:
        before = driven.lines()[5:9]
        await driven.press("c")
        assert "No texts were drawn for estimates" in driven.notice()
        assert driven.lines()[5:9] == before
        assert "Shares are the classifier's, uncorrected." in driven.text()
        await driven.press("c")
        assert "No texts were drawn for estimates" in driven.notice()

    drive(small, script)


def test_of_two_runs_and_of_authors_nothing_is_corrected(coded: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("c", "b", "j", "j", "j", "j", "j", "j", "enter")
        assert "Corrected shares are of one run" in driven.notice()
        await driven.press("b", "g", "home", "enter", "c")
        assert driven.notice() == ""
        await driven.press("u", "j", "j", "enter")
        assert "Shares of authors can't be corrected" in driven.notice()

    drive(coded, script)


def test_e_writes_what_the_command_line_writes(coded: Path, xlt: Xlt) -> None:
    for name, options in (("own.csv", ()), ("corrected.csv", ("--corrected",))):
        assert xlt("breakdown", "--workspace", str(coded), "--quiet", "-o", name, *options).code == 0

    async def export(driven: Driven, path: str) -> None:
        await driven.press("e", "ctrl+u")
        await driven.type(path)
        await driven.press("enter")

    async def script(driven: Driven) -> None:
        for theirs, keys in (("own.csv", ()), ("corrected.csv", ("c",))):
            await driven.press(*keys)
            await export(driven, "mine.csv")
            assert driven.notice() == "Written: mine.csv, 2 rows."
            assert Path("mine.csv").read_text() == Path(theirs).read_text()
        await driven.press("s", "home", "j", "j", "enter", "S")  # the fewest first
        await export(driven, "mine.csv")
        with Path("mine.csv").open() as file:
            assert [row["lang"] for row in csv.DictReader(file)] == ["de", "en", ""]
        await export(driven, "mine.json")
        assert json.loads(Path("mine.json").read_text())["unit"] == "texts"
        await export(driven, "mine.xls")
        assert "the output must end in .csv, .json, .parquet" in driven.notice()

    drive(coded, script)


def test_two_runs_are_written_below_one_another(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = [post for post in POSTS if post.label in (PRO, ANTI)]
    add_run(corpus_path(small), other, "2026-03-03-bbbbbbbb")

    async def script(driven: Driven) -> None:
        await driven.press("v", "j", "enter", "e", "ctrl+u", *"two", "full_stop", *"csv", "enter")
        assert "Written: two.csv" in driven.notice()

    drive(small, script)
    with (tmp_path / "two.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"][-1:], row["lang"]) for row in rows][:3] == [("b", "en"), ("a", "en"), ("b", "de")]
    assert rows[-1]["run"] == ""
