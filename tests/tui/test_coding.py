"""Coding: keys, undo, notes, what is kept with a label, and that none is ever lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from corpus.workspaces import holder
from filled import ANTI, NEUTRAL, PRO, UNRELATED, Post
from tui.coded import ASK, POSTS, begin, coding, drawn, gold, order, say, written
from tui.driven import Driven, drive
from xlt.corpus import gate
from xlt.corpus.journal import Journal
from xlt.corpus.store import corpus_path
from xlt.tasks.load import BUILTIN, load_task, parse_task
from xlt.tui.choice import Choice, Line
from xlt.tui.label.book import label_keys
from xlt.tui.label.coding import CodingScreen, LabelLine
from xlt.tui.label.leaving import Leaving
from xlt.tui.label.screen import LabelScreen


def labels(workspace: Path) -> list[tuple[str, str | None]]:
    return [(row["text"], row["label"]) for row in gold(workspace)]


def test_one_key_per_label_and_what_is_kept_with_it(tmp_path: Path) -> None:
    draw = drawn(tmp_path)
    known = order(tmp_path)
    second = next(at for at, each in enumerate(known) if each.lang != known[0].lang)

    async def script(driven: Driven) -> None:
        await driven.press("6", "enter")
        assert isinstance(driven.screen, Line)
        await driven.type("ada")
        await driven.press("enter")
        # A language that comes up for the first time is asked about, once.
        assert isinstance(driven.screen, Choice)
        await driven.press("j", "enter")
        await driven.press("1", *["2"] * (second - 1))
        assert isinstance(driven.screen, Choice)
        await driven.press("escape")
        await driven.press("3", "4")
        await written(driven)

    app = drive(tmp_path, script)
    rows = gold(tmp_path)
    assert [(row["text"], row["label"]) for row in rows] == list(
        zip((each.text for each in known), (PRO, *[ANTI] * (second - 1), NEUTRAL, UNRELATED), strict=False)
    )
    book = load_task("immigration").codebook
    assert book is not None
    kept = {(r["coder"], r["draw"], r["codebook"], r["role"], r["coded_from"], r["blind"]) for r in rows}
    assert kept == {("ada", draw.id, book.hash, "coder", "original", True)}
    # Whoever does not answer is not asked again, and nothing is made up.
    first = {row["competence"] for row in rows if row["text"] in {e.text for e in known if e.lang == known[0].lang}}
    assert (first, rows[second]["competence"]) == ({"fluent"}, None)
    assert app.settings.of("label")["coder"] == "ada"


def test_other_digits_do_nothing_and_no_number_leads_away(tmp_path: Path) -> None:
    drawn(tmp_path)

    async def script(driven: Driven) -> None:
        await begin(driven)
        now = coding(driven).session.item
        await driven.press(*"567890")
        assert coding(driven).session.item is now
        await driven.press("q")
        assert isinstance(driven.screen, LabelScreen)
        await driven.press("2")
        assert not isinstance(driven.screen, LabelScreen)

    drive(tmp_path, script)
    assert gold(tmp_path) == []


def test_keys_are_answers_where_these_are_digits() -> None:
    assert label_keys(load_task("immigration")) == {"1": PRO, "2": ANTI, "3": NEUTRAL, "4": UNRELATED}
    source = (BUILTIN / "sentiment.toml").read_text(encoding="utf-8")
    for at, answer in enumerate(("N", "U", "P"), start=1):
        source = source.replace(f'answer = "{at}"', f'answer = "{answer}"')
    assert label_keys(parse_task(source)) == {"1": "negative", "2": "neutral", "3": "positive"}
    turned = (BUILTIN / "sentiment.toml").read_text(encoding="utf-8").replace('answer = "1"', 'answer = "0"')
    assert label_keys(parse_task(turned)) == {"0": "negative", "2": "neutral", "3": "positive"}


def test_uncodable_skip_note_translation_and_the_models_label(tmp_path: Path) -> None:
    drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]
    model = {post.text: post.label for post in POSTS}

    async def script(driven: Driven) -> None:
        await begin(driven)
        await driven.press("x")
        await driven.type("no sentence")
        await driven.press("enter")
        await driven.press("s")
        await driven.press("m")
        await driven.type("irony")
        await driven.press("enter")
        assert "irony" in driven.static("#said")
        assert "the model" not in driven.text()
        await driven.press("2")
        await driven.press("r")
        assert "the model" in driven.static("#said")
        assert str(model[texts[3]]).split("-")[0] in driven.static("#said")
        await driven.press("t", "1")
        while coding(driven).session.left.total() > 1:
            await driven.press("4")
        # What was skipped comes last, and has nothing to be skipped for.
        assert texts[1] in driven.static("#text")
        await driven.press("s")
        assert "the last one" in driven.notice()
        await driven.press("x", "escape")
        assert texts[1] in driven.static("#text")
        await driven.press("x", "enter")
        assert "Done: 12 texts coded." in driven.static("#text")
        await driven.press("1", "x", "s", "r", "t", "m")
        await written(driven)

    drive(tmp_path, script)
    rows = gold(tmp_path)
    assert len(rows) == 12
    by_text = {row["text"]: row for row in rows}
    assert [row["text"] for row in rows] == [texts[0], *texts[2:], texts[1]]
    first, noted, seen, last = (by_text[texts[at]] for at in (0, 2, 3, 1))
    assert (first["label"], first["note"]) == (None, "no sentence")
    assert (noted["label"], noted["note"], noted["blind"]) == (ANTI, "irony", True)
    assert (seen["label"], seen["note"], seen["blind"], seen["coded_from"]) == (PRO, None, False, "translation")
    assert (last["label"], last["note"]) == (None, None)
    # Translated is a matter of the language: its other texts are, too.
    lang = next(each.lang for each in order(tmp_path) if each.text == texts[3])
    later = [row for row, item in ((by_text[i.text], i) for i in order(tmp_path)[4:]) if item.lang == lang]
    assert {row["coded_from"] for row in later} == {"translation"}


def test_undo_goes_back_across_what_is_written(tmp_path: Path) -> None:
    drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]

    async def script(driven: Driven) -> None:
        await begin(driven)
        await driven.press("1", "r", "2", "s", "3")
        await written(driven)
        assert len(gold(tmp_path)) == 3
        await driven.press("u")  # 3
        assert texts[3] in driven.static("#text")
        await driven.press("u")  # the skip
        assert texts[2] in driven.static("#text")
        await driven.press("u")  # 2
        assert texts[1] in driven.static("#text")
        # What was seen can't be unseen.
        assert "the model" in driven.static("#said")
        await driven.press("4")
        await driven.press("u", "u")
        assert texts[0] in driven.static("#text")
        await driven.press("u")
        assert "nothing before" in driven.notice()
        await driven.press("3", "4")
        await written(driven)

    drive(tmp_path, script)
    assert labels(tmp_path) == [(texts[0], NEUTRAL), (texts[1], UNRELATED)]
    assert [row["blind"] for row in gold(tmp_path)] == [True, False]


def test_going_back_to_an_earlier_day_adds_a_row(tmp_path: Path) -> None:
    draw = drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]
    say(tmp_path, draw, (1, PRO, "ada"), (2, ANTI, "ada"), (1, ANTI, "ben"))

    async def script(driven: Driven) -> None:
        await begin(driven)
        assert texts[2] in driven.static("#text")
        assert "2 of 12" in driven.static("#count")
        await driven.press("u", "u")
        assert "so far" in driven.static("#said")
        assert "pro" in driven.static("#said")
        # Another coder's label is nobody's business while coding.
        assert "ben" not in driven.text()
        await driven.press("3", "s")
        assert texts[2] in driven.static("#text")
        await written(driven)

    drive(tmp_path, script)
    assert labels(tmp_path) == [
        *((texts[0], PRO), (texts[1], ANTI), (texts[0], ANTI)),
        (texts[0], NEUTRAL),
    ]


def test_two_coders_and_their_overlap(tmp_path: Path) -> None:
    drawn(tmp_path, coders=("ada", "ben"), overlap=0.5)
    shared = {each.text for each in order(tmp_path) if len(each.coders) == 2}
    assert len(shared) == 6

    def code_all(coder: str, key: str) -> None:
        async def script(driven: Driven) -> None:
            await begin(driven, coder)
            await driven.pilot.press(*key * 9)
            await written(driven)
            assert "9 of 9" in driven.static("#count")

        drive(tmp_path, script)

    code_all("ada", "1")
    code_all("ben", "2")
    rows = gold(tmp_path)
    assert len(rows) == 18
    assert {row["text"] for row in rows if row["label"] == PRO} & {
        row["text"] for row in rows if row["label"] == ANTI
    } == shared

    async def stranger(driven: Driven) -> None:
        driven.app.settings.of("label")["coder"] = "cy"
        await driven.press("6", "enter")
        assert driven.notice() == "This draw is for ada, ben, and cy codes here; w changes that."

    drive(tmp_path, stranger)


def test_adjudication_adds_a_row_and_changes_none(tmp_path: Path) -> None:
    draw = drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]
    say(tmp_path, draw, (1, PRO, "ada"), (1, ANTI, "ben"), (2, PRO, "ada"), (2, PRO, "ben"))
    say(tmp_path, draw, (3, PRO, "ada"), (3, None, "ben"))
    before = gold(tmp_path)

    async def script(driven: Driven) -> None:
        driven.app.settings.of("label")["coder"] = "cy"
        driven.app.settings.of("label")["competence"] = {"cy": {"en": "native", "de": "native"}}
        await driven.press("6")
        assert "2 to settle" in driven.static("#about-draw")
        await driven.press("d")
        said = driven.static("#said")
        assert [each in said for each in ("ada", "pro", "ben", "anti")] == [True] * 4
        await driven.press("m")
        await driven.type("a quotation")
        await driven.press("enter", "3")
        assert "can't be coded" in driven.static("#said")
        await driven.press("1")
        assert "Done: 2 texts settled." in driven.static("#text")
        await written(driven)
        await driven.press("q")
        await driven.until(lambda: "to settle" not in driven.static("#about-draw"))
        await driven.press("d")
        # What cy has settled can be looked at again.
        assert "Done" in driven.static("#text")
        await driven.press("u")
        assert "so far" in driven.static("#said")

    drive(tmp_path, script)
    rows = gold(tmp_path)
    assert rows[:6] == before
    assert [(row["text"], row["label"], row["role"], row["coder"], row["note"]) for row in rows[6:]] == [
        (texts[0], NEUTRAL, "adjudicator", "cy", "a quotation"),
        (texts[2], PRO, "adjudicator", "cy", None),
    ]


def test_the_mouse_gives_labels_and_the_codebook_is_a_key_away(tmp_path: Path) -> None:
    drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]

    async def script(driven: Driven) -> None:
        await begin(driven)
        await driven.press("b")
        assert "Codebook: Immigration" in driven.text()
        assert "storks" not in driven.text()
        # Over the codebook a label's key is no label's key.
        await driven.press("2", "escape")
        await driven.pilot.resize_terminal(200, 60)
        await driven.press("b")
        assert "What it is about" in driven.text()
        await driven.pilot.click(list(driven.screen.query(LabelLine))[1])
        await driven.press("ctrl+p")
        await driven.type("label")
        await driven.press("escape")
        await written(driven)

    drive(tmp_path, script)
    assert labels(tmp_path) == [(texts[0], ANTI)]


def test_a_held_corpus_keeps_nobody_from_coding(tmp_path: Path) -> None:
    drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]

    async def script(driven: Driven) -> None:
        await begin(driven)
        with holder(corpus_path(tmp_path), "write") as other:
            for key in "1213":
                await driven.pilot.press(key)
                await driven.pilot.pause()
            await driven.pilot.press("u")
            await driven.pilot.pause()
            # Nothing has waited, and all of it is on the way.
            assert texts[3] in driven.static("#text")
            assert "5 not written yet" in driven.static("#count")
            await driven.until(lambda: f"process {other.pid}" in driven.notice())
            await driven.pilot.press("4", "ctrl+q")
            await driven.until(lambda: isinstance(driven.screen, Leaving))
            await driven.pilot.press("enter")  # stay
            await driven.until(lambda: isinstance(driven.screen, CodingScreen))
        await written(driven)
        await driven.pilot.pause(0.1)
        assert driven.notice() == ""
        assert "written" not in driven.static("#count")

    drive(tmp_path, script)
    assert labels(tmp_path) == list(zip(texts[:4], (PRO, ANTI, PRO, UNRELATED), strict=True))


def test_leaving_waits_until_the_labels_are_written(tmp_path: Path) -> None:
    drawn(tmp_path)

    async def script(driven: Driven) -> None:
        await begin(driven)
        with holder(corpus_path(tmp_path), "write"):
            await driven.pilot.press("1", "2", "ctrl+q")
            await driven.until(lambda: isinstance(driven.screen, Leaving))
            assert "2 labels wait" in driven.text()
            assert driven.app.is_running
        await driven.until(lambda: not driven.app.is_running or driven.app._exit)

    drive(tmp_path, script)
    assert len(gold(tmp_path)) == 2


def test_labels_left_behind_are_written_at_the_next_start(tmp_path: Path) -> None:
    drawn(tmp_path)
    texts = [each.text for each in order(tmp_path)]

    async def leave(driven: Driven) -> None:
        await begin(driven)
        await driven.pilot.press("1")
        await written(driven)
        with holder(corpus_path(tmp_path), "write"):
            await driven.pilot.press("2", "3", "u", "ctrl+q")
            await driven.until(lambda: isinstance(driven.screen, Leaving))
            await driven.pilot.press("j", "enter")
            await driven.until(lambda: not driven.app.is_running or driven.app._exit)

    drive(tmp_path, leave)
    assert labels(tmp_path) == [(texts[0], PRO)]
    left = Journal(corpus_path(tmp_path))._path
    # This process is alive; the one that left them would not be.
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left.rename(left.with_name(left.name.replace(str(os.getpid()), str(process.pid))))

    async def again(driven: Driven) -> None:
        # On whatever screen it opens.
        await driven.until(lambda: "cut short" in driven.notice())
        assert driven.notice() == "Labels of a session that was cut short are in the corpus now: 1."

    drive(tmp_path, again)
    assert labels(tmp_path) == [(texts[0], PRO), (texts[1], ANTI)]
    assert not list((tmp_path / ".xlt").glob("*labels*"))


def test_recovered_labels_are_told_though_the_corpus_was_asked_after_they_were_written(tmp_path: Path) -> None:
    drawn(tmp_path)

    async def script(driven: Driven) -> None:
        await driven.settled()
        # Written so fast that the question that was on its way has seen them: nothing has changed since.
        driven.app._recovered = 2
        driven.app.hear_labels()
        await driven.settled()
        assert driven.notice().endswith("are in the corpus now: 2.")

    drive(tmp_path, script)


KILLED = """
import asyncio, sys
from pathlib import Path
from tui.coded import begin
from tui.driven import drive

