"""Staging: selection, de-duplication after normalisation, blocks by hash, and the way back to the rows."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from xlt.corpus.stage import (
    Selection,
    Staged,
    block_of,
    block_texts,
    count_texts,
    read_block,
    sample_texts,
    stage,
    text_key,
)
from xlt.errors import UsageError
from xlt.tasks.load import load_task

NORMALISE = load_task("immigration").normalise


def staged(tmp_path: Path, content: str, **options: object) -> tuple[Path, Staged]:
    source = tmp_path / "t.csv"
    source.write_text(content, encoding="utf-8")
    folder = tmp_path / "run"
    return folder, stage(Selection((source,), **options), folder, NORMALISE)  # type: ignore[arg-type]


def texts_of(folder: Path, blocks: int) -> list[str]:
    return sorted(text for block in range(blocks) for text in read_block(folder, block)[1])


def test_texts_that_normalise_alike_are_one(tmp_path: Path) -> None:
    folder, found = staged(
        tmp_path, "id,text\n1,@anna hi\n2,@user hi\n3,hi\n4, hi \n5,\n6,https://a.org\n7,https://b.org\n"
    )
    assert (found.rows, found.distinct, found.without_text, found.rejected) == (7, 3, 1, 1)
    assert texts_of(folder, found.blocks) == ["@user hi", "hi", "http"]
    assert json.loads((folder / "rejects.jsonl").read_text(encoding="utf-8"))["line"] == 5


def test_blocks_are_decided_by_the_text_alone(tmp_path: Path) -> None:
    rows = [f"{n},tweet number {n}" for n in range(2000)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, first = staged(tmp_path / "a", "id,text\n" + "\n".join(rows))
    two, second = staged(tmp_path / "b", "id,text\n" + "\n".join(rows[::-1]))
    assert first.blocks == second.blocks == 4
    for block in range(4):
        keys, texts = read_block(one, block)
        assert (keys, texts) == read_block(two, block)
        assert keys == sorted(keys)
        assert all(block_of(key, 4) == block and key == text_key(text) for key, text in zip(keys, texts, strict=True))
    assert count_texts(one, [0, 1, 2, 3]) == 2000
    assert count_texts(one, []) == 0
    assert sample_texts(one, 10) == read_block(one, 0)[1][:10]


def test_selection_by_language_condition_and_limit(tmp_path: Path) -> None:
    content = "id,text,lang,n\n1,a,en,5\n2,b,in,5\n3,c,id,1\n4,d,pt-BR,5\n5,e,und,5\n6,f,,5\n"
    folder, found = staged(tmp_path, content, langs=("id", "pt"))
    assert texts_of(folder, found.blocks) == ["b", "c", "d"]
    folder, found = staged(tmp_path, content, langs=("id", "pt"), where="n::int > 3 OR n = 'x'")
    assert texts_of(folder, found.blocks) == ["b", "d"]
    folder, found = staged(tmp_path, content, limit=2)
    assert texts_of(folder, found.blocks) == ["a", "b"]
    assert found.lang_column == "lang"


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            "id,body_text\n1,a\n",
            {},
            r"No column holds the text: .* there are id, body_text; name it with --text",
        ),
        ("id,text\n1,a\n", {"text_column": "txt"}, "--text-column txt: there is no such column; there are id, text"),
        ("id,text\n1,a\n", {"langs": ("en",)}, "--langs needs a column with the language, and there are id, text"),
        ("id,text,lang\n1,a,en\n2,b,\n", {"langs": ("xx",)}, r"--langs xx: .* are en \(1\), no language \(1\)"),
        ("id,text\n1,a\n", {"where": "id = '2'"}, "holds for no row"),
        ("id,text\n1,a\n", {"limit": 0}, "--limit 0 leaves no row"),
        ("id,text\n1,a\n", {"where": "nope = 1"}, "--where 'nope = 1' is no condition on the columns"),
        ("id,text\n1,a\n", {"where": "id ="}, "--where 'id =' is no condition on the columns"),
        ("id,text\n1,a\n", {"where": "1; DROP TABLE x"}, "--where"),
    ],
)
def test_selections_that_make_no_sense(tmp_path: Path, content: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        staged(tmp_path, content, **options)


def test_columns_are_found_whatever_their_case_and_kept_as_they_are(tmp_path: Path) -> None:
    folder, found = staged(tmp_path, 'ID,Tweet,"odd ""name"""\n1,a,x\n')
    assert found.text_column == "Tweet"
    rows = duckdb.execute(f"SELECT * FROM '{folder / 'rows.parquet'}'").fetchall()
    assert found.columns == ("ID", "Tweet", 'odd "name"')
    assert rows == [("1", "a", "x")]


def test_several_files_with_different_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "b", "lang": "en"}\n', encoding="utf-8")
    found = stage(Selection((tmp_path / "a.csv", tmp_path / "b.jsonl")), tmp_path / "run", NORMALISE)
    assert found.columns == ("id", "text", "lang")
    assert found.rows == 2


def test_block_size_grows_with_the_corpus_only() -> None:
    assert [block_texts(n) for n in (1, 500_000, 500_001, 10_000_000)] == [512, 512, 2048, 8192]


def test_nothing_to_classify(tmp_path: Path) -> None:
    _, found = staged(tmp_path, "id,text\n1,\n2,  \n")
    assert (found.distinct, found.blocks, found.without_text) == (0, 0, 2)
