"""A model's answers on gold files: classified as any file is, so that a repeat finds its run and scores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from xlt.cards.card import Model
from xlt.cards.temperature import temperature_of
from xlt.corpus.results import added_columns
from xlt.engine.classify import classify
from xlt.engine.job import Job, Listener
from xlt.errors import UsageError
from xlt.science.metrics import Ints
from xlt.study.rows import Columns, Rows, System, from_files
from xlt.tasks.load import load_task
from xlt.tasks.spec import Task
from xlt.training.signatures import FILE as SIGNATURES
from xlt.training.signatures import overlaps


def check_gold(job: Job, columns: Columns) -> None:
    """Raise UsageError, XltError where the job's files have no gold labels: nothing need be classified to find out."""
    from_files(job.selection.files, {}, job.task, columns)


def predict(job: Job, listener: Listener, columns: Columns) -> Rows:
    """Classify the job's files into its output and read the answers beside the gold. Raises XltError, Interrupted.

    The job's temperature is 1: the card's is put to the probabilities here, so that both can be shown.
    """
    outcome = classify(job, listener)
    assert job.output is not None
    column = added_columns(outcome.staged.columns, job.task)["predicted"]
    card = job.model.card
    # Labels of another task teach it nothing of this one.
    seen = card.languages if card and card.task and load_task(card.task).names == job.task.names else ()
    name = job.model.name
    text = columns.text or outcome.staged.text_column
    rows = from_files((job.output,), {name: column}, job.task, replace(columns, text=text), seen={name: seen})
    known = replace(
        rows.systems[0], temperature=temperature_of(card, job.task.hash), overlaps=_overlaps(job.model, rows)
    )
    return replace(rows, systems=(known,))


def folder_of(model: Model) -> Path:
    """The folder that holds a model's card."""
    path = model.files.adapter or model.files.weights
    return path if path.is_dir() else path.parent


def _overlaps(model: Model, rows: Rows) -> Ints | None:
    """Rows whose text the model was tuned on or chosen by; None when it kept no signatures."""
    if rows.texts is None or not (folder_of(model) / SIGNATURES).is_file():
        return None
    return np.flatnonzero([bool(each) for each in overlaps(folder_of(model), rows.texts)])


def joined(parts: Sequence[Rows]) -> Rows:
    """Several models' answers to the same gold, side by side."""
    systems: list[System] = []
    for part in parts:
        taken = {system.name for system in systems}
        for system in part.systems:
            if system.name in taken:
                raise UsageError(f"{system.name} is named twice; name each model once.")
            systems.append(system)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return replace(parts[0], systems=tuple(systems), notes=tuple(notes))


def check_task(names: Sequence[str], task: Task) -> None:
    """Raise UsageError when models answer different tasks and can't stand side by side."""
    if tuple(names) != task.names:
        raise UsageError("These models answer different tasks; name one with --task, or evaluate them one by one.")
