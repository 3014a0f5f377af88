"""A temperature fitted on the gold of a corpus, reweighed to its mix, and kept in the card of the run's model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from filled import ANTI, PRO, TASK, Post, fill, key_of
from xlt.bundled import bundled
from xlt.cards.card import Card
from xlt.cards.read import read_card, write_card
from xlt.cards.temperature import temperature_of
from xlt.corpus import gate
from xlt.corpus.labelled import find_runs
from xlt.errors import UsageError, XltError
from xlt.science.calibration import tempered
from xlt.study import confidence
from xlt.study.rows import from_open
from xlt.study.temperature import check_card, fit_on_corpus

RUN = "2026-03-02-aaaaaaaa"
# Of 200 English texts 30 were coded and half of them are right; of 40 German ones 30, and 27 are right.
ENGLISH, GERMAN, CODED, RIGHT = 200, 40, 30, {"en": 15, "de": 27}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """With a run at temperature 2 whose model has a card."""
    posts = [Post(f"e{at}", f"english {at}", PRO, "en") for at in range(ENGLISH)]
    posts += [Post(f"d{at}", f"german {at}", ANTI, "de") for at in range(GERMAN)]
    path = fill(tmp_path, posts)
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    write_card(model / "card.toml", Card("mine", "Mine", "", task="immigration", made={"temperature_of": "another"}))
    record = {"model": {"files": {"weights": str(model)}}, "identity": {"temperature": 2.0}}
    with gate.opened(path, write=True) as con:
        con.execute("UPDATE runs SET record = ?", [json.dumps(record)])
        con.execute(
            "INSERT INTO draws VALUES ('d', 'immigration', 'dev', 'texts', 'true', 'x', 60, NULL, 0, '2026-01-01')"
        )
        for words, lang, said in (("english", "en", PRO), ("german", "de", ANTI)):
            for at in range(CODED):
                # The wrong ones are spread evenly over the other labels.
                others = [name for name in TASK.names if name != said]
                label = said if at < RIGHT[lang] else others[at % 3]
                con.execute(
                    "INSERT INTO gold (text_key, task, label, coder, coded_at, draw) VALUES "
                    "(?, 'immigration', ?, 'A', '2026-01-01', 'd')",
                    [key_of(f"{words} {at}"), label],
                )
    return path


def test_a_temperature_makes_the_corpus_s_confidence_honest(corpus: Path, tmp_path: Path) -> None:
    with gate.opened(corpus) as con:
        (run,) = find_runs(con)
        found, rows = fit_on_corpus(con, corpus, run, TASK)
        (given,) = from_open(con, corpus, [run], TASK, dev=True).systems
    assert found.texts == 2 * CODED
    card = read_card(tmp_path / "models" / "mine" / "card.toml")
    assert temperature_of(card, TASK.hash) == found.value
    assert "temperature_of" not in card.made, "that was said of the temperature before"
    # One confidence for all rows is honest where it is their accuracy, here that of the corpus: 200 to 40.
    accuracy = (ENGLISH * RIGHT["en"] + GERMAN * RIGHT["de"]) / CODED / (ENGLISH + GERMAN)
    (system,) = rows.systems
    assert system.calibrated is not None
    assert system.calibrated.max(axis=1) == pytest.approx(np.full(60, accuracy), abs=1e-3)
    assert given.probabilities is not None
    raw = tempered(given.probabilities, 0.5)  # The run was at 2.
    assert tempered(raw, found.value).max(axis=1) == pytest.approx(np.full(60, accuracy), abs=1e-3)
    shown = {row[2] for row in confidence.calibration_table(rows).rows}
    assert shown == {"as given", f"temperature {found.value:.3g}"}


def test_what_can_have_no_temperature(corpus: Path, tmp_path: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        (run,) = find_runs(con)
        con.execute("UPDATE draws SET purpose = 'estimate'")
        with pytest.raises(XltError, match=r"no gold of the task immigration that was drawn for dev"):
            fit_on_corpus(con, corpus, run, TASK)
        con.execute("UPDATE runs SET record = '{}'")
        with pytest.raises(XltError, match="does not say where its model lies"):
            fit_on_corpus(con, corpus, run, TASK)
    for folder in (tmp_path, bundled("models", "xlt-mini")):
        with pytest.raises(UsageError, match="no card of yours"):
            check_card(folder, "it")
