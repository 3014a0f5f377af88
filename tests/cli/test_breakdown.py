from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cli.conftest import Xlt
from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, add_run, fill

POSTS = [
    Post("1", "welcome", PRO, "en", author="a", at="2026-01-15 00:00:00"),
    Post("2", "go home", ANTI, "en", author="b", at="2026-01-16 00:00:00"),
    Post("3", "ein Bericht", NEUTRAL, "de", author="c", at="2026-03-01 00:00:00"),
    Post("4", "Wetter [bold]", UNRELATED, "de", author="c", at="2026-03-02 00:00:00"),
]
LABELLED = "text,lang,author,created_at,predicted\n" + "".join(
    f"{post.text},{post.lang},{post.author},{post.at},{post.label}\n" for post in POSTS
)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.csv"
    path.write_text(LABELLED, "utf-8")
    return path


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_documented_example(xlt: Xlt, labelled: Path) -> None:
    ran = xlt("breakdown", "labelled.csv", "--by", "lang,month")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert len(lines) == 1 + 6 + 1
    assert lines[0].split()[:3] == ["language", "month", "n"]
    assert lines[2].split()[:4] == ["German", "2026-02", "0", "–"]
    assert "Denominators" in ran.err
    assert "time zone UTC" in ran.err


def test_the_corpus_is_the_default_and_unseen_languages_are_marked(xlt: Xlt, tmp_path: Path) -> None:
    fill(tmp_path, POSTS)
    ran = xlt("breakdown")
    assert ran.code == 0
    assert "German (unseen)" in ran.out
    assert "English (unseen)" not in ran.out
    assert "tiny" in ran.err
    assert xlt("breakdown", "corpus.duckdb").out == ran.out


def test_csv_json_and_parquet_say_the_same(xlt: Xlt, labelled: Path, tmp_path: Path) -> None:
    rows = table(xlt("breakdown", "labelled.csv", "--format", "csv").out)
    assert [(row["lang"], row["n"], row["n_stance"], row["stance_pro"]) for row in rows] == [
        ("de", "2", "1", "0.0"),
        ("en", "2", "2", "0.5"),
        ("", "4", "3", str(1 / 3)),
    ]
    ran = xlt("breakdown", "labelled.csv", "--format", "json")
    content = json.loads(ran.out)
    assert ran.err == ""
    assert content["all"]["n_topic"] == 4
    assert [row["n"] for row in content["rows"]] == [2, 2]
    assert any("Denominators" in note for note in content["notes"])
    for name in ("out.parquet", "out.csv", "out.json"):
        assert xlt("breakdown", "labelled.csv", "-o", name, "-q").out == ""
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "out.parquet").column("stance_pro").to_pylist() == [0.0, 0.5, 1 / 3]
    assert table((tmp_path / "out.csv").read_text("utf-8")) == rows
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == content


def test_intervals_stand_below_the_shares_when_they_can_be_estimated(xlt: Xlt, tmp_path: Path) -> None:
    posts = [Post(str(i), f"t{i}", TASK.names[i % 4], "en", author=f"a{i}") for i in range(120)]
    posts += [Post("x", "wenig", PRO, "de", author="x")]
    fill(tmp_path, posts)
    ran = xlt("breakdown", "--bootstrap", "200", "--seed", "7")
    assert " to " in ran.out
    assert "–" in ran.out
    assert "seed 7" in ran.err
    rows = table(xlt("breakdown", "--bootstrap", "200", "--format", "csv", "-q").out)
    assert float(rows[0]["topic_related_low"]) < 0.75 < float(rows[0]["topic_related_high"])
    assert rows[1]["topic_related_low"] == ""


def test_two_runs_stand_side_by_side(xlt: Xlt, tmp_path: Path) -> None:
    corpus = fill(tmp_path, POSTS)
    add_run(corpus, [Post(post.id, post.text, PRO) for post in POSTS], "2026-03-03-bbbbbbbb")
    ran = xlt("breakdown", "--run", "2026-03-02", "--run", "2026-03-03", "--format", "csv", "-q")
    assert [(row["run"][:10], row["lang"], row["n"]) for row in table(ran.out)][:2] == [
        ("2026-03-02", "de", "2"),
        ("2026-03-02", "en", "2"),
    ]


