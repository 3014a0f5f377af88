"""Runs told from their folders, and processes that are begun, stopped, killed and gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.workspaces import make_corpus, make_run, query, score, stage_into
from engine.conftest import LANGS
from models import SENTENCES
from xlt.corpus import store
from xlt.corpus.rounds import rounds
from xlt.engine.follow import Follower, RunState, look, runs
from xlt.engine.process import Started, classify_corpus, resume, start, stop
from xlt.errors import Exit, XltError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rng = random.Random(3)
    words = " ".join(SENTENCES).split()
    texts = [f"{' '.join(rng.choices(words, k=20))} {number}" for number in range(2000)]
    return make_corpus(tmp_path, texts, LANGS)


def until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ended(process: Started) -> int:
    until(lambda: process.code is not None)
    assert process.code is not None
    return process.code


def test_a_run_is_told_from_its_folder_at_every_step(corpus: Path) -> None:
    run = make_run(corpus)
    assert (look(run).phase, look(run).total, look(run).source) == ("stopped", 0, "corpus")
    part = stage_into(run, corpus, langs=LANGS[:5])
    assert part is not None
    (run / "run.pid").write_text(str(os.getpid()))
    state = look(run)
    assert (state.phase, state.pids, state.done, state.total) == ("loading", (os.getpid(),), 0, part.staged.distinct)
    assert state.asked == {"langs": list(LANGS[:5])}

    follower = Follower(run)
    score(part, [0])
    assert set(follower.look().labels) <= {(lang, label) for lang in LANGS[:5] for label in _labels(run)}
    first = follower.look().labels.total()
    assert 0 < first < part.staged.distinct
    score(part)
    state = follower.look()
    assert state.phase == "writing"
    assert state.labels.total() == state.done == state.total
    (run / "run.pid").unlink()
    assert look(run).phase == "waiting"
    part.close("this corpus")
    state = follower.look()
    assert state.phase == "complete"
    # The texts are gone; what was counted stays.
    assert state.labels.total() == state.total
    assert [each.id for each in runs(run.parent)] == [run.name]


def _labels(run: Path) -> list[str]:
    return list(json.loads((run / "run.json").read_text())["task"]["labels"])


def test_labels_so_far_are_those_of_the_texts_in_their_languages(corpus: Path) -> None:
    run = make_run(corpus)
    part = stage_into(run, corpus)
    assert part is not None
    score(part)
    found = Follower(run).look().labels
    by_language = Counter(dict.fromkeys(LANGS, 0))
    for (lang, _), count in found.items():
        by_language[lang] += count
    assert dict(by_language) == dict(
        query(corpus, "SELECT lang_tag, count(DISTINCT text_key) FROM tweets GROUP BY ALL")
    )


@pytest.mark.parametrize("pid", ["4194305", "no number", ""])
def test_a_lock_left_by_a_killed_process_is_nobodys(corpus: Path, pid: str) -> None:
    run = make_run(corpus)
    (run / "run.pid").write_text(pid)
    assert look(run).pids == ()


def test_a_process_that_began_later_does_not_hold_an_older_lock(corpus: Path) -> None:
    run = make_run(corpus)
    (run / "run.pid").write_text(str(os.getpid()))
    assert look(run).at_work
    os.utime(run / "run.pid", (1.0, 1.0))
    assert not look(run).at_work


def test_what_can_t_be_read_is_left_out_of_the_list_and_named_when_asked_for(corpus: Path) -> None:
    run = make_run(corpus)
    (run / "run.json").write_text("{")
    assert runs(run.parent) == []
    with pytest.raises(XltError, match=r"run\.json can't be read"):
        look(run)


def begin(corpus: Path, model: Path) -> tuple[Started, Follower]:
    arguments = classify_corpus(corpus.parent, model=str(model), task="immigration")
    process = start([*arguments, "--threads=1", "--batch-tokens=1024"], corpus.parent)
    folder = store.runs_folder(corpus)
    until(lambda: bool(process.code is not None or runs(folder)))
    assert process.code is None, process.said()
    return process, Follower(runs(folder)[0].folder)


def has_a_block(follower: Follower) -> Callable[[], bool]:
    return lambda: follower.look().labels.total() > 0


@pytest.mark.slow
def test_stopped_then_gone_on_with_to_the_end(corpus: Path, tiny_model: Path) -> None:
    process, follower = begin(corpus, tiny_model)
    until(has_a_block(follower))
    state = follower.look()
    assert state.phase == "scoring"
    assert state.pids == (process.pid,)
    assert state.progress is not None
    assert state.progress.texts_per_second > 0
    process.stop()
    assert ended(process) == Exit.INTERRUPTED
    state = follower.look()
    assert (state.phase, state.pids, state.resumable) == ("stopped", (), True)
    assert 0 < state.done < state.total == 2000
    assert "Stopped." in state.log()

    # As a script's `xlt classify … &` is begun: Ctrl-C is ignored there.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        background = resume(state, corpus.parent)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: follower.look().phase in ("loading", "scoring"))
    stop(background.pid)
    assert ended(background) in (Exit.INTERRUPTED, -signal.SIGTERM)
    state = follower.look()
    assert state.phase == "stopped"

    again = resume(state, corpus.parent)
    assert ended(again) == Exit.DONE, again.said()
    state = follower.look()
    assert (state.phase, state.done) == ("complete", 2000)
    assert query(corpus, "SELECT count(*) FROM predictions") == [(2000,)]
    assert len(rounds(state.folder)) == 1


@pytest.mark.slow
def test_killed_it_is_found_stopped_and_goes_on(corpus: Path, tiny_model: Path) -> None:
    process, follower = begin(corpus, tiny_model)
    until(has_a_block(follower))
    os.kill(process.pid, signal.SIGKILL)
    # Its parent has not looked yet: a zombie is no process at work.
    until(lambda: not look(follower.folder).at_work)
    found = runs(store.runs_folder(corpus))
    assert [(each.phase, each.resumable) for each in found] == [("stopped", True)]
    assert ended(process) == -signal.SIGKILL
    again = resume(found[0], corpus.parent)
    assert ended(again) == Exit.DONE, again.said()
    assert query(corpus, "SELECT count(*) FROM predictions") == [(2000,)]


def test_what_a_process_says_when_it_fails(tmp_path: Path) -> None:
    process = start(classify_corpus(tmp_path, model="nothing", where="a = 'b'"), tmp_path)
    assert process.arguments[-2:] == ("--model=nothing", "--where=a = 'b'")
    assert ended(process) == Exit.USAGE
    assert process.said().startswith("There is no corpus")


def test_a_run_that_came_through_a_pipe_or_from_elsewhere_is_not_gone_on_with(corpus: Path) -> None:
    state = look(make_run(corpus))
    assert not state.resumable
    with pytest.raises(XltError, match="give its xlt classify command again"):
        resume(state, corpus.parent)


def test_stopping_what_has_ended_does_nothing() -> None:
    stop(4194305)


def test_runs_that_only_stood_in_a_list_are_plain_values(corpus: Path) -> None:
    assert isinstance(look(make_run(corpus)), RunState)
