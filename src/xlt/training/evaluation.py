"""How well the held-out examples are told, language by language, while a training goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xlt.backends.base import Logits
from xlt.backends.training import Trainer
from xlt.engine.batches import batches
from xlt.engine.score import softmax
from xlt.science.metrics import accuracy, macro_f1
from xlt.tasks.render import Renderer
from xlt.training.examples import Choice
from xlt.training.recipe import Best

SEEN, UNSEEN = "seen", "unseen"


@dataclass(frozen=True)
class Marks:
    """Some held-out examples, scored."""

    n: int
    loss: float
    """Mean cross-entropy among the labels."""
    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class Evaluation:
    """What a model at some step knows."""

    step: int
    """Steps taken before it."""
    epoch: float
    """Epochs done."""
    train_loss: float
    """Mean loss of the steps since the evaluation before, each before its update."""
    groups: dict[str, Marks]
    """`seen` and `unseen` languages, each together; those that have held-out examples."""
    languages: dict[str, Marks]

    def record(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @staticmethod
    def of(record: dict[str, Any]) -> Evaluation:
        """The evaluation of a record."""
        marks = {part: {key: Marks(**each) for key, each in record[part].items()} for part in ("groups", "languages")}
        return Evaluation(record["step"], record["epoch"], record["train_loss"], **marks)

    def rank(self, best: Best) -> tuple[float, float]:
        """What chooses between evaluations, the larger the better: the languages trained on decide, and no others.

        Equal scores, which few examples bring about easily, are told apart by the loss.
        """
        seen = self.groups.get(SEEN)
        if best == "last" or seen is None:
            return (float(self.step), 0.0)
        score = {"macro-F1": seen.macro_f1, "accuracy": seen.accuracy, "loss": -seen.loss}[best]
        return (score, -seen.loss)


class Held:
    """The held-out examples as token ids, ready to be scored."""

    def __init__(self, choice: Choice, renderer: Renderer, budget: int) -> None:
        """`budget` is in tokens per pass, padding included."""
        examples = choice.dev
        self.labels = len(renderer.task.labels)
        self.suffixes = renderer.encode([example.text for example in examples]).suffixes
        self.gold = np.array([renderer.task.names.index(example.label) for example in examples], np.int64)
        self.langs = np.array([example.lang for example in examples])
        self.seen = np.isin(self.langs, choice.seen)
        self.passes = batches([len(suffix) for suffix in self.suffixes], budget)

    def score(self, trainer: Trainer) -> Logits:
        """Scores of all of them with the adapter as it is, (examples, labels)."""
        logits = np.zeros((len(self.suffixes), self.labels), np.float32)
        for part in self.passes:
            logits[part] = trainer.score([self.suffixes[at] for at in part])
        return logits

    def evaluate(self, trainer: Trainer, step: int, epoch: float, train_loss: float) -> Evaluation:
        """Score all of them with the adapter as it is."""
        return self.evaluation(self.score(trainer), step, epoch, train_loss)

    def evaluation(self, logits: Logits, step: int, epoch: float, train_loss: float) -> Evaluation:
        """What scores come to."""
        groups = {name: self._marks(logits, which) for name, which in ((SEEN, self.seen), (UNSEEN, ~self.seen))}
        languages = {str(lang): self._marks(logits, self.langs == lang) for lang in np.unique(self.langs)}
        return Evaluation(step, epoch, train_loss, _there(groups), _there(languages))

    def _marks(self, logits: Logits, which: npt.NDArray[np.bool_]) -> Marks | None:
        if not which.any():
            return None
        gold, found = self.gold[which], logits[which]
        guesses = found.argmax(-1)
        # A label that is all but ruled out must not make the mean infinite.
        given = softmax(found)[np.arange(len(gold)), gold].clip(1e-30)
        loss = float(-np.log(given.astype(np.float64)).mean())
        return Marks(len(gold), loss, accuracy(gold, guesses), macro_f1(gold, guesses, self.labels))


def best_of(evaluations: Sequence[Evaluation], best: Best) -> Evaluation:
    """The best one, of equals the first."""
    return max(evaluations, key=lambda each: (*each.rank(best), -each.step))


def commonest(choice: Choice, labels: Sequence[str]) -> tuple[str, dict[str, tuple[float, float]]]:
    """What a model must beat: the commonest label of training, and macro-F1 and accuracy of always giving it.

    Those are by group, `seen` and `unseen`, where it has held-out examples.
    """
    found = Counter(example.label for example in choice.train)
    label = max(labels, key=lambda each: found[each])
    always: dict[str, tuple[float, float]] = {}
    for group in (SEEN, UNSEEN):
        held = [each.label for each in choice.dev if (each.lang in choice.seen) == (group == SEEN)]
        if held:
            gold = np.array([labels.index(each) for each in held], np.int64)
            given = np.full_like(gold, labels.index(label))
            always[group] = macro_f1(gold, given, len(labels)), accuracy(gold, given)
    return label, always


def _there(marks: dict[str, Marks | None]) -> dict[str, Marks]:
    return {name: each for name, each in marks.items() if each is not None}
