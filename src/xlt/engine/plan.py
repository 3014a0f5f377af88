"""What a classification would do: a rendered prompt, counts, and an estimate from timed batches."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from xlt import backends
from xlt.backends.base import Backend
from xlt.cards.tokenizer import load_tokenizer
from xlt.corpus.rounds import rounds
from xlt.corpus.rounds import stage as stage_corpus
from xlt.corpus.stage import Staged, sample_texts, stage
from xlt.engine.blocks import BUDGET_SAMPLE, measure_budget
from xlt.engine.job import Job, Listener, Plan
from xlt.engine.run import find_run
from xlt.engine.score import Classifier
from xlt.errors import XltError
from xlt.tasks.render import Renderer

# Enough for a mean length within a few per cent; all texts of a small source.
TOKEN_SAMPLE = 10_000
TIMED_SECONDS = 2.0


def make_plan(job: Job, listener: Listener) -> Plan:
    """Stage into a temporary folder, load the model, time some batches; leaves nothing behind. Raises XltError."""
    backend = backends.choose(job.backend)
    with tempfile.TemporaryDirectory(prefix="xlt-plan-") as name:
        folder = Path(name)
        staged = _stage(job, backend, folder, listener)
        texts = sample_texts(folder, TOKEN_SAMPLE) if staged.distinct else []
    if not texts:
        if staged.known:
            raise XltError(
                f"There is nothing to classify: this model has classified all {staged.known:,} texts before."
            )
        raise XltError(f"There is nothing to classify: of {staged.rows:,} rows none has a text.")
    tokenizer = load_tokenizer(job.model.files)
    scorer = backend.load(job.model.files, device=job.device, precision=job.precision, threads=job.threads)
    try:
        renderer = Renderer(job.task, tokenizer, scorer.loaded.max_tokens)
        rendered = renderer.encode(texts)
        sampled = sum(map(len, rendered.suffixes))
        budget = job.batch_tokens or measure_budget(scorer, renderer, texts[:BUDGET_SAMPLE])
        rate = _rate(Classifier(scorer, renderer, budget), texts)
        return Plan(
            staged=staged,
            prompt=renderer.decode([*renderer.prefix, *rendered.suffixes[0]]),
            labels={
                label.name: renderer.decode([token])
                for label, token in zip(job.task.labels, renderer.labels, strict=True)
            },
            prefix_tokens=len(renderer.prefix),
            tokens=round(sampled * staged.distinct / len(texts)),
            tokens_estimated=len(texts) < staged.distinct,
            budget=budget,
            texts_per_second=rate,
            loaded=scorer.loaded,
            peak_memory=scorer.peak_memory(),
        )
    finally:
        scorer.close()


def _stage(job: Job, backend: Backend, folder: Path, listener: Listener) -> Staged:
    if job.selection.corpus is None:
        listener.say(f"Reading {', '.join(path.name for path in job.selection.files[:3])} …")
        return stage(job.selection, folder, job.task.normalise, job.task.coded)
    listener.say(f"Reading {job.selection.corpus} …")
    run = find_run(job, backend.name)
    before = [each for each in rounds(run.path) if each.complete] if run else []
    return stage_corpus(job.selection, folder, job.task.normalise, before, job.task.coded)


def _rate(classifier: Classifier, texts: list[str]) -> float:
    """Distinct texts per second, tokenizing included; the texts are in random order, so any of them will do."""
    step, done, start = 32, 0, time.perf_counter()
    while done < len(texts):
        part = texts[done : done + step]
        classifier.score(part)
        done += len(part)
        step = min(2 * step, 512)
        if time.perf_counter() - start > TIMED_SECONDS:
            break
    return done / (time.perf_counter() - start)
