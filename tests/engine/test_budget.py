"""The token budget: measured once per machine, remembered, and never in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from xlt import backends
from xlt.backends.base import Logits, Prompt, Scorer
from xlt.cards.registry import find
from xlt.cards.tokenizer import load_tokenizer
from xlt.engine.budget import LARGEST_ON_CPU, SMALLEST, token_budget
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer

TEXTS = [f"a tweet of some length about number {number}, and then a few words more" for number in range(300)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XLT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "budgets.json"


class Counting:
    """The real scorer, counting its passes."""

    def __init__(self, scorer: Scorer) -> None:
        self.loaded, self._scorer, self.passes = scorer.loaded, scorer, 0

    def prepare(self, prompt: Prompt) -> None:
        self._scorer.prepare(prompt)

    def score(self, suffixes: Sequence[Sequence[int]]) -> Logits:
        self.passes += 1
        return self._scorer.score(suffixes)

    def peak_memory(self) -> int:
        return self._scorer.peak_memory()

    def close(self) -> None:
        self._scorer.close()


@pytest.fixture
def ready(tiny_model: Path, tmp_path: Path) -> Iterator[tuple[Counting, Prompt, list[list[int]]]]:
    model = find(str(tiny_model), backend="torch", workspace=tmp_path)
    scorer = Counting(backends.get("torch").load(model.files, precision="fp32", threads=1))
    renderer = Renderer(load_task("immigration"), load_tokenizer(model.files), scorer.loaded.max_tokens)
    prompt = Prompt(renderer.prefix, renderer.labels)
    scorer.prepare(prompt)
    yield scorer, prompt, renderer.encode(TEXTS).suffixes
    scorer.close()


def test_it_is_measured_once_and_remembered(ready: tuple[Counting, Prompt, list[list[int]]], cache: Path) -> None:
    scorer, prompt, suffixes = ready
    budget = token_budget(scorer, prompt, suffixes)
    assert SMALLEST <= budget <= LARGEST_ON_CPU
    assert list(json.loads(cache.read_text(encoding="utf-8")).values()) == [budget]
    measured = scorer.passes
    assert measured > 2
    assert token_budget(scorer, prompt, suffixes) == budget
    assert scorer.passes == measured


def test_few_texts_are_not_worth_measuring(ready: tuple[Counting, Prompt, list[list[int]]], cache: Path) -> None:
    scorer, prompt, suffixes = ready
    assert token_budget(scorer, prompt, suffixes[:3]) == SMALLEST
    assert scorer.passes == 0
    assert not cache.exists()


def test_a_damaged_or_unwritable_memory_does_no_harm(
    ready: tuple[Counting, Prompt, list[list[int]]], cache: Path
) -> None:
    scorer, prompt, suffixes = ready
    cache.parent.mkdir()
    cache.write_text("{broken", encoding="utf-8")
    assert SMALLEST <= token_budget(scorer, prompt, suffixes) <= LARGEST_ON_CPU
    cache.unlink()
    cache.mkdir()  # Nothing can be written there.
    assert SMALLEST <= token_budget(scorer, prompt, suffixes) <= LARGEST_ON_CPU


def test_batches_used_for_measuring_hold_the_budget(ready: tuple[Counting, Prompt, list[list[int]]]) -> None:
    from xlt.engine.budget import _fill

    _, _, suffixes = ready
    for budget in (256, 1000, 8192):
        batch = _fill(suffixes, budget)
        assert len(batch) * max(map(len, batch)) <= budget
        assert (len(batch) + 1) * int(np.max([len(s) for s in suffixes])) > budget
