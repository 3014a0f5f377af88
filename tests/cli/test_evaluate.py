from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cli.conftest import Xlt
from filled import ANTI, NEUTRAL, PRO, UNRELATED
from models import write_model
from xlt.cards.card import Card
from xlt.cards.read import read_card, write_card
from xlt.languages import canonical
from xlt.training.signatures import keep_signatures

LABELS = (PRO, ANTI, NEUTRAL, UNRELATED)


def gold_file(path: Path, n: int = 60) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "lang", "label", "a", "b"])
        for at in range(n):
            right = LABELS[at % 4]
            words = f"tweet number {at} says something of its own: {at * 7919 % 1000} and {at * 104729 % 977}"
            writer.writerow([words, "en" if at % 3 else "de", right, right if at % 5 else PRO, LABELS[at // 4 % 4]])
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return gold_file(tmp_path / "gold.csv")


def test_predictions_side_by_side(xlt: Xlt, gold: Path) -> None:
    ran = xlt("evaluate", "--predictions", "gold.csv", "--pred-column", "a", "--pred-column", "b", "--seen", "a=en")
    assert ran.code == 0, ran.err
    assert "a: 60 texts" in ran.out
    assert "German (unseen)" in ran.out
    assert "McNemar" in ran.out
    assert "< .001" in ran.out
    assert "No interval below 50 texts" in ran.err
    assert "tweet number" not in ran.out
    shown = xlt("evaluate", "--predictions", "gold.csv", "--pred-column", "a", "--show", "errors")
    assert "tweet number" in shown.out


def test_the_published_table_comes_out(xlt: Xlt, shared_data: Path) -> None:
    """48 cells of accuracy and weighted F1, as the paper's authors published them."""
    folder = shared_data / "immigration"
    models = ("en", "es", "en-es", "multi")
    columns = [part for model in models for part in ("--pred-column", f"paper_{model.replace('-', '_')}")]
    ran = xlt("evaluate", "--predictions", str(folder / "test.csv"), *columns, "--strict-labels", "--format", "csv")
    assert ran.code == 0, ran.err
    found = {
        (row["model"], row["slice"]): (float(row["accuracy"]), float(row["weighted_f1"]), int(row["n"]))
        for row in csv.DictReader(io.StringIO(ran.out))
        if row["measure"] == "labels" and row["kind"] == "language"
    }
    with (folder / "published_metrics_test.csv").open(encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    assert len(published) == len(found) == 48
    for cell in published:
        key = (f"paper_{cell['model'].replace('-', '_')}", canonical(cell["test_set"]))
        wanted = (float(cell["accuracy"]), float(cell["f1_weighted"]), int(cell["n"]))
        assert found[key] == pytest.approx(wanted, abs=1e-6)


def test_formats(xlt: Xlt, gold: Path) -> None:
    base = ("evaluate", "--predictions", "gold.csv", "--pred-column", "a")
    rows = list(csv.DictReader(io.StringIO(xlt(*base, "--format", "csv").out)))
    whole = next(row for row in rows if (row["slice"], row["measure"]) == ("all", "labels"))
    assert float(whole["accuracy"]) == pytest.approx(1 - 9 / 60)
    assert float(whole["accuracy_low"]) < float(whole["accuracy"])
    found = json.loads(xlt(*base, "--format", "json", "--show", "all").out)
    assert set(found) > {"scores", "labels", "confusion", "errors", "notes", "task"}
    assert xlt(*base, "-o", "scores.parquet", "--show", "labels").code == 0
    assert Path("scores.parquet").is_file()


def test_a_model_on_gold_and_again(xlt: Xlt, gold: Path, tiny: str) -> None:
    ran = xlt("evaluate", tiny, "--data", "gold.csv", "--show", "scores,calibration,risk")
    assert ran.code == 0, ran.err
    assert "60 texts" in ran.out
    assert "ece" in ran.out
    again = xlt("evaluate", tiny, "--data", "gold.csv", "--show", "scores,calibration,risk")
    assert again.out == ran.out
    assert "with torch on" not in again.err, "the run is found again and nothing is scored twice"


def test_a_temperature_is_fitted_once_and_texts_that_were_tuned_on_are_told(xlt: Xlt, tmp_path: Path) -> None:
    gold_file(tmp_path / "dev.csv")
    gold = gold_file(tmp_path / "gold.csv", 70)
    model = write_model(tmp_path / "models" / "mine")
    write_card(model / "card.toml", Card("mine", "Mine", "", task="immigration", languages=("en",)))
    with gold.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    keep_signatures(model, [texts[0], texts[5]], [])
    fitted = xlt("evaluate", "mine", "--data", "dev.csv", "--fit-temperature")
    assert fitted.code == 0, fitted.err
    assert "Don't report scores on this data" in fitted.err
    made = read_card(model / "card.toml").made
    assert made["temperature_texts"] == 58  # two were trained on
    keep_signatures(model, texts[:20], [])
    assert (
        "40 that the model was not trained on (20 others are)"
        in xlt("evaluate", "mine", "--data", "dev.csv", "--fit-temperature").sentence
    )
    keep_signatures(model, [texts[0], texts[5]], [])
    ran = xlt("evaluate", "mine", "--data", "gold.csv", "--show", "scores,calibration")
    assert ran.code == 0, ran.err
    assert "temperature" in ran.out
    assert "all but overlaps" in ran.out
    assert "mine: 2 texts are nearly the same" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say what to evaluate"),
        (("xlt-mini",), "--data FILE"),
        (("--predictions", "gold.csv"), "go together"),
        (("--predictions", "gold.csv", "--pred-column", "zz"), "no such column"),
        (("--predictions", "none.csv", "--pred-column", "a"), "no file none.csv"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--show", "nonsense"), "there are scores"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--seen", "q=en"), "q is no --pred-column"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--format", "csv", "--show", "all"), "one table"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--run", "x"), "--run is for --corpus"),
        (("--corpus",), "There is no corpus"),
        (("xlt-mini", "--data", "gold.csv", "--fit-temperature"), "no card of yours"),
    ],
)
def test_bad_input_is_one_sentence(xlt: Xlt, gold: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = xlt("evaluate", *arguments)
    assert ran.code == 2, ran.err
    assert said in ran.sentence
    assert "Traceback" not in ran.err
