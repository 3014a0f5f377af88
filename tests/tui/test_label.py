"""Label: draws, who codes, agreement; and what the rest of xlt makes of what was coded."""

from __future__ import annotations

import json
from pathlib import Path

from textual.widgets import Input

from cli.conftest import Xlt, xlt
from corpus.workspaces import holder
from filled import ANTI, PRO, Post, fill
from tui.coded import LABELS, POSTS, begin, drawn, gold, order, say, written
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.draws import Draw, draws
from xlt.corpus.store import corpus_path
from xlt.tui.choice import Choice
from xlt.tui.label.agreement import AgreementScreen
from xlt.tui.label.coding import CodingScreen
from xlt.tui.label.drawing import DrawScreen
from xlt.tui.label.options import Options
from xlt.tui.label.screen import LabelScreen

__all__ = ["xlt"]


def known(workspace: Path) -> list[Draw]:
    with gate.opened(corpus_path(workspace)) as con:
        return draws(con)


def field(driven: Driven, name: str) -> Input:
    return driven.screen.query_one(f"#{name}", Input)


def test_without_draws_it_says_why_and_offers_one(tmp_path: Path) -> None:
    fill(tmp_path, POSTS)

    async def script(driven: Driven) -> None:
        await driven.press("6")
        assert "Nothing is drawn to be coded yet." in driven.text()
        await driven.press("a")
        assert "Nothing is drawn yet" in driven.notice()
        await driven.press("b")
        assert "Codebook: Immigration" in driven.text()
        await driven.press("escape", "n")
        assert isinstance(driven.screen, DrawScreen)
        await driven.press("ctrl+u", *"nil", "enter")
        assert "nil is no number of texts" in driven.static("#wrong")
        await driven.press("ctrl+u", *"10", "tab", "down", "down", "tab", "down")
        assert driven.screen.query_one("#purpose", Options).value == "dev"
        assert driven.screen.query_one("#by", Options).value == "confidence"
        await driven.press("up", "tab", *"Klingon", "enter")
        assert "Klingon is no language" in driven.static("#wrong")
        field(driven, "langs").value = "German, en"
        field(driven, "coders").value = "ada, ada"
        await driven.press("enter")
        assert "ada is named twice" in driven.static("#wrong")
        field(driven, "coders").value = "ada,  ben"
        field(driven, "overlap").value = "150"
        await driven.press("enter")
        assert "150 is no share" in driven.static("#wrong")
        field(driven, "overlap").value = "50 %"
        await driven.press("enter")
        assert isinstance(driven.screen, LabelScreen)
        assert driven.notice() == "Drawn: 10 of 12 texts; enter codes them."
        assert "5 go to two coders" in driven.static("#about-draw")
        assert [each in driven.text() for each in ("English", "German", "ada", "ben", "0 of")] == [True] * 5

    drive(tmp_path, script)
    (draw,) = known(tmp_path)
    assert (draw.purpose, draw.drawn, draw.task) == ("dev", 10, "immigration")
    assert {part.name: part.drawn for part in draw.parts} == {"en": 6, "de": 4}
    assert {each.coders for each in order(tmp_path)} <= {("ada",), ("ben",), ("ada", "ben"), ("ben", "ada")}


def test_a_draw_by_confidence_and_one_that_nobody_coded_taken_back(tmp_path: Path) -> None:
    fill(tmp_path, [Post(str(at), f"text {at}", PRO, "en", confidence=at / 20) for at in range(20)])

    async def script(driven: Driven) -> None:
        await driven.press("6", "n", "ctrl+u", *"8", "tab", "tab", "down", "enter")
        assert isinstance(driven.screen, DrawScreen)
        await driven.press("tab", "enter")
        assert "8 of 20 texts, 4 strata" in driven.static("#about-draw")
        await driven.press("n", "ctrl+u", *"50", "enter")
        assert len(known(tmp_path)) == 2
        # The newest stands on top, and nothing is drawn twice.
        assert "12 of 12 texts" in driven.static("#about-draw")
        await driven.press("n", "enter")
        assert "nothing left to draw" in driven.static("#wrong")
        await driven.press("escape", "x", "j", "enter")
        assert "8 of 20 texts" in driven.static("#about-draw")
        say(tmp_path, known(tmp_path)[0], (1, PRO, "ada"))
        await driven.press("x", "j", "enter")
        assert "1 texts of the draw" in driven.notice()

    drive(tmp_path, script)
    assert [len(draw.parts) for draw in known(tmp_path)] == [4]


def test_keys_that_come_at_once_go_where_the_ones_before_lead(tmp_path: Path) -> None:
    fill(tmp_path, POSTS)

    async def script(driven: Driven) -> None:
        await driven.press("6")
        # As a script types, or a slow line delivers them: all in one.
        driven.at_once("n", *"7", "tab", "down", "tab", "tab", *"de,en", "tab", *"ben", "enter")
        await driven.until(lambda: len(known(tmp_path)) == 1)
        await driven.settled()
        assert isinstance(driven.screen, LabelScreen)

    drive(tmp_path, script)
    (draw,) = known(tmp_path)
    assert (draw.drawn, draw.purpose) == (7, "train")
    assert {part.name for part in draw.parts} == {"de", "en"}
    assert {each.coders for each in order(tmp_path)} == {("ben",)}


