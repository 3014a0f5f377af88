"""Corrected shares of files and of a corpus: draws, frames, early stops, pooling, what the model knows."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coded import drawn, label, make_corpus, said_of, text_of, true_share, truth_of
from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, key_of
from xlt.corpus import duck, gate
from xlt.corpus.breakdown import Question
from xlt.corpus.draws import draws
from xlt.corpus.estimates import GoldColumns
from xlt.corpus.filters import Filter
from xlt.corpus.labelled import FileColumns, find_runs
from xlt.corpus.labelled import from_files as labelled_files
from xlt.corpus.supervised import write as supervised
from xlt.errors import UsageError, XltError
from xlt.study.prevalence import Estimates, from_files, of_corpus
from xlt.study.rows import from_corpus as gold_rows
from xlt.training.signatures import keep_signatures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("prevalence"))


@pytest.fixture
def corpus(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


def ask(corpus: Path, draw: str | None = None, by: tuple[str, ...] = ("lang",), **options: Any) -> Estimates:
    with gate.opened(corpus) as con:
        (run,) = find_runs(con, ())
        plain = options.pop("random_sample", False)
        return of_corpus(con, run, Question(by, **options), TASK, draw, random_sample=plain)


def test_shares_are_corrected_by_a_draw(corpus: Path) -> None:
    drawn(corpus, by=("lang",))
    found = ask(corpus)
    topic = found.total["topic"]["related"]
    truth = true_share(PRO, ANTI, NEUTRAL)
    assert topic.method == "ppi"
    assert topic.naive is not None
    assert topic.naive > truth + 0.08
    assert topic.interval is not None
    assert topic.interval[0] < truth < topic.interval[1] < topic.naive
    assert topic.n == 300
    assert [row.keys for row in found.answer.rows] == [("en",), ("de",)]
    assert found.cells[0]["topic"]["related"].n == 150
    assert sum(row.n for row in found.answer.rows) == 1200
    # The breakdown shows the same.
    shown = found.corrected()
    assert shown.total.share("topic", "related") == topic.corrected
    assert shown.total.intervals["topic"]["related"] == topic.interval
    table = found.table()
    assert len(table.rows) == 3 * 5
    assert not any("tweet" in str(cell) for row in table.rows for cell in row)


def test_strata_by_confidence_of_posts_and_a_frame(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        (run,) = find_runs(con, ())
    chosen = Filter(where="id::INT % 2 = 0")
    drawn(corpus, n=240, by=("lang", "confidence"), unit="posts", run=run, filter=chosen, allocation="proportional")
    found = ask(corpus, by=())
    assert found.answer.total.n == 600, "the share is one of what could be drawn"
    topic = found.total["topic"]["related"]
    assert topic.interval is not None
    assert topic.interval[0] < true_share(PRO, ANTI, NEUTRAL, step=2) < topic.interval[1]
    part = ask(corpus, by=(), where="id::INT % 4 = 0")
    assert part.answer.total.n == 300
    assert part.total["topic"]["related"].n < 240


def test_coding_that_stopped_early_counts_for_what_it_is(corpus: Path) -> None:
    drawn(corpus, code=0.5, by=("lang",))
    found = ask(corpus)
    assert found.total["topic"]["related"].n == 150
    assert any("150 of the 300 that were drawn are coded" in note for note in found.notes)
    interval = found.total["topic"]["related"].interval
    assert interval is not None
    assert interval[0] < true_share(PRO, ANTI, NEUTRAL) < interval[1]


def test_strata_without_a_label_are_told(corpus: Path) -> None:
    draw = drawn(corpus, by=("lang",))
    assert not any("of which nothing is coded" in note for note in ask(corpus).notes)
    with gate.opened(corpus, write=True) as con:
        sizes = dict(con.execute("SELECT stratum, count(*) FROM drawn GROUP BY 1").fetchall())
        gone, size = min(sizes.items())
        (chance,) = con.execute("SELECT min(probability) FROM drawn WHERE stratum = ?", [gone]).fetchone() or (1.0,)
        con.execute("DELETE FROM gold WHERE text_key IN (SELECT text_key FROM drawn WHERE stratum = ?)", [gone])
    (note,) = [note for note in ask(corpus).notes if "of which nothing is coded" in note]
    assert note.startswith(f"{round(size / chance):,} of the {draw.frame_size:,} texts")


def test_what_tuned_or_chose_a_model_corrects_nothing(corpus: Path) -> None:
    with pytest.raises(UsageError, match=r"No texts were drawn for estimates.*--random-sample"):
        ask(corpus)
    draw = drawn(corpus, n=60, purpose="train")
    with pytest.raises(UsageError, match="No texts were drawn for estimates"):
        ask(corpus)
    with pytest.raises(UsageError, match=r"is for train: its labels tuned or chose"):
        ask(corpus, draw.id)
    later = drawn(corpus, n=200)
    found = ask(corpus)
    assert found.answer.total.n == 1140, "what was drawn for training before could not be drawn again"
    assert later.frame_size == 1140
    assert not any("now" in note for note in found.notes)


def test_a_draw_that_nobody_coded_says_what_to_do(corpus: Path) -> None:
    drawn(corpus, code=0.0)
    with pytest.raises(XltError, match="There is no gold to correct by"):
        ask(corpus)


def test_texts_that_the_model_was_tuned_on_are_left_out_or_refused(corpus: Path, tmp_path: Path) -> None:
    draw = drawn(corpus, n=200)
    with gate.opened(corpus, write=True) as con:
        rows = con.execute(
            "SELECT t.text FROM gold g JOIN tweets t USING (text_key) WHERE g.draw = ? ORDER BY t.id", [draw.id]
        ).fetchall()
        texts = [row[0] for row in rows]
        model = tmp_path / "model"
        record = {"model": {"name": "tuned", "files": {"weights": str(model)}}}
        con.execute("UPDATE runs SET record = ?", [json.dumps(record)])
    keep_signatures(model, texts[:4], texts[4:6])
    found = ask(corpus, by=())
    assert found.total["topic"]["related"].n == 194
    assert any("6 gold texts are left out" in note for note in found.notes)
    with gate.opened(corpus) as con:
        runs = find_runs(con, ())
    scored = gold_rows(corpus, runs, TASK)
    assert scored.systems[0].overlaps is not None
    assert scored.texts is not None
    assert {scored.texts[at] for at in scored.systems[0].overlaps} == set(texts[:6])
    assert any(note.startswith("Every text counts once") for note in scored.notes)
    keep_signatures(model, texts[:40], [])
    with pytest.raises(XltError, match=r"was tuned on 40 of the 200 gold texts"):
        ask(corpus, by=())


def test_what_is_left_of_a_stratum_stands_for_all_of_it(corpus: Path, tmp_path: Path) -> None:
    draw = drawn(corpus, n=200, by=("lang",))
    before = ask(corpus, by=()).total["topic"]["related"]
    with gate.opened(corpus, write=True) as con:
        rows = con.execute(
            "SELECT t.text FROM gold g JOIN tweets t USING (text_key) WHERE g.draw = ? AND t.lang = 'de' "
            "AND g.label = ? ORDER BY t.id LIMIT 8",
            [draw.id, UNRELATED],
        ).fetchall()
        record = {"model": {"name": "tuned", "files": {"weights": str(tmp_path / "model")}}}
        con.execute("UPDATE runs SET record = ?", [json.dumps(record)])
    keep_signatures(tmp_path / "model", [row[0] for row in rows], [])
    after = ask(corpus, by=()).total["topic"]["related"]
    assert before.gold is not None
    assert after.gold is not None
    with gate.opened(corpus) as con:
        (english, german, coded) = con.execute(
            "SELECT avg((g.label <> $1)::INT) FILTER (t.lang = 'en'), "
            "sum((g.label <> $1)::INT) FILTER (t.lang = 'de'), count(*) FILTER (t.lang = 'de') "
            "FROM gold g JOIN tweets t USING (text_key)",
            [UNRELATED],
        ).fetchone() or (0, 0, 0)
    assert before.gold == pytest.approx(0.75 * english + 0.25 * german / coded)
    assert after.gold == pytest.approx(0.75 * english + 0.25 * german / (coded - 8))


def test_small_cells_pool_and_say_so(corpus: Path) -> None:
    drawn(corpus, n=160, by=("lang",), allocation="proportional")
    found = ask(corpus)
    english, german = (cell["topic"]["related"] for cell in found.cells)
    assert (english.method, english.n) == ("ppi", 120)
    assert (german.method, german.n, german.interval, german.gold) == ("pooled", 40, None, None)
    assert german.corrected is not None
    assert any("so pooled: en (stance); de (topic, stance)" in note for note in found.notes)


def test_another_run_than_the_draws(corpus: Path) -> None:
    with gate.opened(corpus) as con:
        (run,) = find_runs(con, ())
    drawn(corpus, n=100, filter=Filter(most=0.95), run=replace(run, id=run.id), by=())
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE draws SET run = 'another'")
    with pytest.raises(XltError, match=r"chose by the labels of the run another"):
        ask(corpus)


@contextmanager
def opened_file(path: Path, scratch: Path, **given: Any) -> Iterator[tuple[Any, Any]]:
    with duck.job(scratch) as con:
        yield con, labelled_files(con, [path], FileColumns(**given), scratch)


def write(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "lang", "predicted", "gold", "pi"], *rows])
    return path


def test_files_with_probabilities_and_plain_samples_agree(tmp_path: Path) -> None:
    rows: list[list[Any]] = []
    for at in range(1200):
        coded = at % 6 == 0
        rows.append([text_of(at), "en" if at % 2 else "de", said_of(at), truth_of(at) if coded else "", ""])
        rows[-1][4] = 1 / 6 if coded else ""
    path = write(tmp_path / "a.csv", rows)
    columns = GoldColumns("gold", "pi", None, "text")
    with opened_file(path, tmp_path) as (con, source):
        weighted = from_files(con, source, Question(()), columns, TASK)
        plain = from_files(con, source, Question(()), replace(columns, probability=None), TASK, random_sample=True)
        with pytest.raises(UsageError, match="Say how the gold rows were drawn"):
            from_files(con, source, Question(()), replace(columns, probability=None), TASK)
    a, b = weighted.total["stance"]["pro"], plain.total["stance"]["pro"]
    assert a.n == b.n
    assert a.corrected == pytest.approx(b.corrected)
    assert a.interval == pytest.approx(b.interval)
    share = true_share(PRO) / true_share(PRO, ANTI, NEUTRAL)
    assert a.interval is not None
    assert a.interval[0] < share < a.interval[1]
    assert a.naive is not None
    assert a.naive > share + 0.1


def test_gold_of_a_file_that_the_model_was_tuned_on(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [text_of(at), "en", said_of(at), truth_of(at) if at < 100 else "", ""] for at in range(400)
    ]
    path = write(tmp_path / "a.csv", rows)
    columns = GoldColumns("gold", None, None, "text")
    keep_signatures(tmp_path / "mine", [text_of(at) for at in range(3)], [text_of(3)])
    keep_signatures(tmp_path / "yours", [text_of(at) for at in range(40)], [])
    with opened_file(path, tmp_path) as (con, source):
        unchecked = from_files(con, source, Question(()), columns, TASK, random_sample=True)
        checked = from_files(con, source, Question(()), columns, TASK, random_sample=True, model=tmp_path / "mine")
        none_kept = from_files(con, source, Question(()), columns, TASK, random_sample=True, model=tmp_path)
        with pytest.raises(XltError, match=r"yours was tuned on 40 of the 100 gold texts"):
            from_files(con, source, Question(()), columns, TASK, random_sample=True, model=tmp_path / "yours")
        with pytest.raises(UsageError, match="these files have none"):
            from_files(
                con, source, Question(()), GoldColumns("gold"), TASK, random_sample=True, model=tmp_path / "mine"
            )
    assert unchecked.total["topic"]["related"].n == 100
    assert any("--model NAME checks" in note for note in unchecked.notes)
    assert checked.total["topic"]["related"].n == 96
    assert any("4 gold texts are left out" in note for note in checked.notes)
    assert any("kept no signatures" in note for note in none_kept.notes)


def test_the_same_in_every_order(tmp_path: Path) -> None:
    """Of posts in another order the same draw, the same table and the same export, to the last digit."""
    tables, exported = [], []
    for number, order in enumerate((range(1, 1200), range(1199, 0, -1))):
        path = make_corpus(tmp_path / str(number), order)
        drawn(path, 240, by=("lang", "confidence"), allocation="proportional", run=run_of(path))
        tables += [repr(ask(path, by=("lang",)).table().rows) for _ in range(2)]
        with gate.opened(path) as con:
            (run,) = find_runs(con, ())
            supervised(con, run, draws(con, TASK.name)[-1], Question(()), TASK, tmp_path / f"{number}.csv")
        exported.append((tmp_path / f"{number}.csv").read_bytes())
    assert len(set(tables)) == 1
    assert len(set(exported)) == 1
    # And of a file whose rows, of unequal chances, are turned round.
    rows: list[list[Any]] = [
        [text_of(at), "en" if at % 3 else "de", said_of(at), truth_of(at), (3 + at % 7) / 11] for at in range(300)
    ]
    columns = GoldColumns("gold", "pi", None, "text")
    found = []
    for name, listed in (("a.csv", rows), ("b.csv", rows[::-1])):
        with opened_file(write(tmp_path / name, listed), tmp_path) as (con, source):
            found.append(from_files(con, source, Question(("lang",)), columns, TASK))
    assert sorted(map(repr, found[0].table().rows)) == sorted(map(repr, found[1].table().rows))
    assert found[0].notes == found[1].notes


def run_of(path: Path) -> Any:
    with gate.opened(path) as con:
        return find_runs(con, ())[0]


def test_bad_probabilities_and_labels(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[text_of(at), "en", said_of(at), truth_of(at).upper(), 0.5] for at in range(80)]
    rows += [["odd", "en", PRO, "nonsense", 0.5], ["no prediction", "en", "", PRO, 0.5]]
    columns = GoldColumns("gold", "pi", None, "text")
    with opened_file(write(tmp_path / "a.csv", rows), tmp_path) as (con, source):
        found = from_files(con, source, Question(()), columns, TASK)
    assert found.total["topic"]["related"].n == 80, "spelt in capitals, but known"
    assert any("nonsense" in note for note in found.notes)
    assert any("1 gold rows have no prediction" in note for note in found.notes)
    rows[0][4] = "7"
    with (
        opened_file(write(tmp_path / "b.csv", rows), tmp_path) as (con, source),
        pytest.raises(UsageError, match=r"has the probability '7' in pi; write the chance"),
    ):
        from_files(con, source, Question(()), columns, TASK)


def test_gold_without_a_draw_stated_to_be_random(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        chosen = range(0, 1200, 5)
        label(con, [key_of(text_of(at)) for at in chosen], [truth_of(at) for at in chosen], None)
    found = ask(corpus, random_sample=True)
    assert found.total["topic"]["related"].n == 240
    assert any("Taken as stated" in note for note in found.notes)
