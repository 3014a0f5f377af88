"""How fast one model is on this machine: start-up, tweets and tokens per second, memory."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlt import backends
from xlt.backends.base import Loaded
from xlt.cards.tokenizer import load_tokenizer
from xlt.corpus.stage import sample_texts, stage
from xlt.engine.blocks import BUDGET_SAMPLE, measure_budget
from xlt.engine.job import Job
from xlt.engine.score import Classifier
from xlt.errors import XltError
from xlt.tasks.render import Renderer

MOST = 20_000
"""Texts that are drawn at most."""


@dataclass(frozen=True)
class Measured:
    """What was measured; rates are those of each repeat, tokenizing included."""

    model: str
    task: str
    loaded: Loaded
    texts: int
    """Distinct texts of one repeat."""
    rates: tuple[float, ...]
    """Tweets per second."""
    prefix_tokens: int
    """The instruction, run once."""
    mean_tokens: float
    """Of a tweet with what follows it."""
    load_seconds: float
    """From nothing to the first batch: weights, tokenizer, instruction. Python's own start is not in it."""
    budget: int
    """Tweet tokens per batch."""
    peak_memory: int
    """Bytes."""

    @property
    def tweets_per_second(self) -> float:
        """The median repeat's."""
        return statistics.median(self.rates)

    @property
    def tokens_per_second(self) -> float:
        """Tweet tokens, the shared instruction not counted."""
        return self.tweets_per_second * self.mean_tokens

    @property
    def prompt_tokens(self) -> float:
        """What a hosted model would be sent for one tweet: instruction and tweet."""
        return self.prefix_tokens + self.mean_tokens


def measure(job: Job, *, repeats: int, seconds: float, say: Callable[[str], None]) -> Measured:
    """Classify as many of the job's distinct texts as take about `seconds`, `repeats` times over. Writes nothing.

    Raises XltError when there are no texts, or as `Backend.load` does.
    """
    with tempfile.TemporaryDirectory(prefix="xlt-bench-") as name:
        stage(job.selection, Path(name), job.task.normalise, job.task.coded)
        texts = sample_texts(Path(name), MOST)
    if not texts:
        raise XltError("There is nothing to measure with: no row has a text.")
    backend = backends.choose(job.backend)
    started = time.perf_counter()
    tokenizer = load_tokenizer(job.model.files)
    scorer = backend.load(job.model.files, device=job.device, precision=job.precision, threads=job.threads)
    try:
        renderer = Renderer(job.task, tokenizer, scorer.loaded.max_tokens)
        Classifier(scorer, renderer, 1)
        load_seconds = time.perf_counter() - started
        budget = job.batch_tokens or measure_budget(scorer, renderer, texts[:BUDGET_SAMPLE])
        classifier = Classifier(scorer, renderer, budget)
        texts = texts[: _enough(classifier, texts, seconds)]
        say(f"{len(texts):,} distinct texts, {repeats} times over …")
        rates, tokens = [], 0
        for _ in range(repeats):
            begin = time.perf_counter()
            tokens = classifier.score(texts).tokens
            rates.append(len(texts) / (time.perf_counter() - begin))
        return Measured(
            model=job.model.name,
            task=job.task.name,
            loaded=scorer.loaded,
            texts=len(texts),
            rates=tuple(rates),
            prefix_tokens=len(renderer.prefix),
            mean_tokens=tokens / len(texts),
            load_seconds=load_seconds,
            budget=budget,
            peak_memory=scorer.peak_memory(),
        )
    finally:
        scorer.close()


def _enough(classifier: Classifier, texts: Sequence[str], seconds: float) -> int:
    """How many texts take about so long, by a first part that warms up as well."""
    part = 16
    while True:
        begin = time.perf_counter()
        classifier.score(texts[:part])
        took = time.perf_counter() - begin
        if part >= len(texts) or took > seconds / 8:
            return max(1, min(len(texts), round(part * seconds / took)))
        part *= 2