def test_drawing_waits_for_a_corpus_that_others_hold(tmp_path: Path) -> None:
    fill(tmp_path, POSTS)

    async def script(driven: Driven) -> None:
        await driven.press("6", "n")
        with holder(corpus_path(tmp_path), "read") as other:
            await driven.pilot.press("enter")
            await driven.until(lambda: f"process {other.pid}" in driven.static("#wrong"))
        await driven.until(lambda: isinstance(driven.screen, LabelScreen))
        await driven.settled()

    drive(tmp_path, script)
    assert len(known(tmp_path)) == 1


def test_who_codes_is_asked_once_and_can_be_changed(tmp_path: Path) -> None:
    drawn(tmp_path, coders=("ada", "ben"))

    async def script(driven: Driven) -> None:
        await driven.press("6")
        assert "who codes?" in driven.text()
        await driven.press("enter")
        assert isinstance(driven.screen, Choice)
        await driven.press("j", "enter", "escape")
        assert isinstance(driven.screen, CodingScreen)
        await driven.press("q", "w", "j", "enter")
        await driven.type("  C, y ")
        await driven.press("enter")
        assert "C y codes" in driven.text()
        await driven.press("ctrl+q")

    async def again(driven: Driven) -> None:
        assert isinstance(driven.screen, LabelScreen)
        assert "C y codes" in driven.text()
        driven.app.settings.of("label").update(competence=3, coded_from=[1], book="x")
        driven.app.settings.of("label")["coder"] = "ada"
        await driven.press("enter", "enter", "t", "1")
        await written(driven)

    drive(tmp_path, script)
    drive(tmp_path, again)
    assert [(row["competence"], row["coded_from"]) for row in gold(tmp_path)] == [("native", "translation")]


def test_agreement_of_a_draw_and_of_all(tmp_path: Path) -> None:
    posts = [Post(str(at), f"text {at}", LABELS[at % 4], "en" if at < 60 else "de") for at in range(80)]
    draw = drawn(tmp_path, posts, n=70, by=())
    keys = order(tmp_path)
    right = {post.text: post.label for post in posts}

    async def nobody(driven: Driven) -> None:
        await driven.press("6", "a")
        assert "0 labels by 0 coders" in driven.static("#tables")

    drive(tmp_path, nobody)
    voices = [(each.position, right[each.text], "ada") for each in keys]
    voices += [(at, ANTI if at % 5 == 0 else label, "ben") for at, label, _ in voices]
    say(tmp_path, draw, *voices)

    async def script(driven: Driven) -> None:
        await driven.press("6", "a")
        assert isinstance(driven.screen, AgreementScreen)
        said = driven.text()
        assert [each in said for each in ("English", "German", "kappa", "The model beside them")] == [True] * 4
        # Ada is the model's twin.
        assert any("ada" in line and "1.00" in line for line in said.splitlines())
        assert draw.id in said
        await driven.press("a")
        assert "all labels of immigration" in driven.text()

    drive(tmp_path, script, (120, 60))


def test_a_task_that_is_not_here_is_a_sentence(tmp_path: Path) -> None:
    drawn(tmp_path, task="mine")

    async def script(driven: Driven) -> None:
        driven.app.settings.of("label")["coder"] = "ada"
        for key in ("enter", "a", "b"):
            await driven.press("6", key)
            assert "The task mine is not here" in driven.notice()
            driven.screen.clear()  # type: ignore[attr-defined]

    drive(tmp_path, script)


def test_what_was_coded_measures_and_corrects(xlt: Xlt, tmp_path: Path) -> None:
    posts = [Post(str(at), f"text {at}", LABELS[at % 4], "en" if at % 2 else "de") for at in range(80)]
    drawn(tmp_path, posts, n=60, allocation="proportional")
    right = {post.text: "1234"[LABELS.index(post.label)] for post in posts if post.label}
    # The coder differs from the model in one text of ten.
    keys = ["3" if each.position % 10 == 0 else right[each.text] for each in order(tmp_path)]

    async def script(driven: Driven) -> None:
        await begin(driven)
        driven.at_once(*keys)
        await driven.until(lambda: "60 of 60" in driven.static("#count"))
        await written(driven)

    drive(tmp_path, script)
    assert [row["text"] for row in gold(tmp_path)] == [each.text for each in order(tmp_path)]
    assert "60" in xlt("evaluate", "--corpus").out
    (row,) = json.loads(xlt("prevalence", "corpus", "--by", "none", "--format", "json").out)["rows"][:1]
    assert row["gold_n"] == 60
