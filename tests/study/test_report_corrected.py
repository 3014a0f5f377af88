"""What a report says of shares by language and month, of its models, and of how it was made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Xlt, xlt  # noqa: F401
from coded import drawn, make_corpus, true_share
from filled import ANTI, NEUTRAL, PRO, TASK
from xlt.corpus import gate
from xlt.corpus.breakdown import Question
from xlt.corpus.labelled import find_runs
from xlt.science.paired import holm, mcnemar
from xlt.study.prevalence import of_corpus
from xlt.study.report.gather import Wanted, gather
from xlt.study.report.parts import Report, Section

RUN, OTHER = "2026-03-02-aaaaaaaa", "2026-03-01-bbbbbbbb"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three months, English with enough gold in each, German with little; a second run misses half of `pro`."""
    path = make_corpus(tmp_path_factory.mktemp("report"))
    with gate.opened(path, write=True) as con:
        con.execute("UPDATE tweets SET created_at = TIMESTAMP '2024-01-10' + to_months(id::INT % 3)")
        con.execute(
            f"INSERT INTO runs SELECT * REPLACE ('{OTHER}' AS id, 'other' AS model, "
            "merged_at - INTERVAL 1 DAY AS merged_at) FROM runs"
        )
        con.execute(
            f"INSERT INTO predictions SELECT * REPLACE ('{OTHER}' AS run, "
            f"CASE WHEN label = '{PRO}' AND text_key::VARCHAR < '8' THEN '{NEUTRAL}' ELSE label END AS label) "
            "FROM predictions"
        )
    drawn(path, n=300, by=("lang",), allocation="proportional")
    return path


@pytest.fixture(scope="module")
def report(corpus: Path) -> Report:
    return gather(Wanted(corpus, run=RUN))


def table(report: Report, name: str) -> list[dict[str, Any]]:
    (shown,) = [each for section in report.sections for each in section.tables if each.name == name]
    return [dict(zip(shown.table.columns, row, strict=True)) for row in shown.table.rows]


def chapter(report: Report, title: str) -> Section:
    return next(section for section in report.sections if section.title == title)


def test_corrected_shares_are_those_of_prevalence_and_naive_ones_stand_apart(corpus: Path, report: Report) -> None:
    with gate.opened(corpus) as con:
        found = of_corpus(con, find_runs(con, [RUN])[0], Question(), TASK)
    rows = table(report, "corrected-by-language")
    assert [row["share of"] for row in rows[:4]] == ["related", "pro", "neutral", "anti"]
    english = found.cells[0]["topic"]["related"]
    assert (rows[0]["language"], rows[0]["corrected"]) == ("English", english.corrected)
    assert (rows[0]["low"], rows[0]["high"]) == english.interval
    assert rows[-1]["language"] == "all"
    for name in ("corrected-by-language", "corrected-by-language-and-month"):
        assert "naive" not in table(report, name)[0]
    naive = {row["language"]: row["topic: related"] for row in table(report, "naive-by-language")}
    assert naive["English"] == english.naive
    assert naive["all"] > true_share(PRO, ANTI, NEUTRAL) + 0.08


def test_by_month_a_thin_cell_pools_where_its_language_has_gold_and_says_over_what(report: Report) -> None:
    rows = table(report, "corrected-by-language-and-month")
    assert [(row["language"], row["month"]) for row in rows[::4]] == [
        (lang, f"2024-0{month}") for lang in ("all languages", "English", "German") for month in (1, 2, 3)
    ]
    by = {(row["language"], row["share of"]): row["by"] for row in rows}
    assert by["all languages", "related"] == by["English", "related"] == "ppi"
    # German has 75 hand labels, so its topic borrows from its other months; about 30 of them have a stance.
    assert (by["German", "related"], by["German", "pro"]) == ("pooled over months", "pooled over languages")
    for row in rows:
        assert (row["low"] is None) == row["by"].startswith("pooled")
        assert row["low"] is None or row["low"] <= row["corrected"] <= row["high"]
        assert row["low"] is None or row["gold labels"] >= 50
    truth = true_share(PRO, ANTI, NEUTRAL)
    january = rows[0]
    assert january["low"] < truth < january["high"]
    notes = " ".join(chapter(report, "Shares corrected by hand labels").notes)
    assert re.search(r"there are 36 shares: \d+ with an interval, \d+ pooled over months, \d+ pooled over", notes)
    assert "Pooled over months: assumed that a text with a given prediction" in notes


