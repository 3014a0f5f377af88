"""Pictures of Query, Classify and Models, kept and compared as those of the other screens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.content import Content
from textual.widgets import Static

from corpus.workspaces import make_run, score, stage_into
from tui.driven import Driven, drive
from tui.test_snapshots import check
from xlt.corpus.store import corpus_path
from xlt.tui.classify.screen import ClassifyScreen
from xlt.tui.query.editor import SqlEditor
from xlt.tui.themes import DARK, LIGHT


@pytest.mark.parametrize(("size", "theme"), [((80, 24), DARK), ((120, 36), LIGHT)])
def test_query_classify_and_models(sample: Path, size: tuple[int, int], theme: str) -> None:
    corpus = corpus_path(sample)
    run = make_run(corpus, "2026-03-03-bbbbbbbb")
    part = stage_into(run, corpus)
    assert part is not None
    score(part, range(part.staged.blocks - 1))

    async def script(driven: Driven) -> None:
        driven.app.theme = theme
        await driven.press("3", "f2", *"hashtags", "enter", "escape")
        came = driven.screen.query_one("#came", Static)
        came.update(Content(re.sub(r" · .* s$", "", driven.static("#came"))))
        driven.screen.query_one(SqlEditor).cursor_blink = False
        await check(driven, f"query-{size[0]}-{theme}")
        await driven.press("4")
        screen = driven.screen
        assert isinstance(screen, ClassifyScreen)
        await driven.until(lambda: bool(screen._state and screen._state.labels))
        await check(driven, f"classify-{size[0]}-{theme}")
        await driven.press("5")
        await check(driven, f"models-{size[0]}-{theme}")

    drive(sample, script, size)
