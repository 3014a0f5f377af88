from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.conftest import Xlt
from filled import ANTI, NEUTRAL, PRO, UNRELATED
from xlt.bundled import bundled
from xlt.cards.card import Card
from xlt.cards.read import read_card, write_card
from xlt.languages import canonical
from xlt.science.calibration import tempered
from xlt.tasks.load import load_task
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
    Path("odd.csv").write_text("text,label,a\n\x1b[31mred [/bold] ,unrelated,neutral\n", encoding="utf-8")
    odd = xlt("evaluate", "--predictions", "odd.csv", "--pred-column", "a", "--show", "errors")
    assert "undetermined: unrelated, taken for neutral\n    [31mred [/bold]" in odd.out
    assert "\x1b" not in odd.out


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


def sample_file(path: Path, n: int = 60) -> list[str]:
    """Tweets of the bundled sample, every fourth with a wrong label; returns the texts."""
    rows = pq.read_table(bundled("models", "sample", "sample.parquet")).to_pylist()
    rows = [row for row in rows if row["label"]][::14][:n]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "lang", "label"])
        for at, row in enumerate(rows):
            wrong = LABELS[(LABELS.index(row["label"]) + 1) % 4]
            writer.writerow([row["text"], row["lang"], wrong if at % 4 == 0 else row["label"]])
    return [row["text"] for row in rows]


def test_a_temperature_is_fitted_kept_and_classified_with(xlt: Xlt, tmp_path: Path) -> None:
    texts = sample_file(tmp_path / "dev.csv")
    model = tmp_path / "models" / "mine"
    shutil.copytree(bundled("models", "xlt-mini"), model)
    write_card(model / "card.toml", Card("mine", "Mine", "", task="immigration", languages=("en",)))
    raw = xlt("classify", "dev.csv", "-m", "mine", "-o", "raw.csv")
    assert raw.code == 0, raw.err
    keep_signatures(model, texts[:2], [])
    fitted = xlt(
        "evaluate", "mine", "--data", "dev.csv", "--fit-temperature", "--show", "scores,calibration", "--draws", "200"
    )
    assert fitted.code == 0, fitted.err
    assert "with torch on" not in fitted.err, "the run at temperature 1 is the one of before"
    made = read_card(model / "card.toml").made
    assert made["temperature_texts"] == 58  # Two were trained on.
    assert made["temperature_task"] == load_task("immigration").hash
    temperature = float(made["temperature"])
    assert temperature > 1, "the sample's labels were made worse than the model thinks"
    assert f"Temperature {temperature:.3g}, fitted on 58 texts" in fitted.err
    assert f"temperature {temperature:.3g}" in fitted.out
    assert "all but overlaps" in fitted.out
    assert "mine: 2 texts are nearly the same" in fitted.err

    told = xlt("classify", "dev.csv", "-m", "mine", "-o", "told.csv")
    assert f"probabilities at temperature {temperature:.3g}" in told.err
    before, after = (rows_of(Path(name)) for name in ("raw.csv", "told.csv"))
    assert [row["predicted"] for row in before] == [row["predicted"] for row in after]
    columns = [name for name in before[0] if name.startswith("p_")]
    plain, shown = (np.array([[float(row[name]) for name in columns] for row in rows]) for rows in (before, after))
    np.testing.assert_allclose(tempered(plain, temperature), shown, atol=1e-5)
    assert [float(row["confidence"]) for row in after] == pytest.approx(shown.max(axis=1).tolist())
    records = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json")]
    assert {record["identity"]["temperature"] for record in records} == {1.0, temperature}
    commands = {record["identity"]["temperature"]: record["command"]["arguments"] for record in records}
    assert commands[temperature][-1] == f"--temperature={temperature}", "to go on with, whatever the card says by then"
    assert not any("--temperature" in each for each in commands[1.0])
    off = xlt("classify", "dev.csv", "-m", "mine", "-o", "off.csv", "--temperature", "1")
    assert off.code == 0
    assert Path("off.csv").read_bytes() == Path("raw.csv").read_bytes()

    keep_signatures(model, texts[:20], [])
    again = xlt("evaluate", "mine", "--data", "dev.csv", "--fit-temperature")
    assert "40 that the model was not trained on (20 others are)" in again.sentence


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
        (("--predictions", "gold.csv", "--pred-column", "a", "--seen", "english"), "write codes of languages"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--seen", ""), "write codes of languages"),
        (("--predictions", "gold.csv", "--pred-column", "text"), "hold no label of the task immigration"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--data", "gold.csv"), "bring their own"),
        (("--predictions", "gold.csv", "--pred-column", "a", "--fit-temperature"), "takes one MODEL"),
        (("xlt-mini", "xlt-mini", "--data", "gold.csv"), "named twice"),
        (("xlt-mini", "--data", "gold.csv", "--strict-labels"), "--strict-labels is for --predictions"),
        (("xlt-mini", "--data", "odd.csv"), "odd.csv has no gold label"),
        (("--predictions", "odd.csv", "--pred-column", "predicted"), "hold what is no number"),
        (("--predictions", "sum.csv", "--pred-column", "predicted"), "are no probabilities in row 2"),
    ],
)
def test_bad_input_is_one_sentence(xlt: Xlt, gold: Path, arguments: tuple[str, ...], said: str) -> None:
    header = ["text", "label", "predicted", *map(load_task("immigration").column, LABELS)]
    for file, label, cells in (("odd.csv", "maybe", "abcd"), ("sum.csv", PRO, (0.5, 0.4, 0.3, 0.2))):
        with Path(file).open("w", newline="") as out:
            rows = [["a", label, PRO, 1, 0, 0, 0], ["b", label, PRO, *cells]]
            csv.writer(out).writerows([header, *rows])
    ran = xlt("evaluate", *arguments)
    assert ran.code in (1, 2), ran.err
    assert "with torch on" not in ran.err
    assert said in ran.sentence
    assert "Traceback" not in ran.err