async def script(driven):
    await begin(driven)
    while True:
        await driven.pilot.press("1")
        count = driven.app.labels.waiting
        print(len(driven.screen.session._steps) - count, flush=True)
        await asyncio.sleep(0.002)

drive(Path(sys.argv[1]), script)
"""


def test_killed_in_the_middle_of_coding(tmp_path: Path) -> None:
    posts = [Post(f"e{at}", f"english text {at}", PRO, "en", "en") for at in range(300)]
    drawn(tmp_path, posts, ASK, n=300)
    texts = [each.text for each in order(tmp_path)]
    here = str(Path(__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": here},
    ) as process:
        assert process.stdout is not None
        acknowledged = 0
        began = time.monotonic()
        while acknowledged < 10 and time.monotonic() - began < 60:
            acknowledged = int(process.stdout.readline() or 10**9)
        os.kill(process.pid, signal.SIGKILL)
    assert acknowledged < 10**9
    there = labels(tmp_path)
    # Everything that was acknowledged, in order, and nothing twice.
    assert len(there) >= acknowledged
    assert there == [(text, PRO) for text in texts[: len(there)]]

    async def again(driven: Driven) -> None:
        await driven.press("6")
        await written(driven)

    drive(tmp_path, again)
    assert len(labels(tmp_path)) >= len(there)
    assert labels(tmp_path) == [(text, PRO) for text in texts[: len(labels(tmp_path))]]


ODD = {
    "markup": "[bold]not bold[/bold] [@click=app.quit]x[/]",
    "control": "bell\x07 escape\x1b[31mred\x1b[0m back\x08 null\x00end",
    "direction": "abc \u202egnirts\u202c def",
    "arabic": "مرحبا بالعالم، هذا نص عربي طويل بعض الشيء " * 6,
    "emoji": "family 👨‍👩‍👧‍👦 flag 🇩🇪 thumbs 👍🏽 done",
    "cjk": "移民についての長い日本語の文章です。" * 20,
    "one word": "x" * 30_000,
}


def test_texts_of_any_kind_stay_texts(tmp_path: Path) -> None:
    drawn(tmp_path, [Post(name, text, PRO, "en", "en") for name, text in ODD.items()])
    with gate.opened(corpus_path(tmp_path), write=True) as con:
        con.execute("UPDATE tweets SET quoted_text = '[red]quoted[/]\x1b[0m\nsecond line'")

    async def script(driven: Driven) -> None:
        for size in ((80, 24), (200, 60)):
            await driven.pilot.resize_terminal(*size)
            if not isinstance(driven.screen, CodingScreen):
                await begin(driven)
            for _ in ODD:
                for strip in driven.screen._compositor.render_strips(driven.app.size):
                    assert strip.cell_length == size[0]
                assert not any(ord(each) < 32 or each == "\u202e" for line in driven.lines() for each in line)
                assert "[red]quoted[/]" in driven.static("#text")
                await driven.pilot.press("space", "s")
        assert driven.notice() == ""

    drive(tmp_path, script)


def test_a_task_with_more_labels_than_digits(tmp_path: Path) -> None:
    labels_of = "\n".join(f'[[labels]]\nname = "l{at:02}"\nanswer = "{at}"' for at in range(12))
    (tmp_path / "many.toml").write_text(
        f'name = "many"\nversion = "1"\n{labels_of}\n[prompt]\ntemplate = "{{text}}"\n', encoding="utf-8"
    )
    drawn(tmp_path, task="many")

    async def script(driven: Driven) -> None:
        await begin(driven)
        await driven.press("1", "0", "A", "B", "C")
        assert coding(driven).session.left.total() == 8
        await written(driven)

    drive(tmp_path, script)
    assert [row["label"] for row in gold(tmp_path)] == ["l00", "l09", "l10", "l11"]
