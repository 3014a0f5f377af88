"""Prompting a model that was not tuned: with no examples or with a few, its bias towards a label taken out.

The examples go into the instruction, which is run once for all texts that share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from xlt.backends.base import Backend, Precision
from xlt.cards.files import ModelFiles
from xlt.cards.tokenizer import load_tokenizer
from xlt.engine.score import Classifier
from xlt.tasks.render import Renderer
from xlt.tasks.spec import Task

Probabilities = npt.NDArray[np.float32]

CONTENT_FREE = ("N/A", "[MASK]", "-")
"""Texts that say nothing: what a model answers to them is its bias (Zhao et al. 2021, arXiv:2102.09690)."""
BUDGET = 4096
"""Tweet tokens per batch; fixed, so that a study gives the same figures on another day."""


def with_examples(task: Task, examples: Sequence[tuple[str, str]]) -> Task:
    """The task with (text, label) examples before the text to label, each laid out as that text will be."""
    if not examples:
        return task
    before, after = task.template.split("{text}")
    head, newline, lead = before.rpartition("\n")
    answers = {label.name: label.answer for label in task.labels}
    blocks = [f"{lead}{_harmless(text)}{after}{task.answer_begins}{answers[label]}\n" for text, label in examples]
    return replace(task, template=f"{head}{newline}{''.join(blocks)}{lead}{{text}}{after}")


def without_bias(probabilities: Probabilities, content_free: Probabilities) -> Probabilities:
    """Probabilities (texts, labels) divided by those of content-free texts (any number, labels), scaled to sum 1.

    Zhao et al. 2021, equation 1 with W = diag(p_cf)^-1 and b = 0.
    """
    bias = np.maximum(content_free.mean(axis=0), 1e-6)
    lifted = probabilities / bias
    out: Probabilities = (lifted / lifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return out


class Labeller:
    """A loaded model that labels texts with any prompt."""

    def __init__(
        self,
        files: ModelFiles,
        backend: Backend,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        threads: int = 0,
    ) -> None:
        """Raises XltError as `Backend.load` does."""
        self._tokenizer = load_tokenizer(files)
        self._scorer = backend.load(files, device=device, precision=precision, threads=threads)

    def __call__(self, task: Task, texts: Sequence[str]) -> Probabilities:
        """Probabilities of raw texts, (texts, labels). Raises XltError when the prompt leaves no room."""
        renderer = Renderer(task, self._tokenizer, self._scorer.loaded.max_tokens)
        if not texts:
            return np.zeros((0, len(task.labels)), np.float32)
        normal = [task.normalise(text) for text in texts]
        return Classifier(self._scorer, renderer, BUDGET).score(normal).probabilities

    def prompted(
        self, task: Task, texts: Sequence[str], langs: Sequence[str], examples: Mapping[str, Sequence[tuple[str, str]]]
    ) -> Probabilities:
        """Probabilities without bias, (texts, labels). `examples` are those of each language, or of "" for all."""
        out = np.zeros((len(texts), len(task.labels)), np.float32)
        at_of: dict[str, list[int]] = {}
        for index, lang in enumerate(langs):
            at_of.setdefault(lang if lang in examples else "", []).append(index)
        for lang, at in at_of.items():
            shown = with_examples(task, examples.get(lang, ()))
            found = self(shown, [texts[index] for index in at])
            out[at] = without_bias(found, self(shown, CONTENT_FREE))
        return out

    def close(self) -> None:
        """Free the memory."""
        self._scorer.close()


def _harmless(text: str) -> str:
    """A text that neither spells a special token nor the place of the text to label, on one line."""
    return " ".join(text.split()).replace("<|", "< |").replace("{text}", "{ text }")
