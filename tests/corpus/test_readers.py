"""Files of tweets: every kind is read without a change, and what can't be read is said with its place."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xlt.corpus import duck
from xlt.corpus.readers import Reject, open_file
from xlt.errors import UsageError, XltError

Rows = list[tuple[object, ...]]


def read(path: Path, encoding: str = "utf-8") -> tuple[list[str], Rows, list[Reject]]:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    with duck.job(scratch) as con:
        readable = open_file(con, path, scratch, encoding)
        return readable.columns, con.execute(f"SELECT * FROM {readable.relation}").fetchall(), readable.rejects


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_cells_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'id,text,day\n0012,"a, b\nc ""q""",2024-01-02\n1.54E+18,ü,31/12/2024\n')
    columns, rows, rejects = read(path)
    assert columns == ["id", "text", "day"]
    assert rows == [("0012", 'a, b\nc "q"', "2024-01-02"), ("1.54E+18", "ü", "31/12/2024")]
    assert rejects == []


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path / "t.csv", f"id{separator}text\n1{separator}hello\n")
    assert read(path)[:2] == (["id", "text"], [("1", "hello")])


def test_bom_crlf_and_one_column(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "\ufefftext\r\nhello\r\n"))[:2] == (["text"], [("hello",)])


def test_rows_that_end_in_crlf_may_hold_line_feeds(tmp_path: Path) -> None:
    # As Python's csv and Excel write a tweet of several lines; DuckDB's strict parser gives up on the file.
    path = write(tmp_path / "t.csv", 'id,text\r\n1,"a\nb"\r\n2,c\r\n')
    assert read(path) == (["id", "text"], [("1", "a\nb"), ("2", "c")], [])


def test_broken_rows_are_rejected_with_their_place_and_good_neighbours_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        'id,text\n1,"fine"\n2,"broken "quote" here"\n3,"multi\nline, ok"\n4,too,many\n5,ok\n6,"never closed\n7,next\n',
    )
    _, rows, rejects = read(path)
    # With ignore_errors in place of store_rejects DuckDB drops row 3 too, without a word.
    assert rows == [("1", "fine"), ("3", "multi\nline, ok"), ("5", "ok")]
    assert [(each.line, each.file) for each in rejects] == [(3, str(path)), (5, str(path)), (7, str(path))]
    assert "quote" in rejects[0].reason
    assert "Expected Number of Columns: 2 Found: 3" in rejects[1].reason
    assert rejects[1].text == "4,too,many"


def test_tsv_without_quoting_rules_keeps_literal_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", 'id\ttext\n1\t"Never" again\n2\tplain\n')
    _, rows, rejects = read(path)
    assert rows == [("1", '"Never" again'), ("2", "plain")]
    assert rejects == []


def test_latin_1_is_refused_with_what_to_do_and_read_when_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "id,text\n1,ok\n2,café\n".encode("latin-1"))
    with pytest.raises(XltError, match=r"t.csv, line 3: the text is not UTF-8; .*--encoding latin-1"):
        read(path)
    assert read(path, "latin-1")[1] == [("1", "ok"), ("2", "café")]


def test_latin_1_in_the_header(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="line 1: the text is not UTF-8"):
        read(write(tmp_path / "t.csv", "größe,text\n1,ok\n".encode("latin-1")))


def test_jsonl_types_come_from_all_lines_and_strings_stay_strings(tmp_path: Path) -> None:
    lines = [{"id": "1", "n": 1, "text": "a", "at": "2024-01-02T03:04:05.000Z"}] * 30_000
    lines += [{"id": "12345678901234567890", "n": 1.5, "text": "b", "more": {"x": [1]}}]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, lines)))
    columns, rows, rejects = read(path)
    assert columns == ["id", "n", "text", "at", "more"]
    assert rows[0] == ("1", 1.0, "a", "2024-01-02T03:04:05.000Z", None)
    assert rows[-1] == ("12345678901234567890", 1.5, "b", None, '{"x":[1]}')
    assert rejects == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_long_ids_among_fractions_keep_their_digits(tmp_path: Path, name: str) -> None:
    objects = ['{"id": 1540000000000000001, "x": 1.5}', '{"id": 2.5, "x": 2}', '{"id": 12345678901234567890123}']
    path = tmp_path / name
    path.write_text("\n".join(objects) if name == "a.jsonl" else f"[{', '.join(objects)}]")
    with duck.job(tmp_path / "spill") as con:
        found = open_file(con, path, tmp_path)
        assert con.execute(f"SELECT id, x FROM {found.relation}").fetchall() == [
            ("1540000000000000001", 1.5),
            ("2.5", 2.0),
            ("12345678901234567890123", None),
        ]


def test_bad_jsonl_lines_are_rejected_and_surrogates_repaired(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        '{"text":"one"}\n{bad\n\n{"text":"lone \\ud83d here"}\n[1]\n{"text":"nul \\u0000 end"}\n{"text":"last"}',
    )
    _, rows, rejects = read(path)
    assert [text for (text,) in rows] == ["one", "lone \ufffd here", "nul \x00 end", "last"]
    assert [(each.line, each.reason.split(":")[0]) for each in rejects] == [
        (2, "no valid JSON"),
        (5, "not a JSON object"),
    ]


def test_jsonl_with_no_good_line(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="holds no valid line of JSON"):
        read(write(tmp_path / "t.jsonl", "hello\nworld\n"))


def test_json_array(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", '[{"id": 1, "text": "a"}, {"id": 2, "text": "b", "lang": "en"}]')
    assert read(path)[1] == [(1, "a", None), (2, "b", "en")]
    with pytest.raises(XltError, match=r"broken.json can't be read"):
        read(write(tmp_path / "broken.json", '[{"text": "a"}'))


def test_parquet_and_a_cut_off_one(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": [1, 2], "text": ["a", None]}), path)
    assert read(path)[1] == [(1, "a"), (2, None)]
    cut = write(tmp_path / "cut.parquet", path.read_bytes()[:-20])
    with pytest.raises(XltError, match=r"cut.parquet can't be read: .*; check that it is whole"):
        read(cut)


def test_packed_files(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,text\n1,hello\n"))
    assert read(path)[1] == [("1", "hello")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("t.csv", "", "is empty"), ("t.xlsx", "x", "of no kind that xlt reads"), ("t", "x", "of no kind")],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(XltError, match=message):
        read(write(tmp_path / name, content))
    with pytest.raises(UsageError, match="There is no file"):
        read(tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="is a folder"):
        read(tmp_path)


def test_doubled_and_empty_column_names(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "text,Text,,text\na,b,c,d\n")
    assert read(path)[:2] == (["text", "Text_", "column3", "text__"], [("a", "b", "c", "d")])


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_real_tweets_are_read_as_pythons_csv_reads_them(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "immigration" / name
    with path.open(encoding="utf-8", newline="") as file:
        expected = [tuple(cell or None for cell in row) for row in list(csv.reader(file))[1:]]
    with duck.job(tmp_path) as con:
        readable = open_file(con, path, tmp_path)
        assert con.execute(f"SELECT * FROM {readable.relation}").fetchall() == expected
    assert readable.rejects == []
