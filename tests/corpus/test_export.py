"""Exports: the same rows in every format, labels with their names, ids as text."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from filled import ANTI, PRO, UNRELATED, Post, fill
from xlt.corpus import gate
from xlt.corpus.exports import Selection, export, known_exports
from xlt.errors import UsageError, XltError

POSTS = [
    Post("1212092628029698048", 'sí, "claro"\nnew line 😀', PRO, "es", author="a"),
    Post("1212092628029698049", "nein", ANTI, "de", author="b"),
    Post("1212092628029698050", None, None, "de", author="b"),
    Post("1212092628029698051", "weather", UNRELATED, "en", author="c"),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return fill(tmp_path, POSTS)


def test_csv_jsonl_and_parquet_hold_the_same(corpus: Path) -> None:
    folder = corpus.parent
    for name in ("o.csv", "o.jsonl", "o.parquet"):
        assert export(folder, corpus, Selection(), folder / name) == 4
    with (folder / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (folder / "o.jsonl").read_text().splitlines()]
    table = pq.read_table(folder / "o.parquet").to_pylist()
    for each in (rows, lines, table):
        assert [row["id"] for row in each] == [post.id for post in POSTS]
        assert [row["text"] or None for row in each] == [post.text for post in POSTS]
        assert [row["predicted"] or None for row in each] == [post.label for post in POSTS]
        assert "p_pro_immigration" in each[0]
    assert [path.name for path in known_exports(folder)] == ["o.csv", "o.jsonl", "o.parquet"]


@pytest.mark.parametrize("suffix", ["dta", "sav"])
def test_stata_and_spss_get_value_labels_and_string_ids(corpus: Path, suffix: str) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    path = corpus.parent / f"o.{suffix}"
    export(corpus.parent, corpus, Selection(), path)
    read = getattr(pyreadstat, f"read_{suffix}")
    columns, meta = read(path, output_format="dict")
    assert [str(each) for each in columns["id"]] == [post.id for post in POSTS]
    assert [each or None for each in columns["text"]] == [post.text for post in POSTS]
    (labels,) = [meta.value_labels[name] for name in meta.variable_to_label.values()]
    names = [labels.get(each) for each in columns["predicted"]]
    assert names == [post.label for post in POSTS]
    assert all(len(name) <= 32 for name in meta.column_names)
    assert columns["p_pro_immigration"][0] == pytest.approx(0.9, abs=0.1)
    assert str(columns["created_at"][0]).startswith("2026-03-01 12:00")


def test_long_texts_are_cut_whole_letter_by_letter(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat")
    corpus = fill(tmp_path, [Post("1", "ü" * 40_000, PRO)])
    for suffix, longest in (("dta", 2045), ("sav", 32767)):
        path = tmp_path / f"o.{suffix}"
        said: list[str] = []
        export(tmp_path, corpus, Selection(), path, say=said.append)
        assert said == [
            f"Cut to {longest:,} bytes, the longest text that .{suffix} holds: 1 of text. Parquet and CSV keep them "
            "whole."
        ]
        columns, _ = getattr(pyreadstat, f"read_{suffix}")(path, output_format="dict")
        assert columns["text"][0] == "ü" * (longest // 2)


def test_ids_only_gives_nothing_else(corpus: Path) -> None:
    for name, header in (("ids.txt", []), ("ids.csv", ["id"])):
        export(corpus.parent, corpus, Selection(ids_only=True), corpus.parent / name)
        assert (corpus.parent / name).read_text().split() == [*header, *(post.id for post in POSTS)]


def test_selections(corpus: Path) -> None:
    path = corpus.parent / "o.csv"
    assert export(corpus.parent, corpus, Selection(langs=("de",)), path) == 2
    assert export(corpus.parent, corpus, Selection(where="predicted = 'anti-immigration'"), path) == 1
    assert export(corpus.parent, corpus, Selection(text=False), path) == 4
    assert "text" not in path.read_text().splitlines()[0].split(",")
    with pytest.raises(UsageError, match="is no condition on the columns"):
        export(corpus.parent, corpus, Selection(where="nonsense = 1"), path)
    with pytest.raises(UsageError, match="--run x: there is no such run"):
        export(corpus.parent, corpus, Selection(run="x"), path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("o.xlsx", "must end in"), ("o.txt", "is for --ids-only"), ("none/o.csv", "There is no folder")],
)
def test_outputs_that_are_none(corpus: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        export(corpus.parent, corpus, Selection(), corpus.parent / name)


def test_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="There is no corpus"):
        export(tmp_path, tmp_path / "corpus.duckdb", Selection(), tmp_path / "o.csv")


def test_rows_keep_the_order_of_the_corpus(tmp_path: Path) -> None:
    # A hash join gives the rows of one batch in another order.
    posts = [Post(str(10**18 + number), f"text {number % 500}", PRO) for number in range(5_000)]
    corpus = fill(tmp_path, posts)
    for selection in (Selection(), Selection(where="id > '1'"), Selection(ids_only=True)):
        export(tmp_path, corpus, selection, tmp_path / "o.csv")
        with (tmp_path / "o.csv").open(newline="") as file:
            assert [row["id"] for row in csv.DictReader(file)] == [post.id for post in posts]


def test_columns_that_were_kept_are_exported(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        kept = json.dumps({"wave": "2", "lang": "xx", 'a"/~b': "odd"})
        con.execute("UPDATE tweets SET extra = ? WHERE id LIKE '%48'", [kept])
    export(corpus.parent, corpus, Selection(), corpus.parent / "o.csv")
    with (corpus.parent / "o.csv").open(newline="") as file:
        first, second, *_ = csv.DictReader(file)
    assert [first[name] for name in ("wave", "extra_lang", 'a"/~b', "lang")] == ["2", "xx", "odd", "es"]
    assert second["wave"] == ""


def test_a_condition_on_ids_can_name_any_column_of_a_post(corpus: Path) -> None:
    path = corpus.parent / "o.csv"
    assert export(corpus.parent, corpus, Selection(ids_only=True, where="lang_tag = 'de' OR lang = 'de'"), path) == 2
    assert path.read_text().split() == ["id", POSTS[1].id, POSTS[2].id]
    # To share ids by what the model took their authors' views to be is to share the views.
    with pytest.raises(UsageError, match="is no condition"):
        export(corpus.parent, corpus, Selection(ids_only=True, where="predicted = 'anti-immigration'"), path)


def test_names_that_statistics_would_shorten_to_one_stay_apart() -> None:
    from xlt.corpus.statistics import _names

    long = "a_name_of_more_than_thirty_two_letters"
    names = _names([long, long + "_2", long.upper(), "9", "ä", "id"])
    assert list(names.values()) == [
        long[:32],
        long[:30] + "_2",
        long.upper()[:30] + "_3",
        "v_9",
        "v__",
        "id",
    ]


def test_a_reader_that_has_had_enough_is_no_failure(tmp_path: Path) -> None:
    fill(tmp_path, [Post("1", "x" * 1_000_000, PRO)])
    command = [sys.executable, "-m", "xlt", "export", "--workspace", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"id"
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
