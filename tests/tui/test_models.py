"""Models: the list, one in full, curves of a training, two side by side, and what is begun from here."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Static

from hub import Hub, hub
from models import write_model
from training.test_curves import make_training
from tui.driven import Driven, drive
from xlt.cards.card import Card, Score
from xlt.cards.listing import Entry
from xlt.processes import alive
from xlt.training.curves import Mark, read_curves
from xlt.tui.choice import Choice
from xlt.tui.shelf.detail import HEIGHT, Shown, comparison, describe, learning
from xlt.tui.shelf.screen import ModelsScreen, machine
from xlt.tui.widgets.chart import curve, framed, smoothed

__all__ = ["hub"]

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


async def ended(driven: Driven) -> None:
    """Wait until every process that was begun is told about, and the list is read anew."""
    await driven.until(lambda: not driven.app.started, 40)
    await driven.settled()


@pytest.mark.slow
def test_a_model_is_made_small_and_what_can_t_be_made_says_why(small: Path) -> None:
    write_model(small / "models" / "tiny")
    (small / "models" / "tiny" / "card.toml").write_text(CARD.replace('"mine"', '"tiny"'))

    async def script(driven: Driven) -> None:
        await driven.press("5")
        to(driven, "xlt-mini")
        await driven.settled()
        await driven.pilot.press("u", "end", "enter")
        await ended(driven)
        assert "'xlt-mini' can't become a GGUF file" in driven.notice()
        assert isinstance(driven.screen, ModelsScreen)
        # Few texts to compare, which no key says.
        arguments = ["quantise", "tiny", "--to=gguf", "--limit=8", "--workspace", str(small)]
        driven.screen.begin(arguments, "Quantising tiny")
        await driven.until(lambda: "Quantising tiny (s stops it)" in driven.notice())
        await ended(driven)
        assert driven.notice().endswith("tiny-gguf-q4_0 is ready: xlt classify FILE -m tiny-gguf-q4_0")
        to(driven, "tiny-gguf-q4_0")
        await driven.settled()
        assert "state       workspace" in about(driven)

    drive(small, script)


@pytest.mark.slow
def test_a_pull_goes_on_without_xlt_is_found_again_stopped_and_finished(hub: Hub, small: Path, tmp_path: Path) -> None:
    hub.repos["meta-llama/Llama-3.2-3B-Instruct"] = write_model(tmp_path / "served", shards=2)
    hub.stalls = "model-00001-of-00002.safetensors"
    begun: list[int] = []

    async def begin(driven: Driven) -> None:
        await driven.press("5", "s")
        assert driven.notice() == "No model is being made or fetched."
        to(driven, "llama-3.2-3b")
        await driven.press("p")
        await driven.pilot.press("down", "enter")
        # From here on something is at work.
        await driven.until(lambda: any(hub.stalls in each and "GET" in each for each in hub.asked), 60)
        assert "Fetching llama-3.2-3b (s stops it)" in driven.notice()
        begun.append(driven.app.started[0].pid)
        await driven.pilot.press("1", "ctrl+q")
        await driven.until(lambda: isinstance(driven.screen, Choice))
        assert "xlt models pull goes on: leave xlt?" in driven.text()
        await driven.pilot.press("down", "enter")
        await driven.until(lambda: driven.app._exit)

    async def again(driven: Driven) -> None:
        assert alive(begun[0])
        await driven.pilot.press("5")
        await driven.until(lambda: "xlt models pull llama-3.2-3b (s stops it)" in driven.notice())
        await driven.pilot.press("s")
        await ended(driven)
        assert driven.notice() == "xlt models pull was stopped; what was fetched is kept, and p goes on where it was."
        assert not alive(begun[0])
        await driven.until(lambda: "state       not whole" in about(driven))
        hub.stalls = ""
        await driven.press("p")
        await driven.pilot.press("down", "enter")
        await ended(driven)
        assert "llama-3.2-3b is here: " in driven.notice()
        await driven.until(lambda: "state       hub cache" in about(driven))

    drive(small, begin)
    drive(small, again)


def test_curves_take_the_room_that_there_is(tmp_path: Path) -> None:
    curves = read_curves(make_training(tmp_path / "learner"))
    shown = Shown(Entry("learner", "workspace", 0), None, curves)
    small, large = (describe(shown, None, width, height).plain for width, height in ((76, 13), (100, 56)))
    assert small.count("│") + 2 * HEIGHT < large.count("│")
    assert "macro-F1 so far" not in small
    # Nothing is said of what a model in the making does not have yet.
    assert [each in large for each in ("a base model", "on disk", "parameters")] == [False] * 3
    marks = tuple(Mark(step, step, of, 8, 1.0, 0.5, step / 4) for step in (1, 2, 3) for of in ("seen", "en"))
    told = learning(replace(curves, marks=marks), 100).plain
    assert "macro-F1 so far, 0 to 1" in told
    assert told.count("▃▅▇") == 2


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
