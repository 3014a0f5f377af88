"""A small study on xlt-mini-base: run, killed, gone on with, tabulated, drawn."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Xlt, xlt  # noqa: F401
from xlt.bundled import bundled
from xlt.errors import Interrupted, XltError
from xlt.locks import hold
from xlt.study.cells import Probabilities
from xlt.study.design import Cell, load_study
from xlt.study.evaluate import APART
from xlt.study.grid import Grid, Say, Where
from xlt.study.hours import time_left
from xlt.study.shown import examples_of
from xlt.study.transfer import curves_of, label_of, matrix, overlap_note, per_seed, within_language

LANGS = ("en", "de", "it")
QUICK = """
train = "train.csv"
test = "test.csv"
sets = ["en", "en+de"]
seeds = [1, 2]
strategies = ["ngrams", "commonest"]
shots_on = ["en"]
shots = { it = [4, 8] }
"""


def write_data(folder: Path) -> None:
    """Invented tweets of the sample: 24 of each language to learn from, 12 to test on."""
    import pyarrow.parquet as pq

    rows = pq.read_table(bundled("models", "sample", "sample.parquet")).to_pylist()
    texts: set[str] = set()
    parts: dict[str, list[dict[str, str]]] = {lang: [] for lang in LANGS}
    for row in rows:
        if row["label"] and row["lang"] in parts and row["text"] not in texts and not row["retweet_of"]:
            texts.add(row["text"])
            parts[row["lang"]].append(
                {
                    "text": row["text"],
                    "label": row["label"],
                    "lang": row["lang"],
                    "translation": "" if row["lang"] == "en" else f"in English: {row['text']}",
                }
            )
    for name, first, last in (("train.csv", 0, 24), ("test.csv", 24, 36)):
        chosen = [row for lang in LANGS for row in parts[lang][first:last]]
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, chosen[0])
            writer.writeheader()
            writer.writerows(chosen)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path)
    (tmp_path / "study.toml").write_text(QUICK, encoding="utf-8")
    return tmp_path


def ran(folder: Path) -> Grid:
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    outcome = grid.run(grid.study.cells, lambda _: None)
    assert not outcome.failed, outcome.failed
    return grid


def test_finished_cells_are_never_run_again(folder: Path) -> None:
    grid = ran(folder)
    before = {path: path.stat().st_mtime_ns for path in grid.store.folder.rglob("cell.json")}
    assert len(before) == len(grid.study.cells) == 8
    again = grid.run(grid.study.cells, lambda _: None)
    assert (again.ran, again.before) == (0, 8)
    assert before == {path: path.stat().st_mtime_ns for path in grid.store.folder.rglob("cell.json")}
    study = folder / "study.toml"
    study.write_text(QUICK.replace("[1, 2]", "[1, 2, 3]"), encoding="utf-8")
    grid = Grid(load_study(study), Where(folder))
    more = grid.run(grid.study.cells, lambda _: None)
    assert (more.ran, more.before) == (2, 8)  # the new seed draws other shots, 4 and 8
    assert before.items() <= {path: path.stat().st_mtime_ns for path in grid.store.folder.rglob("cell.json")}.items()


def test_the_matrix_marks_what_was_seen_and_takes_the_mean_over_seeds(folder: Path) -> None:
    grid = ran(folder)
    found = matrix(grid, grid.study.cells, "accuracy")
    four, none = "ngrams en +4 it", "ngrams en"
    assert found.seeds[four] == 2
    assert found.spots[four, "it"].seen is True
    assert found.spots[none, "it"].seen is False
    assert found.spots[none, "unseen"].n == 24
    cells = [cell for cell in grid.study.cells if label_of(cell) == four]
    table = per_seed(grid, cells)
    at = table.columns.index
    alone = [row[at("accuracy")] for row in table.rows if row[at("slice")] == "it" and row[at("measure")] == "labels"]
    assert found.spots[four, "it"].mean == pytest.approx(np.mean(alone))
    within = {row[1]: row[1:] for row in within_language(found).rows}
    assert within["it"][3] == 2  # rows that saw Italian: 4 and 8 shots
    assert within["en"][4] is None
    assert within["de"][6] == pytest.approx(within["de"][2] - within["de"][4])
    curves = curves_of(grid, grid.study.cells, "accuracy")
    assert [point[0] for point in curves["ngrams-en"]["it"]] == [0, 4, 8]


def test_shots_of_one_seed_nest(folder: Path) -> None:
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    by_shots = {
        dict(cell.shots).get("it", 0): {each.text for each in grid.choice(cell, 0.0).train if each.lang == "it"}
        for cell in grid.study.cells
        if cell.strategy == "ngrams" and cell.seed == 1 and cell.set == "en"
    }
    assert {number: len(texts) for number, texts in by_shots.items()} == {0: 0, 4: 4, 8: 8}
    assert by_shots[4] < by_shots[8]


def test_a_cell_that_fails_stops_no_other(folder: Path) -> None:
    study = folder / "study.toml"
    study.write_text(QUICK.replace('["en", "en+de"]', '["sv", "en"]'), encoding="utf-8")
    grid = Grid(load_study(study), Where(folder))
    outcome = grid.run(grid.study.cells, lambda _: None)
    assert outcome.failed
    assert all(cell.set == "sv" for cell, _ in outcome.failed)
    assert "sv" in str(grid.store.failure(outcome.failed[0][0]))
    assert outcome.ran == len(grid.study.cells) - len(outcome.failed)


def test_a_crash_in_a_cell_stops_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    label, first = grid._label, grid.study.cells[0]

    def crash(cell: Cell, say: Say) -> tuple[Probabilities, dict[str, object]]:
        if cell == first:
            raise RuntimeError("CUDA out of\nmemory")
        return label(cell, say)

    monkeypatch.setattr(grid, "_label", crash)
    outcome = grid.run(grid.study.cells, lambda _: None)
    assert outcome.ran == len(grid.study.cells) - 1
    assert re.fullmatch(r"RuntimeError \(test_grid.py, line \d+\): CUDA out of memory", str(grid.store.failure(first)))
    monkeypatch.undo()
    again = grid.run(grid.study.cells, lambda _: None)
    assert (again.ran, again.failed) == (1, [])
    assert grid.store.failure(first) is None


def test_what_is_said_when_it_is_stopped_is_true_of_a_study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(load_study(folder / "study.toml"), Where(folder))

    def stopped(*_: object) -> None:
        raise Interrupted("Stopped after step 3 of 9. Go on with the same command and --resume.")

    monkeypatch.setattr(grid, "_label", stopped)
    with pytest.raises(Interrupted, match=r"Stopped in the cell ngrams_en_s1-\w+, 1 of 8; the same command goes on"):
        grid.run(grid.study.cells, lambda _: None)
    assert grid.store.failure(grid.study.cells[0]) is None


def test_a_cell_that_another_process_is_at_work_on_has_not_failed(folder: Path) -> None:
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    with hold(grid.store.at(grid.study.cells[0]) / "cell.lock", "The cell"):
        outcome = grid.run(grid.study.cells, lambda _: None)
    assert (outcome.elsewhere, outcome.failed, outcome.ran) == (1, [], len(grid.study.cells) - 1)


def test_changed_test_rows_are_refused(folder: Path) -> None:
    ran(folder)
    path = folder / "test.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("unrelated", "neutral", 1), encoding="utf-8")
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    with pytest.raises(XltError, match="has changed since"):
        grid.run(grid.study.cells, lambda _: None)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("train.csv", "unrelated", "neutral", "train.csv has changed"),
        (
            "study.toml",
            "train =",
            'task = "immigration-published"\ntrain =',
            "The task immigration-published has changed",
        ),
    ],
)
def test_other_data_and_tasks_are_not_mixed(folder: Path, file: str, old: str, new: str, said: str) -> None:
    ran(folder)
    path = folder / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    with pytest.raises(XltError, match=said):
        grid.run(grid.study.cells, lambda _: None)


def test_settings_are_not_mixed(folder: Path) -> None:
    (folder / "study.toml").write_text(TUNED, encoding="utf-8")
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    prompted, tuned = grid.study.cells[-1], grid.study.cells[0]
    rows = np.full((len(grid.test.texts), 4), 0.25, np.float32)
    for cell, settings in ((prompted, []), (tuned, ["epochs=2"])):
        grid.store.write(cell, grid.task.names, rows, test=grid.test.hash, settings=settings)
    grid.check([prompted])  # settings are those of recipes
    with pytest.raises(XltError, match=r"\[settings\] of .* has changed"):
        grid.check([tuned])


def copy_into_test(folder: Path) -> str:
    """One English training text, with a link more, as the first test row; the training text."""
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        known = next(row for row in csv.DictReader(file) if row["lang"] == "en")
    with (folder / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    copy = {**known, "text": f"RT @someone: {known['text'].upper()} https://t.co/abc"}
    with (folder / "test.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows([copy, *rows])
    return known["text"]


def test_test_texts_that_were_learnt_from_are_counted_and_set_apart(folder: Path) -> None:
    copy_into_test(folder)
    study = folder / "study.toml"
    study.write_text(QUICK.replace('["en", "en+de"]', '["en", "de"]'), encoding="utf-8")
    grid = ran(folder)
    found = matrix(grid, grid.study.cells, "accuracy")
    assert (found.overlaps["ngrams en"], found.overlaps["ngrams de"], found.overlaps["commonest en"]) == (1, 0, 0)
    assert found.spots["ngrams en", APART].n == len(grid.test.texts) - 1
    assert ("ngrams de", APART) not in found.spots
    right = found.spots["ngrams en", "all"].mean * len(grid.test.texts) - 1
    assert found.spots["ngrams en", APART].mean == pytest.approx(right / (len(grid.test.texts) - 1))
    note = overlap_note(grid, found)
    assert note is not None
    assert note.startswith(f"1 of {len(grid.test.texts)} test texts")


def test_prompts_show_nothing_like_a_test_text(folder: Path) -> None:
    known = copy_into_test(folder)
    (folder / "study.toml").write_text(TUNED.replace("k = 2", "k = 64"), encoding="utf-8")
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    cell = next(cell for cell in grid.study.cells if cell.strategy == "few-shot")
    shown = {each.text for each in examples_of(grid, cell)["en"]}
    assert len(shown) == 23
    assert known not in shown


def test_a_curve_has_intervals_from_five_seeds_on(folder: Path) -> None:
    study = folder / "study.toml"
    study.write_text(QUICK.replace("[1, 2]", "[1, 2, 3, 4, 5]"), encoding="utf-8")
    grid = ran(folder)
    spot = matrix(grid, grid.study.cells, "accuracy").spots["ngrams en +4 it", "it"]
    points = curves_of(grid, grid.study.cells, "accuracy")["ngrams-en"]["it"]
    assert spot.spread
    assert points[1][2] == pytest.approx(2.776445 * spot.spread / 5**0.5)
    assert points[0][2] == 0  # one seed: without shots nothing is drawn
    few = [cell for cell in grid.study.cells if cell.seed < 3]
    assert all(half == 0 for _, _, half in curves_of(grid, few, "accuracy")["ngrams-en"]["it"])


def test_tables_and_pictures(folder: Path, xlt: Xlt) -> None:  # noqa: F811
    ran(folder)
    table = xlt("transfer", "table", "study.toml")
    assert table.code == 0, table.err
    assert "ngrams en +4 it" in table.out
    assert "*" in table.out
    rows = json.loads(xlt("transfer", "table", "study.toml", "--format", "json").out)
    assert {"configuration", "language", "macro_f1", "seeds"} <= set(rows[0])
    assert xlt("transfer", "table", "study.toml", "--seeds", "--format", "csv").out.startswith("strategy,set,shots")
    assert xlt("transfer", "table", "study.toml", "--within", "-o", "within.csv").code == 0
    drawn = xlt("transfer", "plot", "study.toml")
    assert drawn.code == 0, drawn.err
    pictures = [Path(line) for line in drawn.out.split()]
    assert [path.name for path in pictures] == ["heat-map.svg", "seen.svg", "curves-ngrams-en.svg"]
    first = pictures[0].read_bytes()
    assert b"German" in first
    xlt("transfer", "plot", "study.toml")
    assert pictures[0].read_bytes() == first
    explained = xlt("transfer", "explain", "study.toml", "--format", "json")
    assert explained.code == 0, explained.err
    assert json.loads(explained.out)[0]["effect"] == "seen"
    assert "3 languages are too few" in explained.err
    plan = xlt("transfer", "plan", "study.toml", "--shard", "1/2")
    assert "ngrams" in plan.out


def test_the_interval_over_all_stands_beside_it_or_below(
    folder: Path,
    xlt: Xlt,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = ran(folder)
    cells = grid.study.cells[:2]
    for cell in cells:  # With twice the texts there are enough for an interval.
        record = grid.store.record(cell)
        found = grid.store.probabilities(cell, grid.task.names)
        grid.store.write(
            cell,
            grid.task.names,
            np.concatenate([found, found]),
            **{key: value for key, value in record.items() if key != "cell"},
        )
    path = folder / "test.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, *lines[1:]]), encoding="utf-8")
    hashed = Grid(grid.study, grid.where).test.hash
    for cell in grid.study.cells:
        written = grid.store.at(cell) / "cell.json"
        content = json.loads(written.read_text(encoding="utf-8"))
        written.write_text(json.dumps({**content, "test": hashed}), encoding="utf-8")
    for cell in grid.study.cells[2:]:
        (grid.store.at(cell) / "cell.json").unlink()
    wide = r"ngrams en +1 +.* +\.\d{3} +\.\d{3} to \.\d{3}"
    for columns, pattern in (("120", wide), ("40", r"ngrams en +\.\d{3} +\.\d{3} to \.\d{3}")):
        monkeypatch.setenv("COLUMNS", columns)
        table = xlt("transfer", "table", "study.toml")
        assert re.search(pattern, table.out), table.out
        assert (re.search(wide, table.out) is None) == (columns == "40")
        assert "95 % of all" in table.out


def test_time_left_goes_by_finished_cells_and_before_them_by_timed_work(folder: Path) -> None:
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    cells = [cell for cell in grid.study.cells if cell.strategy == "ngrams"]
    assert time_left(grid, cells, measure=False).seconds is None
    first = time_left(grid, cells)
    assert first.source == "timed steps"
    assert first.seconds
    done, left = cells[0], cells[1:]
    size = {cell: len(grid.choice(cell, 0.0).train) for cell in cells}
    rows = np.full((len(grid.test.texts), 4), 0.25, np.float32)
    grid.store.write(done, grid.task.names, rows, seconds=12.0, examples=size[done])
    found = time_left(grid, cells)
    assert found.source == "done cells"
    assert found.seconds == pytest.approx(12.0 * sum(size[cell] for cell in left) / size[done])
    assert time_left(grid, [done]).seconds == 0


def test_time_left_says_why_it_can_not_be_told(folder: Path) -> None:
    (folder / "study.toml").write_text(TUNED.replace("xlt-mini-base", "not-here"), encoding="utf-8")
    grid = Grid(load_study(folder / "study.toml"), Where(folder))
    found = time_left(grid, [cell for cell in grid.study.cells if cell.strategy == "zero-shot"])
    assert found.seconds is None
    assert "not-here" in str(found.problem)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("plan", "none.toml"), 1, "can't be read"),
        (("table", "study.toml"), 2, "No cell of study.toml is done"),
        (("table", "study.toml", "--score", "luck"), 2, "there are accuracy, macro_f1"),
        (("run", "study.toml", "--shard", "3/2"), 2, "write k/N"),
    ],
)
def test_bad_input(folder: Path, xlt: Xlt, arguments: tuple[str, ...], code: int, said: str) -> None:  # noqa: F811
    found = xlt("transfer", *arguments)
    assert (found.code, said in found.sentence) == (code, True), found.err


TUNED = """
train = "train.csv"
test = "test.csv"
sets = ["en", "en+de"]
seeds = [1]
bases = ["xlt-mini-base"]
recipes = ["tiny"]
strategies = ["finetune", "translate-test", "zero-shot", "few-shot"]
settings = { epochs = 1, batch = 8 }
few_shot = { k = 2, examples = ["same"] }
"""
