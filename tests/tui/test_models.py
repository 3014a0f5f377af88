"""Models: the list, one in full, curves of a training, two side by side, and what is begun from here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from textual.widgets import Static

from training.test_curves import make_training
from tui.driven import Driven, drive
from xlt.cards.card import Card, Score
from xlt.cards.listing import Entry
from xlt.tui.shelf.detail import Shown, comparison, describe
from xlt.tui.shelf.screen import ModelsScreen, machine
from xlt.tui.widgets.chart import curve, framed, smoothed

CARD = """\
name = "mine"
title = "mine [/bold]"
description = "Tuned on two languages."
task = "immigration"
languages = ["en", "it"]
base = "xlt-mini-base"
licence = "MIT"
parameters = 3474688

[made]
seed = 7

[[scores]]
metric = "macro-F1"
value = 0.612
data = "immigration/test.csv"
n = 875
low = 0.58
high = 0.64
"""


def about(driven: Driven) -> str:
    return str(driven.screen.query_one("#model Static", Static).content)


def to(driven: Driven, name: str) -> None:
    screen = driven.screen
    assert isinstance(screen, ModelsScreen)
    driven.rows().cursor = [each.name for each in screen._shelf.models].index(name)


def test_what_there_is_and_one_in_full(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("5")
        text = driven.text()
        assert "llama-3.2-3b" in text
        assert "not downloaded" in text
        assert "immigration, 13 languages" in text
        to(driven, "xlt-mini")
        await driven.settled()
        assert "Arabic, German, English" in " ".join(about(driven).split())
        assert "measured on immigration/test.csv" in about(driven)
        assert "95 % interval" in about(driven)
        assert "always unrelated" in about(driven)
        await driven.press("p")
        assert "here already" in driven.notice()
        to(driven, "llama-3.2-3b")
        await driven.press("u")
        assert "not on this machine" in driven.notice()

    drive(small, script)


def test_it_opens_without_posts_too(tmp_path: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("5")
        assert isinstance(driven.screen, ModelsScreen)
        assert "xlt-mini" in driven.text()

    drive(tmp_path, script)


def test_a_training_shows_its_curves_while_it_learns(small: Path) -> None:
    model = make_training(small / "models" / "learner")
    lock = model / "training" / "checkpoints" / "work.pid"
    lock.parent.mkdir()
    lock.write_text(str(os.getpid()))

    async def script(driven: Driven) -> None:
        await driven.press("5")
        to(driven, "learner")
        await driven.settled()
        assert f"learning, process {os.getpid()}" in about(driven)
        assert "recipe tiny, 2 steps, 400 tokens/s" in about(driven)
        assert "macro-F1, seen languages" in about(driven)
        assert "1.50 ┤" in about(driven)
        steps = model / "training" / "steps.csv"
        steps.write_text(steps.read_text() + "1,0.1,50,0.5\n4,1,0.5,0.1,0.1,50,0.5\n")
        await driven.until(lambda: "4 steps" in about(driven))
        lock.unlink()
        await driven.until(lambda: "training stopped" in about(driven))

    drive(small, script)


def test_two_models_side_by_side(small: Path) -> None:
    for name in ("mine", "other"):
        folder = small / "models" / name
        folder.mkdir(parents=True)
        (folder / "card.toml").write_text(
            CARD.replace('"mine"', f'"{name}"').replace("0.612", "0.5" if name == "other" else "0.612")
        )

    async def script(driven: Driven) -> None:
        await driven.press("5")
        to(driven, "mine")
        await driven.settled()
        assert "mine [/bold]" in about(driven)
        assert "macro-F1 0.612, 95 % interval 0.580 to 0.640" in about(driven)
        await driven.press("v")
        await driven.type("other")
        await driven.press("enter")
        assert "-0.112" in driven.text()

    drive(small, script)


def test_figures_of_other_texts_are_not_compared() -> None:
    assert "not measured on the same texts" in comparison("a", "b", []).plain


def test_a_model_without_anything_known_is_shown_all_the_same() -> None:
    assert "no language" in describe(Shown(Entry("x", "workspace", 0), None), None, 80).plain
    card = Card("x", "x", "", scores=(Score("accuracy", 0.5, "d", 3, "it"),))
    fits = [{"stored": "bf16", "total": 2e9, "fits": False}]
    text = describe(Shown(Entry("x", "workspace", 5_000_000), card), fits, 80).plain
    assert "bf16 2.00 GB does not fit" in text
    assert "Italian" in text


def test_curves_are_drawn_from_edge_to_edge() -> None:
    lines = curve([(0, 0), (1, 1)], 4, 2, 0, 1, 0, 1)
    assert [len(line) for line in lines] == [4, 4]
    assert lines[0].startswith("  ")
    assert lines[1].endswith("  ")
    assert curve([(3, 5)], 2, 1, 5, 5, 3, 3) != ["  "]
    assert smoothed([1, 3, 5], 2) == [1, 2, 4]
    assert framed(lines, "t", "0", "1", "x")[0] == "t"


@pytest.mark.slow
def test_the_machine_is_looked_at_in_a_process_of_its_own(small: Path) -> None:
    async def script(driven: Driven) -> None:
        await driven.press("5")
        to(driven, "llama-3.2-3b")
        await driven.pilot.press("d")
        await driven.until(lambda: "What this machine can run" in driven.text(), 60)
        assert "torch" in driven.text()
        await driven.press("escape")
        assert "takes here" in about(driven)

    drive(small, script)


def test_the_findings_in_words() -> None:
    found = {
        "xlt": "1",
        "python": "3",
        "platform": "p",
        "cores": 2,
        "memory": 8e9,
        "free": 4e9,
        "backends": [{"name": "torch", "chosen": True, "availability": {"devices": [], "reason": "missing"}}],
        "models": [{"name": "m", "problem": "broken", "fits": []}],
        "advice": ["Do this."],
    }
    assert "missing" in machine(json.loads(json.dumps(found))).plain
