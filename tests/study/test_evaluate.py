"""Rows, slices and tables of scores: from files and from a corpus."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, fill, key_of
from xlt.corpus import gate
from xlt.corpus.gold import settle
from xlt.corpus.labelled import find_runs
from xlt.errors import UsageError, XltError
from xlt.science.labels import Matched
from xlt.science.paired import holm
from xlt.study import compare, confidence, evaluate
from xlt.study.rows import Columns, Rows, System, from_corpus, from_files

GOLD = [PRO, PRO, ANTI, NEUTRAL, UNRELATED, UNRELATED]
SAID = [PRO, ANTI, ANTI, UNRELATED, UNRELATED, PRO]


def write(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def codes(labels: list[str]) -> Matched:
    return Matched(np.array([TASK.names.index(label) for label in labels]), 0, {}, {})


def cells(table: evaluate.Table, **wanted: Any) -> dict[str, Any]:
    (row,) = [
        found
        for row in table.rows
        if all((found := dict(zip(table.columns, row, strict=True)))[key] == value for key, value in wanted.items())
    ]
    return row


@pytest.fixture
def rows() -> Rows:
    system = System("m", codes(SAID), seen=("en",), overlaps=np.array([0, 4]))
    return Rows(codes(GOLD).codes, ("en", "en", "en", "de", "de", "de"), None, (system,))


def test_labels_topic_and_stance_by_hand(rows: Rows) -> None:
    table = evaluate.score_table(rows, TASK)
    all_labels = cells(table, slice="all", measure="labels")
    assert all_labels["accuracy"] == pytest.approx(3 / 6)
    # F1: pro 2*1/(2+2), anti 2*1/(1+2), neutral 0, unrelated 2*1/(2+2)
    assert all_labels["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0 + 0.5) / 4)
    assert all_labels["weighted_f1"] == pytest.approx((2 * 0.5 + 2 / 3 + 0 + 2 * 0.5) / 6)
    assert all_labels["commonest_accuracy"] == pytest.approx(2 / 6)
    topic = cells(table, slice="all", measure="topic")
    assert (topic["n"], topic["accuracy"]) == (6, pytest.approx(4 / 6))
    # Among the four that gold puts on the topic: pro 1 of 2, anti 1 of 1, neutral missed as unrelated: an error.
    stance = cells(table, slice="all", measure="stance")
    assert (stance["n"], stance["accuracy"]) == (4, pytest.approx(2 / 4))
    assert stance["macro_f1"] == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
    # End to end the unrelated tweet that was called pro costs precision too.
    whole = cells(table, slice="all", measure="stance end to end")
    assert whole["macro_f1"] == pytest.approx((0.5 + 0 + 2 / 3) / 3)
    assert whole["accuracy"] is None


def test_slices_are_languages_seen_unseen_all_and_all_but_overlaps(rows: Rows) -> None:
    table = evaluate.score_table(rows, TASK)
    of = {row[1]: row for row in table.rows if row[3] == "labels"}
    assert {name: row[4] for name, row in of.items()} == {
        "de": 3,
        "en": 3,
        "seen": 3,
        "unseen": 3,
        "all": 6,
        "all but overlaps": 4,
    }
    assert cells(table, slice="all", measure="labels")["overlap"] == 2
    assert cells(table, slice="all but overlaps", measure="labels")["accuracy"] == pytest.approx(1 / 4)
    assert any("2 texts are nearly the same" in note for note in evaluate.footnotes(table))
    assert all(row[6] is None for row in table.rows), "no interval at six texts"


def test_intervals_and_a_common_mix() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 4, 400)
    said = np.where(rng.random(400) < 0.7, gold, rng.integers(0, 4, 400))
    system = System("m", Matched(said, 0, {}, {}))
    many = Rows(gold, ("en",) * 200 + ("de",) * 200, None, (system,))
    row = cells(evaluate.score_table(many, TASK), slice="all", measure="labels")
    assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
    assert row["macro_f1_low"] < row["macro_f1"] < row["macro_f1_high"]
    assert row["same_mix_accuracy"] == pytest.approx(row["accuracy"]), "the mix of all rows is that of all rows"
    assert row["same_mix_accuracy_low"] == pytest.approx(row["accuracy_low"])
    assert row["same_mix_macro_f1_high"] == pytest.approx(row["macro_f1_high"])
    rare = np.flatnonzero((np.array(many.langs) == "en") & (gold == 0))[6:]
    few = replace(many, gold=np.delete(gold, rare), langs=tuple(np.delete(many.langs, rare)))
    few = replace(few, systems=(System("m", Matched(np.delete(said, rare), 0, {}, {})),))
    english = cells(evaluate.score_table(few, TASK), slice="en", measure="labels")
    assert english["accuracy_low"] is not None
    assert english["same_mix_accuracy"] is not None
    assert english["same_mix_accuracy_low"] is None, "six of a label that weighs more in the mix tell too little"
    shuffled = rng.permutation(400)
    again = Rows(
        gold[shuffled], tuple(np.array(many.langs)[shuffled]), None, (System("m", Matched(said[shuffled], 0, {}, {})),)
    )
    assert cells(evaluate.score_table(again, TASK), slice="all", measure="labels") == row


def test_labels_and_confusion_tables(rows: Rows) -> None:
    labels = evaluate.label_table(rows, TASK)
    pro = cells(labels, slice="all", measure="labels", label=PRO)
    assert (pro["gold"], pro["predicted"], pro["precision"], pro["recall"]) == (2, 2, 0.5, 0.5)
    assert pro["recall_low"] < 0.5 < pro["recall_high"]
    confusion = evaluate.confusion_table(rows, TASK)
    assert cells(confusion, slice="all", gold=UNRELATED, predicted=PRO)["n"] == 1
    assert sum(row[-1] for row in confusion.rows if row[1] == "all") == 6


def test_pairs_and_seen_against_unseen(rows: Rows) -> None:
    other = System("n", codes([PRO, PRO, ANTI, NEUTRAL, UNRELATED, PRO]), seen=("de",))
    both = Rows(rows.gold, rows.langs, None, (rows.systems[0], other))
    pairs = compare.pair_table(both, TASK)
    assert [row[2] for row in pairs.rows] == ["de", "en", "all"]
    whole = cells(pairs, slice="all")
    assert (whole["only_a_right"], whole["only_b_right"]) == (0, 2)
    assert whole["accuracy_difference"] == pytest.approx(2 / 6)
    assert whole["p"] == pytest.approx(0.5)
    seen = compare.seen_table(both, TASK)
    english = cells(seen, slice="en")
    assert (english["accuracy_seen"], english["accuracy_unseen"]) == (pytest.approx(2 / 3), pytest.approx(1.0))


def test_holm_takes_all_languages_of_all_pairs_together() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 4, 120)
    systems = tuple(
        System(name, Matched(np.where(rng.random(120) < right, gold, (gold + 1) % 4), 0, {}, {}))
        for name, right in (("a", 0.9), ("b", 0.7), ("c", 0.5))
    )
    three = Rows(gold, ("en",) * 60 + ("de",) * 60, None, systems)
    table = compare.pair_table(three, TASK, draws=200)
    at = {name: place for place, name in enumerate(table.columns)}
    for pooled, tests in ((False, 6), (True, 3)):
        family = [row for row in table.rows if (row[at["slice"]] == "all") == pooled]
        assert [row[at["p_holm"]] for row in family] == holm([row[at["p"]] for row in family])
        assert min(row[at["p_holm"]] for row in family) == tests * min(row[at["p"]] for row in family)


def test_labels_that_gold_lacks_are_named_for_groups_too(rows: Rows) -> None:
    (note,) = [each for each in evaluate.footnotes(evaluate.score_table(rows, TASK)) if "gold lacks" in each]
    # The German rows are one neutral and two unrelated.
    assert "labels: de (pro-immigration; anti-immigration)" in note
    assert "stance: de (pro; anti)" in note
    assert "end to end" not in note


def test_files_with_odd_labels_say_so(tmp_path: Path) -> None:
    rows = [["text", "lang", "label", "said"], ["a", "in", "Neutral", "failed"], ["b", "en", PRO, ""]]
    rows += [["c", "en", "", PRO], ["d", "en", "nonsense", PRO], ["e", "en", ANTI, " ANTI-immigration"]]
    path = write(tmp_path / "a.csv", rows)
    found = from_files([path], {"said": "said"}, TASK, Columns())
    assert found.langs == ("id", "en", "en")
    assert found.systems[0].codes.tolist() == [-1, -1, 1]
    notes = " ".join(found.notes)
    for part in ("'Neutral' (1)", "'failed' (1)", "1 predictions are missing", "'nonsense' (1)", "1 rows without"):
        assert part in notes, notes
    strict = from_files([path], {"said": "said"}, TASK, Columns(), strict=True)
    assert strict.langs == ("en", "en")
    assert strict.systems[0].codes.tolist() == [-1, -1]
    with pytest.raises(XltError, match=r"no gold label of the task.*--label-column"):
        from_files([path], {"said": "said"}, TASK, Columns(label="text"))
    with pytest.raises(UsageError, match="no such column"):
        from_files([path], {"x": "x"}, TASK, Columns())


def test_labels_that_are_numbered_from_zero_are_refused(tmp_path: Path) -> None:
    def numbered(column: list[str], option: str, **which: str) -> None:
        rows = [["text", "label", "said"], *([str(at), PRO, PRO] for at in range(len(column)))]
        for row, number in zip(rows[1:], column, strict=True):
            row[rows[0].index(which["at"])] = number
        with pytest.raises(UsageError, match=rf"numbers labels from 0.*counts its answers from 1.*{option}"):
            from_files([write(tmp_path / "a.csv", rows)], {"said": "said"}, TASK, Columns())

    numbered(["0", "1", "2", "3"], "--label-column", at="label")
    numbered(["0", "2", "0"], "--pred-column", at="said")
    rows = [["text", "label", "said"], ["a", "1", "0"], ["b", "4", "4"]]
    found = from_files([write(tmp_path / "a.csv", rows)], {"said": "said"}, TASK, Columns())
    assert found.gold.tolist() == [0, 3]
    assert found.systems[0].codes.tolist() == [-1, 3], "a 0 beside a 4 is a failure"


def test_probabilities_beside_predictions_are_read(tmp_path: Path) -> None:
    names = [TASK.column(label) for label in TASK.names]
    rows: list[list[Any]] = [["text", "label", "predicted", *names]]
    rows += [["a", PRO, PRO, 0.7, 0.1, 0.1, 0.1], ["b", ANTI, PRO, 0.6, 0.2, 0.1, 0.1], ["c", ANTI, "", "", "", "", ""]]
    found = from_files([write(tmp_path / "a.csv", rows)], {"m": "predicted"}, TASK, Columns())
    table = confidence.calibration_table(found)
    whole = cells(table, slice="all")
    assert (whole["n"], whole["accuracy"], whole["confidence"]) == (2, 0.5, pytest.approx(0.65))
    assert whole["ece"] is None, "two texts tell nothing"
    many = replace(found, gold=np.tile(found.gold[:2], 25), langs=("und",) * 50, texts=None)
    system = replace(found.systems[0], probabilities=np.tile(found.systems[0].probabilities[:2], (25, 1)))  # type: ignore[index]
    many = replace(many, systems=(replace(system, predicted=Matched(np.zeros(50, np.int64), 0, {}, {})),))
    # Bands (.6, .7] and (.5, .6]: |.7 - 1| and |.6 - 0|.
    assert cells(confidence.calibration_table(many), slice="all")["ece"] == pytest.approx((0.3 + 0.6) / 2)
    mixed = confidence.calibration_table(found, {("und", 0): 8.0})
    assert {row[2] for row in mixed.rows} == {"as given", "as given, corpus mix"}
    risk = confidence.risk_table(found, TASK)
    assert cells(risk, model="m", most_confident=0.3)["accuracy"] == 1.0
    errors = confidence.error_table(found, TASK)
    assert [(row[-1], row[3]) for row in errors.rows] == [("b", PRO), ("c", "failed")]
    assert len(confidence.reliability_table(found).rows) == 2


def test_the_gold_of_a_corpus_against_its_run(tmp_path: Path) -> None:
    posts = [Post(str(at), f"text {at}", label, "en") for at, label in enumerate(SAID)]
    path = fill(tmp_path, posts)
    with gate.opened(path, write=True) as con:
        for at, label in enumerate(GOLD):
            con.execute(
                "INSERT INTO gold (text_key, task, label, coder, coded_at, draw) "
                "VALUES (?, 'immigration', ?, 'A', '2026-01-01', ?)",
                [key_of(f"text {at}"), label, "d" if at == 5 else None],
            )
        # B disagrees about text 0, which an adjudicator settles, and about text 1, which nobody does.
        for coder, role, at, label in (("B", "coder", 0, ANTI), ("C", "adjudicator", 0, PRO), ("B", "coder", 1, ANTI)):
            con.execute(
                "INSERT INTO gold (text_key, task, label, coder, coded_at, role) "
                "VALUES (?, 'immigration', ?, ?, '2026-01-02', ?)",
                [key_of(f"text {at}"), label, coder, role],
            )
        con.execute(
            "INSERT INTO draws VALUES ('d', 'immigration', 'train', 'texts', 'true', 'x', 6, NULL, 0, '2026-01-01')"
        )
        runs = find_runs(con, ())
    found = from_corpus(path, runs, TASK)
    assert len(found.gold) == 4, "one is split, one was drawn for training"
    assert found.texts is not None
    assert sorted(found.texts) == ["text 0", "text 2", "text 3", "text 4"]
    of = dict(zip(found.texts, found.gold.tolist(), strict=True))
    assert of["text 0"] == TASK.names.index(PRO)
    assert any("split" in note for note in found.notes)
    assert any("1 texts drawn for training" in note for note in found.notes)
    whole = cells(evaluate.score_table(found, TASK), slice="all", measure="labels")
    assert whole["accuracy"] == pytest.approx(3 / 4)


def test_who_settles_a_text() -> None:
    assert settle([("a", "coder"), ("b", "coder"), ("a", "coder")]) == "a"
    assert settle([("a", "coder"), ("b", "coder")]) is None
    assert settle([("a", "coder"), ("a", "coder"), ("b", "adjudicator")]) == "b"


def test_one_language_one_row_one_class() -> None:
    lonely = Rows(np.array([3]), ("ko",), None, (System("m", Matched(np.array([3]), 0, {}, {}), seen=("ko",)),))
    table = evaluate.score_table(lonely, TASK)
    row = cells(table, slice="all", measure="labels")
    assert (row["n"], row["accuracy"], row["kappa"]) == (1, 1.0, None)
    stance = cells(table, slice="all", measure="stance")
    assert (stance["n"], stance["accuracy"], stance["macro_f1"]) == (0, None, None)
    assert not any(isinstance(value, float) and math.isnan(value) for row in table.rows for value in row)


def test_gold_that_was_drawn_to_train_on_is_said_to_be_there(tmp_path: Path) -> None:
    path = fill(tmp_path, [Post("0", "text 0", PRO, "en")])
    with gate.opened(path, write=True) as con:
        con.execute(
            "INSERT INTO draws VALUES ('d', 'immigration', 'train', 'texts', 'true', 'x', 1, NULL, 0, '2026-01-01')"
        )
        con.execute(
            "INSERT INTO gold (text_key, task, label, coder, coded_at, draw) "
            "VALUES (?, 'immigration', ?, 'A', '2026-01-01', 'd')",
            [key_of("text 0"), PRO],
        )
        runs = find_runs(con, ())
    with pytest.raises(XltError, match="but 1 texts drawn to train or choose a model, which measure nothing"):
        from_corpus(path, runs, TASK)
