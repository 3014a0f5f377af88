"""What a card says of held-out examples: scores with intervals, and a temperature."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tunings import RECIPE, example, toy_tuning
from xlt.backends import NAMES, get
from xlt.backends.base import BackendName
from xlt.cards.registry import find
from xlt.cards.temperature import temperature_of
from xlt.cards.tokenizer import load_tokenizer
from xlt.engine.score import Classifier
from xlt.science.calibration import fit_temperature, reliability
from xlt.tasks.render import Renderer
from xlt.training.examples import Choice
from xlt.training.listener import Deaf
from xlt.training.loop import finetune
from xlt.training.verdict import measured


def mislabelled(count: int) -> Choice:
    """Of the held-out examples every fourth has the wrong label, and one in three is in a language not trained on."""
    rng = random.Random(7)
    learnt = tuple(example(number, ("en", "de")[number // 2 % 2], rng) for number in range(32))
    held = [example(1000 + number, ("en", "de", "pl")[number // 2 % 3], rng) for number in range(count)]
    turned = {"left": "right", "right": "left"}
    wrong = (replace(each, label=turned[each.label]) if at % 4 == 0 else each for at, each in enumerate(held))
    return Choice(learnt, tuple(wrong))


@pytest.mark.parametrize("backend", NAMES)
def test_a_training_fits_the_temperature_that_classify_needs(tmp_path: Path, backend: BackendName) -> None:
    if not get(backend).availability().usable:
        pytest.skip(f"{backend} is not installed here")
    choice = mislabelled(90)
    tuning = toy_tuning(tmp_path, backend, replace(RECIPE, epochs=5), choice=choice)
    tuned = finetune(tuning, Deaf())
    made = tuned.card.made
    assert made["temperature_texts"] == len(choice.dev_seen) == 60
    temperature = temperature_of(tuned.card, tuning.task.hash)
    assert temperature == made["temperature"] != 1
    assert temperature_of(tuned.card, "of another task") == 1

    model = find("toy", backend=backend, workspace=tmp_path)
    scorer = get(backend).load(model.files, device="cpu", precision="fp32")
    renderer = Renderer(tuning.task, load_tokenizer(model.files), 2048)
    texts = [each.text for each in choice.dev_seen]
    gold = np.array([tuning.task.names.index(each.label) for each in choice.dev_seen])
    plain = Classifier(scorer, renderer, 1024).score(texts)
    assert fit_temperature(plain.probabilities.astype(float), gold) == pytest.approx(temperature, rel=2e-3)
    shown = Classifier(scorer, renderer, 1024, temperature).score(texts)
    assert (shown.best == plain.best).all()
    before, after = (reliability(each.probabilities.astype(float), gold) for each in (plain, shown))
    assert after.nll < before.nll
    of_seen = {score.metric: score for score in tuned.card.scores if not score.language}
    assert of_seen["accuracy"].low is not None
    assert of_seen["accuracy"].low < of_seen["accuracy"].value == pytest.approx((plain.best == gold).mean(), abs=1e-4)
    assert all(score.low is None for score in tuned.card.scores if score.language), "30 of a language are too few"


def test_scores_of_a_card_by_hand() -> None:
    gold, said = np.array([0, 1] * 40), np.array([0, 1, 0, 0] * 20)
    accuracy, f1 = measured(gold, said, ["en", "de"] * 40, 2, "dev")
    assert (accuracy.value, accuracy.n, accuracy.data) == (0.75, 80, "dev")
    assert f1.value == pytest.approx((0.8 + 2 / 3) / 2, abs=1e-4)
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < 0.75 < accuracy.high
    assert [score.low for score in measured(gold[:48], said[:48], ["en"] * 48, 2, "dev")] == [None, None]


def test_labels_stay_where_a_temperature_makes_probabilities_equal() -> None:
    class Close:
        """Gives scores that differ in the last bit."""

        def prepare(self, prompt: object) -> None:
            pass

        def score(self, suffixes: list[list[int]]) -> np.ndarray:
            return np.array([[1.0, np.nextafter(np.float32(1), np.float32(2))]] * len(suffixes), np.float32)

    class Plain:
        prefix: tuple[int, ...] = (1,)
        labels = (2, 3)

        def encode(self, texts: list[str]) -> object:
            return type("Rendered", (), {"suffixes": [[5]] * len(texts), "cut": [False] * len(texts)})()

    plain, hot = (Classifier(Close(), Plain(), 8, at).score(["a"]) for at in (1.0, 20.0))  # type: ignore[arg-type]
    assert hot.best.tolist() == plain.best.tolist()
