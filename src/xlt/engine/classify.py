"""Runs a classification: stage, load, score block by block, join. Killed at any moment, the same job goes on."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

from xlt import backends
from xlt.backends.base import Backend
from xlt.cache import cache_folder
from xlt.corpus.results import check_output, shares, write_output
from xlt.corpus.stage import Staged, stage
from xlt.engine.blocks import score_missing
from xlt.engine.corpus import classify_corpus
from xlt.engine.job import Job, Listener, Outcome
from xlt.engine.log import Logged
from xlt.engine.run import RunFolder, command_of, open_run
from xlt.engine.shards import finished, shard_path
from xlt.errors import Interrupted, UsageError, XltError
from xlt.locks import hold


def classify(job: Job, listener: Listener) -> Outcome:
    """Do the job. Raises XltError; Interrupted when the user stops it (what was scored is kept)."""
    if job.output is not None:
        check_output(job.output)
    if job.shard and not 1 <= job.shard[0] <= job.shard[1]:
        raise UsageError(f"--shard {job.shard[0]}/{job.shard[1]}: the first number must be 1 to {job.shard[1]}.")
    backend = backends.choose(job.backend)
    run = open_run(job, backend.name)
    listener = Logged(listener, run.path)
    try:
        with hold(run.lock_path(job.shard), f"The run {run.path}"):
            listener.begins()
            if not job.shard:
                # A run over a corpus may have been begun by another command, for other languages.
                run.update(command=command_of(job))
            if job.selection.corpus is not None:
                outcome = classify_corpus(job, backend, run, job.selection.corpus, listener)
            else:
                outcome = _work(job, backend, run, listener)
            listener.log(outcome.pending or f"Done: {outcome.scored:,} texts scored.")
            return outcome
    except KeyboardInterrupt:
        listener.log("Stopped.")
        raise Interrupted(f"Stopped. What was scored is in {run.path}; resume with the same command.") from None
    except XltError as error:
        listener.log(str(error))
        run.drop_if_empty()
        raise


def _name_of(output: Path) -> str:
    return hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]


def _work(job: Job, backend: Backend, run: RunFolder, listener: Listener) -> Outcome:
    if job.shard:
        staged = _staged(job, run, listener)
        done = score_missing(job, backend, run, run.path, staged, listener)
        complete = len(finished(run.path, staged.blocks)) == staged.blocks
        return Outcome(run.path, staged, complete, [], done.cut, done.texts)
    assert job.output is not None
    output_lock = cache_folder() / "locks" / f"{_name_of(job.output)}.lock"
    with hold(output_lock, f"The output {job.output}"):
        staged = _staged(job, run, listener)
        done = score_missing(job, backend, run, run.path, staged, listener)
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
            staged = stage(job.selection, run.path, job.task.normalise, job.task.coded)
            run.update(staged=asdict(staged))
    return staged
