"""A model's answers on gold files: classified as any file is, so that a repeat finds its run and scores nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from xlt.bundled import bundled
from xlt.cards.card import Card, Model, Scalar
from xlt.cards.read import FILE, write_card
from xlt.corpus.results import added_columns
from xlt.engine.classify import classify
from xlt.engine.job import Job, Listener
from xlt.errors import UsageError, XltError
from xlt.science.calibration import LEAST_TO_FIT, fit_temperature
from xlt.science.metrics import Ints
from xlt.study.rows import Columns, Rows, System, from_files
from xlt.tasks.spec import Task
from xlt.training.signatures import FILE as SIGNATURES
from xlt.training.signatures import overlaps


def predict(job: Job, listener: Listener, columns: Columns) -> Rows:
    """Classify the job's files into its output and read the answers beside the gold. Raises XltError, Interrupted."""
    outcome = classify(job, listener)
    assert job.output is not None
    column = added_columns(outcome.staged.columns, job.task)["predicted"]
    card = job.model.card
    seen = card.languages if card and card.task else ()
    name = job.model.name
    text = columns.text or outcome.staged.text_column
    rows = from_files((job.output,), {name: column}, job.task, replace(columns, text=text), seen={name: seen})
    known = replace(rows.systems[0], temperature=temperature_of(card), overlaps=_overlaps(job.model, rows))
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


def temperature_of(card: Card | None) -> float | None:
    """The temperature that a card holds, if any."""
    found = card.made.get("temperature") if card else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) and found > 0 else None


def check_card(model: Model) -> Card:
    """The card that a temperature can be written into. Raises UsageError when the model has none of the user's."""
    folder = folder_of(model)
    built_in = folder.resolve().is_relative_to(bundled("models").resolve())
    if model.card is None or built_in or not (folder / FILE).is_file():
        raise UsageError(
            f"The model {model.name} has no card of yours that a temperature could be written into; tune one with xlt "
            "finetune, or leave --fit-temperature out."
        )
    return model.card


def store_temperature(model: Model, rows: Rows, files: Sequence[Path]) -> float:
    """Fit a temperature on the model's own `rows` and write it into its card. Raises UsageError, XltError.

    The rows must be held-out ones that decide nothing else and are not scored afterwards. Texts that the model was
    trained on are left out: it is surer of them than of others.
    """
    card, system = check_card(model), rows.systems[0]
    assert system.probabilities is not None
    new = np.flatnonzero(np.isfinite(system.probabilities).all(axis=1))
    if rows.texts is not None and (folder_of(model) / SIGNATURES).is_file():
        known_texts = overlaps(folder_of(model), rows.texts)
        new = np.array([at for at in new if known_texts[at] != "train"], np.int64)
    if len(new) < LEAST_TO_FIT:
        known = len(rows.gold) - len(new)
        but = f" that the model was not trained on ({known} others are)" if known else ""
        raise XltError(
            f"A temperature needs at least {LEAST_TO_FIT} labelled texts, and there are {len(new)}{but}; give more "
            "held-out data."
        )
    found = round(fit_temperature(system.probabilities[new], rows.gold[new]), 4)
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    made: dict[str, Scalar] = {
        "temperature": found,
        "temperature_texts": len(new),
        "temperature_data": digest.hexdigest()[:16],
    }
    write_card(folder_of(model) / FILE, replace(card, made={**card.made, **made}))
    return found


def check_task(names: Sequence[str], task: Task) -> None:
    """Raise UsageError when models answer different tasks and can't stand side by side."""
    if tuple(names) != task.names:
        raise UsageError("These models answer different tasks; name one with --task, or evaluate them one by one.")
