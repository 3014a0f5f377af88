"""Jobs: cancelled for real, silent after that, and never in the way of the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from tui.driven import Driven, drive
from xlt.errors import XltError
from xlt.tui.jobs import LITTLE, MEMORY, Job, settle

FOREVER = "SELECT count(*) FROM range(100_000_000) a, range(100_000_000) b"


def endless(driven: Driven, job: Job) -> int:
    with job.corpus(driven.app.corpus) as con:
        return int(con.execute(FOREVER).fetchall()[0][0])


def test_cancelling_ends_the_query_and_nothing_arrives(small: Path) -> None:
    heard: list[object] = []

    async def script(driven: Driven) -> None:
        jobs = driven.screen.jobs  # type: ignore[attr-defined]
        jobs.start("long", lambda job: endless(driven, job), heard.append, heard.append)
        await driven.pilot.pause(0.3)
        assert jobs.running("long")
        began = time.monotonic()
        assert jobs.cancel("long")
        await driven.until(lambda: not jobs.busy)
        assert time.monotonic() - began < 3
        assert heard == []

    drive(small, script)


def test_the_same_job_again_replaces_the_first(small: Path) -> None:
    heard: list[object] = []

    async def script(driven: Driven) -> None:
        jobs = driven.screen.jobs  # type: ignore[attr-defined]
        jobs.start("one", lambda job: endless(driven, job), heard.append)
        await driven.pilot.pause(0.1)
        jobs.start("one", lambda job: 2, heard.append)
        await driven.settled()
        assert heard == [2]

    drive(small, script)


def test_leaving_the_app_ends_its_queries(small: Path) -> None:
    async def script(driven: Driven) -> None:
        driven.screen.jobs.start("long", lambda job: endless(driven, job), print)  # type: ignore[attr-defined]
        await driven.pilot.pause(0.2)
        await driven.pilot.press("ctrl+q")

    drive(small, script)
    settle(5)
    assert not [each for each in threading.enumerate() if each.name.startswith("xlt-job")]


def test_sentences_that_come_faster_than_they_are_shown_replace_one_another(small: Path) -> None:
    said: list[str] = []

    async def script(driven: Driven) -> None:
        screen = driven.screen
        jobs = screen.jobs  # type: ignore[attr-defined]
        jobs._say = lambda sentence, part: said.append(sentence)

        def chatter(job: Job) -> None:
            for number in range(20_000):
                job.say(f"{number}")

        jobs.start("talk", chatter, lambda result: None)
        await driven.settled()

    drive(small, script)
    assert 0 < len(said) < 10_000


def test_a_long_job_says_for_how_long_and_a_click_takes_an_error_away(small: Path) -> None:
    async def script(driven: Driven) -> None:
        jobs = driven.screen.jobs  # type: ignore[attr-defined]
        jobs.start("long", lambda job: endless(driven, job), print, about="Counting")
        await driven.until(lambda: driven.notice().startswith("Counting …"))
        jobs.cancel("long")
        assert driven.notice() == ""
        jobs.start("wrong", fail, print)
        await driven.settled()
        assert driven.notice() == "This is wrong; mend it."
        await driven.pilot.click("#notice")
        assert driven.notice() == ""

    def fail(job: Job) -> None:
        raise XltError("This is wrong; mend it.")

    drive(small, script)


def test_a_defect_is_noted_and_said(small: Path) -> None:
    async def script(driven: Driven) -> None:
        driven.screen.jobs.start("bug", lambda job: 1 / 0, print)  # type: ignore[attr-defined]
        await driven.settled()
        assert "A defect of xlt: ZeroDivisionError" in driven.notice()

    drive(small, script)
    assert "ZeroDivisionError" in (small / ".xlt" / "tui.log").read_text(encoding="utf-8")


def test_the_event_loop_goes_on_while_duckdb_works(small: Path) -> None:
    gaps: list[float] = []

    async def script(driven: Driven) -> None:
        jobs = driven.screen.jobs  # type: ignore[attr-defined]
        jobs.start("long", lambda job: endless(driven, job), print, about="Counting")
        last = time.monotonic()
        for _ in range(60):
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
        jobs.cancel("long")
        await driven.settled()

    drive(small, script)
    # The machine may be busy; a blocked loop would show in all of them.
    assert sorted(gaps)[len(gaps) // 2] < 0.05


def test_a_job_that_has_too_little_memory_is_done_again_with_more(small: Path) -> None:
    given: list[str | None] = []
    heard: list[object] = []

    def work(job: Job) -> int:
        given.append(job.leash.memory)
        if job.leash.memory == LITTLE or len(given) > 2:
            raise XltError("The posts can't be selected: not enough memory (…); close other programs.")
        return 1

    async def script(driven: Driven) -> None:
        jobs = driven.screen.jobs  # type: ignore[attr-defined]
        jobs.start("some", work, heard.append, heard.append, memory=LITTLE)
        await driven.settled()

    drive(small, script)
    assert given == [LITTLE, MEMORY]
    assert heard == [1]
