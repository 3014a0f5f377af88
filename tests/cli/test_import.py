from __future__ import annotations

from pathlib import Path

import pytest

from cli.conftest import Xlt

EXPORTS = Path(__file__).parents[1] / "corpus" / "exports"


def test_the_documented_examples(xlt: Xlt, tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "pages.jsonl").write_bytes((EXPORTS / "x_v2_pages.jsonl").read_bytes())
    (tmp_path / "colleague.csv").write_text("id,body\n1,hello\n")
    ran = xlt("import", "exports/*.jsonl", "colleague.csv", "--text-column", "body")
    # What is said of columns is about tables; a platform's layout knows its own.
    assert ran.code == 0
    assert "All files: 7 new" in ran.err
    assert ran.out == ""
    (tmp_path / "deleted-ids.txt").write_text("1653000000000000101\n")
    ran = xlt("forget", "1653000000000000102", "deleted-ids.txt")
    assert ran.code == 0
    assert "Erased: 2 posts" in ran.err
    ran = xlt("export", "-o", "labelled.dta", "--langs", "en,de", "--where", "created_at >= '2023-01-01'")
    assert ran.code == 0
    assert "labelled.dta, 3 rows" in ran.err
    ran = xlt("export", "--ids-only")
    assert ran.out.splitlines()[0] == "platform,id"
    assert "x,1653000000000000103" in ran.out.splitlines()


def test_rejected_rows_give_exit_code_3(xlt: Xlt, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "one"}\n{broken\n')
    ran = xlt("import", "a.jsonl")
    assert ran.code == 3
    assert "1 new, 0 changed, 0 already there, 1 rejected" in ran.err
    assert '"line": 2' in (tmp_path / "a.jsonl.rejects.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["import"], 2, "Name the files to import"),
        (["import", "none.csv"], 2, "There is no file none.csv"),
        (["import", "a.csv", "--mapping", "nope"], 2, "There is no mapping 'nope'"),
        (["import", "a.csv", "--labels", "stance", "--task", "nope"], 2, "There is no task 'nope'"),
        (["import", "a.csv", "--labels", "stance"], 2, "--labels stance: there is no such column"),
        (["import", "a.csv", "--keep", "x"], 2, "--keep x: there is no such column"),
        (["import", "a.csv", "--dates", "ymd"], 2, "write dmy"),
        (["import", "a.csv", "--workspace", "none"], 2, "There is no folder none"),
        (["import", "a.csv", "--corpus", "c.db"], 2, "must end in .duckdb"),
        (["import", "web.json"], 1, "holds a web page"),
        (["import", "web.json", "a.csv"], 1, "1 of 2 files could not be read"),
        (["forget"], 2, "Name the ids to erase"),
        (["forget", "1"], 1, "There is no corpus"),
        (["export"], 1, "There is no corpus"),
        (["export", "-o", "x.docx"], 2, "must end in"),
        (["export", "--format", "dta"], 2, "name a file with -o"),
    ],
)
def test_mistakes_are_one_sentence(xlt: Xlt, tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,hello\n")
    (tmp_path / "web.json").write_text("<html></html>")
    ran = xlt(*arguments)
    assert (ran.code, message in ran.sentence) == (code, True), ran.err
    assert "Traceback" not in ran.err


def test_layouts_are_listed(xlt: Xlt) -> None:
    ran = xlt("import", "--layouts")
    assert ran.code == 0
    assert "telegram-account" in ran.out