def test_authors_can_be_left_out_by_a_file(xlt: Xlt, labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "bots.txt").write_text("# bots\nc\n\nb  # loud\n", "utf-8")
    ran = xlt("breakdown", "labelled.csv", "--exclude-authors", "bots.txt", "--format", "csv", "-q")
    assert [row["n"] for row in table(ran.out)] == ["1", "1"]
    assert "2 of the authors" in xlt("breakdown", "labelled.csv", "--exclude-authors", "bots.txt").err


def test_authors_of_a_corpus_are_left_out_by_the_ids_of_their_platform(xlt: Xlt, tmp_path: Path) -> None:
    import duckdb

    from xlt.corpus.importing import masks
    from xlt.corpus.secret import ensure_key

    con = duckdb.connect()
    masks.set_key(con, ensure_key(tmp_path))
    [(kept,)] = con.execute(f"SELECT {masks.keyed(chr(39) + 'x:4711' + chr(39))}").fetchall()
    fill(tmp_path, [Post("1", "a", PRO, "en", author=kept), Post("2", "b", ANTI, "en", author="other")])
    (tmp_path / "bots.txt").write_text("4711\n", "utf-8")
    ran = xlt("breakdown", "--exclude-authors", "bots.txt", "--format", "csv")
    assert [row["n"] for row in table(ran.out)] == ["1", "1"]
    assert "1 of the authors" in ran.err


def test_a_second_task_and_one_without_groups(xlt: Xlt, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("text,predicted\na,positive\nb,negative\nc,positive\n", "utf-8")
    ran = xlt("breakdown", "s.csv", "--by", "predicted", "--task", "sentiment", "--format", "csv", "-q")
    assert ran.code == 0
    assert table(ran.out)[-1]["n"] == "3"
    wrong = xlt("breakdown", "s.csv", "--by", "predicted")
    assert wrong.code == 1
    assert "--task" in wrong.sentence
    assert "positive" in wrong.sentence


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nothere.csv"], "There is no file nothere.csv"),
        (["corpus"], "There is no corpus"),
        (["labelled.csv", "corpus"], "can't be mixed"),
        (["labelled.csv", "--run", "x"], "--run is for a corpus"),
        (["labelled.csv", "--unit", "tweets"], "--unit tweets"),
        (["labelled.csv", "--format", "xml"], "--format xml"),
        (["labelled.csv", "--format", "parquet"], "-o FILE.parquet"),
        (["labelled.csv", "-o", "x.xlsx"], ".parquet"),
        (["labelled.csv", "-o", "x.csv", "--format", "json"], ".json"),
        (["labelled.csv", "-o", "no/x.csv"], "no folder"),
        (["labelled.csv", "--by", "planet"], "--by planet"),
        (["labelled.csv", "--tz", "Nowhere"], "--tz Nowhere"),
        (["labelled.csv", "--where", "x >"], "--where"),
        (["labelled.csv", "--exclude-authors", "none.txt"], "none.txt can't be read"),
        (["labelled.csv", "--exclude-authors", "empty.txt"], "names no author"),
        (["labelled.csv", "--task", "nonsense"], "nonsense"),
        (["labelled.csv", "--lang-column", "sprache"], "sprache"),
    ],
)
def test_a_mistake_is_one_sentence(xlt: Xlt, labelled: Path, tmp_path: Path, arguments: list[str], part: str) -> None:
    (tmp_path / "empty.txt").write_text("\n# nobody\n", "utf-8")
    ran = xlt("breakdown", *arguments)
    assert ran.code == 2
    assert part in ran.sentence
    assert ran.out == ""
    assert len(ran.err.strip().splitlines()) == 1


def test_a_broken_row_of_a_labelled_file_is_no_small_matter(xlt: Xlt, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text('text,predicted\na,neutral\n"b"x,neutral\nc,neutral,d\n', "utf-8")
    ran = xlt("breakdown", "bad.csv", "--by", "predicted")
    assert ran.code == 1
    assert "line" in ran.sentence
