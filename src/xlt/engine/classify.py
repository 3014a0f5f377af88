"""Runs a classification: stage, load, score block by block, join. Killed at any moment, the same job goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xlt import backends
from xlt.backends.base import Backend, Loaded, Prompt, Scorer
from xlt.cache import cache_folder
from xlt.cards.tokenizer import load_tokenizer
from xlt.corpus.results import check_output, shares, write_output
from xlt.corpus.stage import Staged, count_texts, read_block, sample_texts, stage
from xlt.disk import write_json
from xlt.engine.budget import token_budget
from xlt.engine.job import Job, Listener, Outcome, Progress
from xlt.engine.run import RunFolder, open_run
from xlt.engine.score import Classifier
from xlt.engine.shards import finished, shard_path, write_shard
from xlt.errors import Interrupted, UsageError, XltError
from xlt.locks import hold
from xlt.tasks.render import Rendered, Renderer

BUDGET_SAMPLE = 1024
_PROGRESS_SECONDS = 1.0


def classify(job: Job, listener: Listener) -> Outcome:
    """Do the job. Raises XltError; Interrupted when the user stops it (what was scored is kept)."""
    check_output(job.output)
    if job.shard and not 1 <= job.shard[0] <= job.shard[1]:
        raise UsageError(f"--shard {job.shard[0]}/{job.shard[1]}: the first number must be 1 to {job.shard[1]}.")
    backend = backends.choose(job.backend)
    run = open_run(job, backend.name)
    output_lock = cache_folder() / "locks" / f"{_name_of(job.output)}.lock"
    try:
        with hold(run.lock_path(job.shard), f"The run {run.path}"):
            return _work(job, backend, run, output_lock, listener)
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped. What was scored is in {run.path}; resume with the same command.") from None
    except XltError:
        run.drop_if_empty()
        raise


def _name_of(output: Path) -> str:
    return hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]


def _work(job: Job, backend: Backend, run: RunFolder, output_lock: Path, listener: Listener) -> Outcome:
    if job.shard:
        staged = _staged(job, run, listener)
        done = _score_missing(job, backend, run, staged, listener)
        complete = len(finished(run.path, staged.blocks)) == staged.blocks
        return Outcome(run.path, staged, complete, [], done.cut, done.texts)
    with hold(output_lock, f"The output {job.output}"):
        staged = _staged(job, run, listener)
        done = _score_missing(job, backend, run, staged, listener)
        shards = [shard_path(run.path, block) for block in range(staged.blocks)]
        write_output(run.path, staged, job.task, shards, job.output)
        rows = shares(run.path, staged, job.task, shards)
    run.update(complete=True, output=str(job.output))
    run.tidy()
    return Outcome(run.path, staged, True, rows, done.cut, done.texts)


def _staged(job: Job, run: RunFolder, listener: Listener) -> Staged:
    # Shards of one run start at the same time on one folder: one stages, the others wait for it.
    with hold(run.path / "stage.lock", f"The run {run.path}", wait=job.shard is not None):
        staged = run.staged
        if staged is None:
            listener.say(f"Reading {', '.join(path.name for path in job.selection.files[:3])} …")
            staged = stage(job.selection, run.path, job.task.normalise)
            run.update(staged=asdict(staged))
    return staged


@dataclass
class _Done:
    """What this process scored."""

    texts: int = 0
    tokens: int = 0
    cut: int = 0


def _score_missing(job: Job, backend: Backend, run: RunFolder, staged: Staged, listener: Listener) -> _Done:
    known = set(finished(run.path, staged.blocks))
    mine = [block for block in range(staged.blocks) if job.shard is None or block % job.shard[1] == job.shard[0] - 1]
    missing = [block for block in mine if block not in known]
    if not missing:
        return _Done()
    classifier = load_classifier(job, backend, run, listener)
    try:
        known_here = count_texts(run.path, [block for block in mine if block in known])
        total = known_here + count_texts(run.path, missing)
        return _score_blocks(job, run, missing, classifier, listener, Progress(known_here, total, known_here, 0, 0))
    finally:
        classifier.scorer.close()


def load_classifier(job: Job, backend: Backend, run: RunFolder, listener: Listener) -> Classifier:
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
        budget = run.record.get("batch_tokens") or job.batch_tokens
        if not budget:
            budget = measure_budget(scorer, renderer, sample_texts(run.path, BUDGET_SAMPLE))
        run.update(loaded=asdict(loaded), batch_tokens=budget)
        return Classifier(scorer, renderer, budget)
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
    return f"Model {job.model.name} with {loaded.backend} on {where}, {loaded.precision}."


def _score_blocks(
    job: Job, run: RunFolder, missing: list[int], classifier: Classifier, listener: Listener, before: Progress
) -> _Done:
    done = _Done()
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
            write_json(run.path / "progress.json", asdict(progress))

    for block, keys, rendered in _encoded(run.path, missing, classifier.renderer):
        scored = classifier.score_rendered(rendered, report)
        done.cut += scored.cut
        write_shard(run.path, block, job.task, keys, scored.probabilities)
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
