"""Scores texts with a loaded model: token ids in, a probability for every label out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xlt.backends.base import Prompt, Scorer
from xlt.engine.batches import batches
from xlt.tasks.render import Rendered, Renderer

Probabilities = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """What a block's texts came to, in the order in which they were given."""

    probabilities: Probabilities
    """Shape (texts, labels), float32, each row sums to 1; at the classifier's temperature."""
    best: Positions
    """Shape (texts,): each text's label. Found before the temperature, which therefore changes none."""
    tokens: int
    """Real tokens that were run, the shared prefix and padding not counted."""
    cut: int
    """Texts that were too long and lost their end."""


def softmax(logits: Probabilities) -> Probabilities:
    """Softmax over the last axis in float32."""
    shifted = np.exp(logits.astype(np.float32) - logits.max(axis=-1, keepdims=True))
    probabilities: Probabilities = shifted / shifted.sum(axis=-1, keepdims=True, dtype=np.float32)
    return probabilities


class Classifier:
    """A model, a task and a token budget, ready to score."""

    def __init__(self, scorer: Scorer, renderer: Renderer, budget: int, temperature: float = 1.0) -> None:
        """`budget` is in suffix tokens per batch, padding included; scores are divided by `temperature`."""
        self.scorer, self.renderer, self.budget = scorer, renderer, budget
        self.temperature = np.float32(temperature)
        scorer.prepare(Prompt(renderer.prefix, renderer.labels))

    def score(self, texts: Sequence[str]) -> Scored:
        """Probabilities for normalised texts."""
        return self.score_rendered(self.renderer.encode(texts))

    def score_rendered(self, rendered: Rendered, report: Callable[[int, int], None] | None = None) -> Scored:
        """Probabilities for texts that were encoded before; `report` hears texts and tokens of every batch."""
        suffixes = rendered.suffixes
        logits = np.empty((len(suffixes), len(self.renderer.labels)), np.float32)
        for batch in batches([len(suffix) for suffix in suffixes], self.budget):
            chosen = [suffixes[index] for index in batch]
            logits[batch] = self.scorer.score(chosen)
            if report:
                report(len(chosen), sum(map(len, chosen)))
        plain = softmax(logits)
        shown = plain if self.temperature == 1 else softmax(logits / self.temperature)
        return Scored(shown, plain.argmax(axis=1), sum(map(len, suffixes)), sum(rendered.cut))
