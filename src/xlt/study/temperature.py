"""Fits a model's temperature on held-out gold and keeps it in the model's card."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xlt.bundled import bundled
from xlt.cards.card import Card
from xlt.cards.read import FILE, read_card, write_card
from xlt.cards.temperature import Temperature, with_temperature
from xlt.corpus.gold import mix_of
from xlt.corpus.labelled import Run, run_record
from xlt.errors import UsageError, XltError
from xlt.science.calibration import LEAST_TO_FIT, fit_temperature, tempered
from xlt.science.metrics import Floats
from xlt.study.confidence import to_mix
from xlt.study.rows import Rows, folder_of_run, from_open
from xlt.tasks.spec import Task
from xlt.training.signatures import FILE as SIGNATURES
from xlt.training.signatures import overlaps

if TYPE_CHECKING:
    from xlt.corpus.leash import Connection


def check_card(folder: Path, name: str) -> Card:
    """The card that a temperature can be written into. Raises UsageError when the model has none of the user's."""
    built_in = folder.resolve().is_relative_to(bundled("models").resolve())
    if built_in or not (folder / FILE).is_file():
        raise UsageError(
            f"The model {name} has no card of yours that a temperature could be written into; tune one with xlt "
            "finetune, or leave --fit-temperature out."
        )
    return read_card(folder / FILE)


def store_temperature(folder: Path, name: str, rows: Rows, task: Task, weights: Floats | None = None) -> Temperature:
    """Fit a temperature on the model's own `rows` and write it into its card. Raises UsageError, XltError.

    The rows must be held-out ones that decide nothing else and are not scored afterwards. Texts that the model was
    trained on are left out: it is surer of them than of others. `weights`, (n,), reweigh rows, such as to the mix of a
    corpus; rows of weight 0 take no part.
    """
    card, system = check_card(folder, name), rows.systems[0]
    assert system.probabilities is not None
    usable = np.asarray(np.isfinite(system.probabilities).all(axis=1))
    if weights is not None:
        usable &= weights > 0
    trained = np.zeros(len(usable), np.bool_)
    if rows.texts is not None and (folder / SIGNATURES).is_file():
        trained = np.array([known == "train" for known in overlaps(folder, rows.texts)], np.bool_)
    new = np.flatnonzero(usable & ~trained)
    if len(new) < LEAST_TO_FIT:
        but = f" that the model was not trained on ({trained.sum()} others are)" if trained.any() else ""
        raise XltError(
            f"A temperature needs at least {LEAST_TO_FIT} labelled texts, and there are {len(new)}{but}; give more "
            "held-out data."
        )
    value = fit_temperature(system.probabilities[new], rows.gold[new], None if weights is None else weights[new])
    if value is None:
        raise XltError(
            f"These {len(new)} texts decide no temperature: the model makes no error on them, or knows nothing of "
            "them; give more held-out data."
        )
    found = Temperature(round(value, 4), len(new), _hash(rows, new.tolist(), task), task.hash)
    write_card(folder / FILE, with_temperature(card, found))
    return found


def _hash(rows: Rows, used: list[int], task: Task) -> str:
    """SHA-256 over language, label and text of the rows used, in any order; 16 hexadecimal digits."""
    texts = rows.texts or ("",) * len(rows.gold)
    digest = hashlib.sha256()
    for parts in sorted((rows.langs[at], task.names[rows.gold[at]], texts[at]) for at in used):
        digest.update("\0".join(parts).encode() + b"\n")
    return digest.hexdigest()[:16]


def at_temperature(rows: Rows, found: Temperature) -> Rows:
    """Rows of one system, which now has this temperature."""
    return replace(rows, systems=(replace(rows.systems[0], temperature=found.value),))


def fit_on_corpus(con: Connection, corpus: Path, run: Run, task: Task) -> tuple[Temperature, Rows]:
    """`store_temperature` for the model of a corpus's run, on the gold drawn for dev, reweighed to the corpus's mix.

    A text stands for as many of the corpus as share its language and predicted label, over how many of them were coded.
    """
    record = run_record(con, run.id)
    folder = folder_of_run(record)
    if folder is None:
        raise XltError(f"The run {run.id} does not say where its model lies, so nothing can be kept in its card.")
    check_card(folder, run.model)
    rows = from_open(con, corpus, (run,), task, dev=True)
    (system,) = rows.systems
    assert system.probabilities is not None
    usable = np.asarray(np.isfinite(system.probabilities).all(axis=1))
    weights = to_mix(rows, system.probabilities, usable, mix_of(con, run.id, task.names))
    raw = replace(system, probabilities=tempered(system.probabilities, 1 / system.given_at), given_at=1.0)
    rows = replace(rows, systems=(raw,))
    found = store_temperature(folder, run.model, rows, task, weights)
    return found, at_temperature(rows, found)
