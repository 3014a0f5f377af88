"""Runs a classification of the corpus: copy new texts out, close, score, merge at the end."""

from __future__ import annotations

from pathlib import Path

from xlt.backends.base import Backend
from xlt.corpus import gate
from xlt.corpus.rounds import Round, rounds, stage_round, unfinished
from xlt.corpus.runs import corpus_id, merge_runs, shares, write_output
from xlt.corpus.shares import Row
from xlt.corpus.stage import Staged
from xlt.engine.blocks import Done, score_missing
from xlt.engine.job import Job, Listener, Outcome
from xlt.engine.run import RunFolder
from xlt.locks import hold


def classify_corpus(job: Job, backend: Backend, run: RunFolder, corpus: Path, listener: Listener) -> Outcome:
    """Do a job over a corpus. It is open while texts are copied out and while predictions are merged, not between."""
    begun, staged = _round(job, run, corpus, listener)
    done = score_missing(job, backend, run, begun.folder, staged, listener) if begun else Done()
    complete = begun is None or begun.complete
    if job.shard:
        return Outcome(run.path, staged, complete, [], done.cut, done.texts)
    run.update(complete=complete, output=str(job.output) if job.output else None)
    try:
        _merge(run.path, corpus)
    except gate.CorpusLockedError as error:
        waits = f"{error} The predictions are safe in {run.path}; the next command on this corpus merges them."
        return Outcome(run.path, staged, complete, [], done.cut, done.texts, waits)
    run.tidy()
    return Outcome(run.path, staged, complete, _answer(job, run.path, corpus, listener), done.cut, done.texts)


def _round(job: Job, run: RunFolder, corpus: Path, listener: Listener) -> tuple[Round | None, Staged]:
    # Parts of one run start at the same time on one folder: one stages, the others wait for it.
    with hold(run.path / "stage.lock", f"The run {run.path}", wait=job.shard is not None):
        begun = unfinished(run.path, job.selection)
        if begun is None and job.shard:
            # A part that comes last of all finds the round complete; the next round begins when it is merged.
            begun = next((each for each in rounds(run.path) if each.asked(job.selection) and not each.merged), None)
        if begun is not None:
            return begun, begun.staged
        listener.say(f"Reading {corpus} …")
        return stage_round(run.path, job.selection, job.task.normalise, job.task.coded)


def _merge(run: Path, corpus: Path) -> None:
    """Merge what this corpus does not have; another one may have stood in its place when the rounds were merged."""
    with gate.opened(corpus) as con:
        name = corpus_id(con)
    if any(each.complete and each.merged != name for each in rounds(run)):
        merge_runs(corpus, [run])


def _answer(job: Job, run: Path, corpus: Path, listener: Listener) -> list[Row]:
    """Shares by language, and the labelled tweets where an output was asked for."""
    try:
        with gate.opened(corpus) as con:
            if job.output:
                write_output(con, run.name, job.selection, job.task, job.output)
            return shares(con, run.name, job.selection, job.task)
    except gate.CorpusLockedError as error:
        if job.output:
            raise
        listener.say(f"The predictions are in the corpus; the table is not shown: {error}")
        return []
