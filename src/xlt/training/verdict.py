"""What a card says of a model on held-out examples: scores with intervals, and the temperature fitted on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlt.backends.base import Logits
from xlt.cards.card import Score
from xlt.cards.temperature import Temperature
from xlt.engine.score import softmax
from xlt.science.bootstrap import score_interval
from xlt.science.calibration import LEAST_TO_FIT, fit_temperature
from xlt.science.metrics import Ints, accuracy_of, confusion, macro_f1_of
from xlt.tasks.spec import Task
from xlt.training.evaluation import Held
from xlt.training.examples import Choice

_SCORES = {"accuracy": accuracy_of, "macro-F1": macro_f1_of}


@dataclass(frozen=True)
class Verdict:
    """Of the adapter that is kept."""

    scores: tuple[Score, ...]
    """Of the languages trained on together, then of each language."""
    temperature: Temperature | None
    """None where the held-out examples decide none."""


def verdict(held: Held, logits: Logits, choice: Choice, task: Task, data: str) -> Verdict:
    """Of scores, (examples, labels). `data` is what the card says that they were measured on."""
    predicted = np.asarray(logits.argmax(axis=-1), np.int64)
    groups = {"": held.seen, **{str(lang): held.langs == lang for lang in np.unique(held.langs)}}
    scores: list[Score] = []
    for lang, which in groups.items():
        if which.any():
            langs = held.langs[which].tolist()
            scores += measured(held.gold[which], predicted[which], langs, held.labels, data, lang)
    return Verdict(tuple(scores), _temperature(held, logits, choice, task))


def measured(
    gold: Ints, predicted: Ints, langs: Sequence[str], labels: int, data: str, language: str = ""
) -> list[Score]:
    """Accuracy and macro-F1 of labels, all arrays (n,), as a card has them; with intervals where n allows."""
    of = np.array(langs)
    strata = [confusion(gold[of == lang], predicted[of == lang], labels) for lang in np.unique(of)]
    counts = np.sum(strata, axis=0)
    found = []
    for metric, score in _SCORES.items():
        bounds = score_interval(strata, score, seed=0)
        low, high = (round(bounds[0], 4), round(bounds[1], 4)) if bounds else (None, None)
        found.append(Score(metric, round(float(score(counts)), 4), data, len(gold), language, low, high))
    return found


def _temperature(held: Held, logits: Logits, choice: Choice, task: Task) -> Temperature | None:
    """Fitted on the languages trained on alone: the others' labels decide nothing about a model."""
    count = int(held.seen.sum())
    if count < LEAST_TO_FIT:
        return None
    value = fit_temperature(softmax(logits[held.seen]).astype(np.float64), held.gold[held.seen])
    return None if value is None else Temperature(round(value, 4), count, Choice((), choice.dev_seen).hash, task.hash)
