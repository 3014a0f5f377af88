"""Scores the blocks that are staged in a folder, one shard each; the next block is encoded meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xlt.backends.base import Backend, Loaded, Prompt, Scorer
from xlt.cards.tokenizer import load_tokenizer
from xlt.corpus.stage import Staged, count_texts, read_block, sample_texts
from xlt.disk import write_json
from xlt.engine.budget import token_budget
from xlt.engine.job import Job, Listener, Progress
from xlt.engine.run import RunFolder
from xlt.engine.score import Classifier
from xlt.engine.shards import finished, write_shard
from xlt.locks import hold
from xlt.tasks.render import Rendered, Renderer

BUDGET_SAMPLE = 1024
_PROGRESS_SECONDS = 1.0


@dataclass
class Done:
    """What this process scored."""

    texts: int = 0
    tokens: int = 0
    cut: int = 0


def score_missing(job: Job, backend: Backend, run: RunFolder, folder: Path, staged: Staged, listener: Listener) -> Done:
    """Score the blocks in `folder` that have no shard yet (of this job's part)."""
    known = set(finished(folder, staged.blocks))
    mine = [block for block in range(staged.blocks) if job.shard is None or block % job.shard[1] == job.shard[0] - 1]
    missing = [block for block in mine if block not in known]
    if not missing:
        return Done()
    classifier = load_classifier(job, backend, run, folder, listener)
    try:
        known_here = count_texts(folder, [block for block in mine if block in known])
        before = Progress(known_here, known_here + count_texts(folder, missing), known_here, 0, 0)
        return _score_blocks(job, run, folder, missing, classifier, listener, before)
    finally:
        classifier.scorer.close()


def load_classifier(job: Job, backend: Backend, run: RunFolder, folder: Path, listener: Listener) -> Classifier:
    """Load the model as this run loaded it before, or choose and write down how."""
    before = run.loaded
    device, precision, threads = job.device, job.precision, job.threads
    if before:
        device, precision, threads = before.device, before.precision, before.threads
    tokenizer = load_tokenizer(job.model.files)
    scorer = backend.load(job.model.files, device=device, precision=precision, threads=threads)
    try:
        loaded = scorer.loaded
        listener.say(_loaded_sentence(job, loaded))
        renderer = Renderer(job.task, tokenizer, loaded.max_tokens)
        # Parts that start together must not each measure a budget of their own: their batches, and bits, would differ.
        with hold(run.path / "budget.lock", f"The run {run.path}", wait=True):
            budget = run.record.get("batch_tokens") or job.batch_tokens
            if not budget:
                budget = measure_budget(scorer, renderer, sample_texts(folder, BUDGET_SAMPLE))
            run.update(loaded=asdict(loaded), batch_tokens=budget)
        return Classifier(scorer, renderer, budget, job.temperature)
    except BaseException:
        scorer.close()
        raise


def measure_budget(scorer: Scorer, renderer: Renderer, texts: list[str]) -> int:
    """The token budget for texts like these on this device."""
    prompt = Prompt(renderer.prefix, renderer.labels)
    scorer.prepare(prompt)
    return token_budget(scorer, prompt, renderer.encode(texts).suffixes)


def _loaded_sentence(job: Job, loaded: Loaded) -> str:
    where = f"{loaded.device}, {loaded.threads} threads" if loaded.threads else loaded.device
    tempered = "" if job.temperature == 1 else f", probabilities at temperature {job.temperature:.3g}"
    return f"Model {job.model.name} with {loaded.backend} on {where}, {loaded.precision}{tempered}."


def _score_blocks(
    job: Job,
    run: RunFolder,
    folder: Path,
    missing: list[int],
    classifier: Classifier,
    listener: Listener,
    before: Progress,
) -> Done:
    done = Done()
    start = time.perf_counter()
    written = start - _PROGRESS_SECONDS

    def report(texts: int, tokens: int) -> None:
        nonlocal written
        done.texts += texts
        done.tokens += tokens
        now = time.perf_counter()
        progress = replace(before, done=before.known + done.texts, seconds=now - start, tokens=done.tokens)
        listener.progress(progress)
        if now - written >= _PROGRESS_SECONDS:
            written = now
            write_json(run.progress_path(job.shard), asdict(progress))

    for block, keys, rendered in _encoded(folder, missing, classifier.renderer):
        scored = classifier.score_rendered(rendered, report)
        done.cut += scored.cut
        write_shard(folder, block, job.task, keys, scored.probabilities, scored.best)
    return done


def _encoded(folder: Path, blocks: list[int], renderer: Renderer) -> Iterator[tuple[int, list[bytes], Rendered]]:
    """Blocks with their token ids; the next one is read and encoded while the current one is scored."""

    def prepare(block: int) -> tuple[int, list[bytes], Rendered]:
        keys, texts = read_block(folder, block)
        return block, keys, renderer.encode(texts)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="xlt-encode") as pool:
        upcoming = pool.submit(prepare, blocks[0])
        for position in range(len(blocks)):
            ready = upcoming.result()
            if position + 1 < len(blocks):
                upcoming = pool.submit(prepare, blocks[position + 1])
            yield ready