def test_small_multiples_show_what_is_pooled_as_hollow(report: Report, tmp_path: Path) -> None:
    figures = {each.name: each for each in chapter(report, "Shares corrected by hand labels").figures}
    assert set(figures) == {"corrected-by-language", "corrected-topic-by-month", "corrected-stance-by-month"}
    figures["corrected-topic-by-month"].draw(tmp_path / "topic.svg")
    words = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "topic.svg").read_text(encoding="utf-8"))
    assert {"all languages", "English", "German", "related", "hollow: error rates pooled, no interval"} <= set(words)
    assert {"corrected share,", "% of all"} <= set(words)
    assert words.count("2024-02") == 3


def test_models_are_compared_in_pairs_with_holm_over_languages(report: Report) -> None:
    (whole,) = table(report, "pairs")
    assert (whole["a"], whole["b"], whole["n"]) == ("tiny", "other", 300)
    assert whole["p"] == whole["p_holm"] == mcnemar(whole["only_a_right"], whole["only_b_right"])
    rows = table(report, "pairs-by-language")
    assert [row["language"] for row in rows] == ["English", "German"]
    assert [row["p_holm"] for row in rows] == holm([row["p"] for row in rows])
    assert whole["accuracy_low"] <= whole["accuracy_difference"] <= whole["accuracy_high"]


def test_confidence_is_told_of_every_model_and_to_the_corpus_mix_of_the_first(report: Report) -> None:
    rows = [row for row in table(report, "calibration") if row["language"] == "all"]
    assert [(row["model"], row["probabilities"]) for row in rows] == [
        ("tiny", "as given"),
        ("tiny", "as given, corpus mix"),
        ("other", "as given"),
    ]
    assert {row["model"] for row in table(report, "risk-coverage")} == {"tiny", "other"}
    names = {figure.name for figure in chapter(report, "What a confidence is worth").figures}
    assert names == {"reliability", "risk-coverage"}


def test_the_methods_say_what_corrected_with_how_much_and_what_is_adjusted(report: Report) -> None:
    words = " ".join(chapter(report, "Methods").words)
    assert "with 300 hand labels (hash " in words
    assert report.made["corrected"]["hash"] in words
    assert re.search(r"Gold of the draw \S+ \(seed 0\), 300 texts", words)
    for said in ("95 % level", "Holm's method", "McNemar's exact test", "(seed 0)", "pooled over languages, on the"):
        assert said in words, said
    assert re.search(r"read from 1 file \(hash of their hashes [0-9a-f]{16}\)", words)


def test_a_draw_that_is_named_must_be_there_and_runs_are_chosen(corpus: Path, xlt: Xlt, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(Exception, match="nothing-like-it"):
        gather(Wanted(corpus, draw="nothing-like-it"))
    alone = gather(Wanted(corpus, run=OTHER, against=(OTHER,)))
    assert not [section for section in alone.sections if section.title.startswith("Models against")]
    wrong = xlt("report", "--workspace", corpus.parent, "--run", "nope", "-o", tmp_path / "out")
    assert (wrong.code, "--run nope" in wrong.sentence) == (2, True)


def test_with_too_little_gold_nothing_is_estimable_and_nothing_drawn(tmp_path: Path) -> None:
    path = make_corpus(tmp_path)
    drawn(path, n=20)
    told = gather(Wanted(path))
    section = chapter(told, "Shares corrected by hand labels")
    assert {row["by"] for row in table(told, "corrected-by-language")} == {"not estimable"}
    (shown,) = [each for each in section.tables if each.name == "corrected-by-language"]
    english = shown.printed()[1][0]
    assert english[:2] == ["English", "10"]
    assert english.count("not estimable") == 4
    assert section.figures == []


def test_without_gold_the_chapter_says_why(tmp_path: Path) -> None:
    told = gather(Wanted(make_corpus(tmp_path)))
    (note,) = chapter(told, "Shares corrected by hand labels").notes
    assert note.startswith("No corrected shares: No texts were drawn for estimates")
    assert "prediction-powered" not in " ".join(chapter(told, "Methods").words)
