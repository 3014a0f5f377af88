"""Prompts with examples, and the bias taken out of what a model answers to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import write_model
from xlt.backends import get
from xlt.cards.registry import find
from xlt.study.prompting import Labeller, with_examples, without_bias
from xlt.tasks.load import load_task

TASK = load_task("immigration")


def test_examples_are_laid_out_as_the_text_will_be() -> None:
    shown = with_examples(TASK, [("let them in", "pro-immigration"), ("a bird\nflew {text} <|eot_id|>", "unrelated")])
    before = TASK.template.split("{text}")[0]
    assert shown.template == (
        before
        + "let them in\nLabel: 1\nTweet: a bird flew { text } < |eot_id|>\nLabel: 4\nTweet: {text}"
        + TASK.template.split("{text}")[1]
    )
    assert with_examples(TASK, []) is TASK
    assert shown.hash != TASK.hash


def test_bias_is_divided_out() -> None:
    told = np.array([[0.6, 0.4], [0.9, 0.1]], np.float32)
    bias = np.array([[0.8, 0.2], [0.7, 0.3]], np.float32)
    # The mean bias is .75 to .25: .6/.75 = .8 and .4/.25 = 1.6.
    np.testing.assert_allclose(without_bias(told, bias), [[1 / 3, 2 / 3], [0.75, 0.25]], rtol=1e-5)


@pytest.fixture(scope="module")
def labeller(tmp_path_factory: pytest.TempPathFactory) -> Labeller:
    folder = write_model(tmp_path_factory.mktemp("prompting") / "tiny")
    model = find(str(folder), backend="torch", workspace=Path())
    return Labeller(model.files, get("torch"), precision="fp32")


def test_each_language_is_asked_with_its_own_examples(labeller: Labeller) -> None:
    texts = ["eins", "one", "zwei"]
    examples = {"de": [("drei", "neutral")], "": [("three", "unrelated")]}
    found = labeller.prompted(TASK, texts, ["de", "en", "de"], examples)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    german = labeller.prompted(TASK, ["eins", "zwei"], ["de", "de"], {"": [("drei", "neutral")]})
    np.testing.assert_allclose(found[[0, 2]], german, atol=1e-6)
    other = labeller.prompted(TASK, ["eins"], ["de"], {"": [("three", "unrelated")]})
    assert not np.allclose(found[0], other[0], atol=1e-6)


def test_no_texts_are_no_trouble(labeller: Labeller) -> None:
    assert labeller(TASK, []).shape == (0, 4)
