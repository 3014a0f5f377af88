from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cli.conftest import Xlt
from filled import ANTI, PRO, Post, fill

POSTS = [
    Post("1", "welcome [all]", PRO, "en", author="a"),
    *(Post(str(i), f"go home {i}", ANTI, "en", author="b") for i in range(2, 152)),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return fill(tmp_path, POSTS)


def test_the_documented_example(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("query", "stance-by-language")
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["language", "class", "posts", "percent", "posts_of_language"]
    assert ran.out.splitlines()[1].split() == ["en", "anti", "150", "99.3", "151"]
    assert "2 rows" in ran.err
    assert "2026-03-02-aaaaaaaa" in ran.err


def test_names_are_listed_without_a_corpus(xlt: Xlt) -> None:
    ran = xlt("query")
    assert ran.code == 0
    assert "stance-by-language" in ran.out
    listed = json.loads(xlt("query", "--format", "json").out)
    assert len(listed) >= 8
    assert all(each["title"] and each["about"] for each in listed)


def test_a_table_shows_the_first_rows_and_says_so(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("query", "SELECT id, text FROM labelled ORDER BY id::INT")
    assert len(ran.out.splitlines()) == 101
    assert "first 100 rows; there are more" in ran.err
    assert "welcome [all]" in ran.out
    few = xlt("query", "SELECT id FROM tweets", "--rows", "7", "--format", "csv")
    assert len(few.out.splitlines()) == 8
    assert "there are more" in few.err
    assert len(xlt("query", "SELECT id FROM tweets", "--format", "csv").out.splitlines()) == 152


def test_formats_and_files(xlt: Xlt, corpus: Path, tmp_path: Path) -> None:
    sql = (
        "SELECT label, count(*) AS posts, avg(confidence) AS mean, NULL AS nothing FROM labelled GROUP BY 1 ORDER BY 2"
    )
    rows = json.loads(xlt("query", sql, "--format", "json").out)
    assert [(row["label"], row["posts"], row["nothing"]) for row in rows] == [(PRO, 1, None), (ANTI, 150, None)]
    assert isinstance(rows[0]["mean"], float)
    assert list(csv.DictReader(io.StringIO(xlt("query", sql, "--format", "csv").out)))[1]["posts"] == "150"
    for name in ("o.csv", "o.json", "o.parquet"):
        ran = xlt("query", sql, "-o", name)
        assert (ran.code, ran.out) == (0, "")
        assert "2 rows written" in ran.err
        assert (tmp_path / name).stat().st_size
    assert not list(tmp_path.glob(".*.part"))


def test_parameters_a_run_and_the_sql_behind_a_name(xlt: Xlt, corpus: Path) -> None:
    ran = xlt("query", "low-confidence", "--param", "below=1", "--param", "rows=3", "--run", "2026-03-02", "-q")
    assert len(ran.out.splitlines()) == 4
    assert ran.err == ""
    assert "$below" in xlt("query", "low-confidence", "--show").out


def test_another_corpus_and_workspace(xlt: Xlt, corpus: Path, tmp_path: Path) -> None:
    fill(tmp_path / "other", POSTS[:3])
    for arguments in (["--workspace", "other"], ["--corpus", "other/corpus.duckdb"]):
        assert xlt("query", "SELECT count(*) AS n FROM tweets", *arguments, "--format", "csv").out == "n\n3\n"


def test_a_corpus_of_a_task_that_lies_elsewhere_can_still_be_asked(xlt: Xlt, tmp_path: Path) -> None:
    from filled import add_run

    add_run(fill(tmp_path, POSTS, run=None), POSTS, "r", task="my-own")
    assert xlt("query", "SELECT count(*) AS n FROM labelled", "--format", "csv", "-q").out == "n\n151\n"
    ran = xlt("breakdown")
    assert ran.code == 2
    assert "--task FILE.toml" in ran.sentence


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["no-such-query"], "There is no query no-such-query"),
        (["DROP TABLE tweets"], "only reads"),
        (["SELECT 1; SELECT 2"], "one statement"),
        (["SELECT * FROM nowhere"], "nowhere"),
        (["duplicates", "--param", "top"], "name=value"),
        (["duplicates", "--run", "1999"], "--run 1999"),
        (["duplicates", "--format", "parquet"], "-o FILE.parquet"),
        (["duplicates", "--corpus", "x.csv"], ".duckdb"),
        (["duplicates", "--workspace", "nowhere"], "There is no corpus"),
    ],
)
def test_a_mistake_is_one_sentence(xlt: Xlt, corpus: Path, arguments: list[str], part: str) -> None:
    ran = xlt("query", *arguments)
    assert ran.code == 2
    assert part in ran.sentence
    assert ran.out == ""
    assert len(ran.err.strip().splitlines()) == 1


def test_nothing_that_a_query_does_changes_the_corpus(xlt: Xlt, corpus: Path) -> None:
    before = xlt("query", "SELECT count(*) FROM tweets", "--format", "csv", "-q").out
    assert xlt("query", "DELETE FROM tweets").code == 2
    assert xlt("query", "SELECT count(*) FROM tweets", "--format", "csv", "-q").out == before


def test_the_query_of_the_documentation_runs_as_written(xlt: Xlt, corpus: Path, repository: Path) -> None:
    page = (repository / "docs" / "breakdown.md").read_text("utf-8")
    sql = page.partition("```sql\n")[2].partition("```")[0]
    (corpus.parent / "queries").mkdir()
    (corpus.parent / "queries" / "long-posts.sql").write_text(sql, "utf-8")
    ran = xlt("query", "long-posts", "--param", "least=10", "--format", "csv")
    assert ran.out.splitlines() == ["class,posts", "anti,142", "pro,1"]
    assert "Stance of long posts" in xlt("query").out


def test_the_documentation_names_every_query(repository: Path) -> None:
    page = (repository / "docs" / "breakdown.md").read_text("utf-8")
    for path in (repository / "queries").glob("*.sql"):
        assert f"`{path.stem}`" in page


def test_a_wide_table_loses_no_column(xlt: Xlt, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ran = xlt(
        "query", "SELECT " + ", ".join(f"'value number {i}' AS c{i}" for i in range(8)) + ", text FROM tweets LIMIT 1"
    )
    assert ran.out.splitlines()[0].split() == [*(f"c{i}" for i in range(8)), "text"]
    assert all(f"value number {i}" in ran.out for i in range(8))
    long = xlt("query", "SELECT 1 AS number, repeat('word ', 100) AS long, 2 AS last")
    assert max(len(line) for line in long.out.splitlines()) <= 60
    assert long.out.splitlines()[1].split()[-1] == "2"
    assert "…" in long.out


def test_a_table_shows_numbers_as_people_read_them(xlt: Xlt, corpus: Path) -> None:
    sql = "SELECT 0.4075239::FLOAT AS a, 1234567.25 AS b, 12345 AS c, [0.1::FLOAT, NULL] AS d, 1e-9 AS e, 97.2 AS f, "
    sql += "TIMESTAMP '2024-05-01 10:00:00.123456' AS g"
    ran = xlt("query", sql, "--workspace", str(corpus.parent))
    numbers = ["0.407524", "1,234,567.25", "12,345", "[0.1,", "–]", "1e-09", "97.2"]
    assert ran.out.split()[7:] == [*numbers, "2024-05-01", "10:00:00"]
    assert "SELECT" not in ran.err
