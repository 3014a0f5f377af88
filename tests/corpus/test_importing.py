"""What is in the corpus after an import: every row once, the later one, and what was odd is said."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xlt.corpus import gate, unpack
from xlt.corpus.importing.files import expand
from xlt.corpus.importing.job import Import, Labels, Options, Report, run
from xlt.corpus.secret import key_path
from xlt.errors import UsageError, XltError
from xlt.tasks.load import load_task


def bring(folder: Path, *files: Path, **options: Any) -> tuple[list[Report], str]:
    said: list[str] = []
    reports = run(Import(files, folder, folder / "corpus.duckdb", Options(**options)), said.append)
    return reports, "\n".join(said)


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with gate.opened(folder / "corpus.duckdb") as con:
        return con.execute(query).fetchall()


def table(path: Path, *rows: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_importing_twice_adds_nothing_and_a_changed_row_updates(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", ["id", "text", "likes", "lang"], ["1", "one", "3", "en"], ["2", "two", "4", "de"])
    (report,), _ = bring(tmp_path, first)
    assert (report.added, report.changed) == (2, 0)
    (report,), _ = bring(tmp_path, first)
    assert (report.added, report.changed, report.unchanged) == (0, 0, 2)
    with gate.opened(tmp_path / "corpus.duckdb", write=True) as con:
        con.execute("UPDATE tweets SET lang = 'en', lang_confidence = .9")
    # A column that the second file lacks keeps what is known; another text must be detected anew.
    second = table(tmp_path / "b.csv", ["id", "text"], ["1", "one"], ["2", "two, corrected"], ["3", "three"])
    (report,), said = bring(tmp_path, second)
    assert (report.added, report.changed) == (1, 1)
    assert "With another text than before: 1 post" in said
    assert ask(tmp_path, "SELECT id, text, likes, lang_tag, lang, source FROM tweets ORDER BY id") == [
        ("1", "one", 3, "en", "en", 1),
        ("2", "two, corrected", 4, "de", None, 3),
        ("3", "three", None, None, None, 3),
    ]
    assert ask(tmp_path, "SELECT id, added, changed FROM imports ORDER BY id") == [(1, 2, 0), (2, 0, 0), (3, 1, 1)]


def test_the_same_id_with_different_texts_the_later_wins_and_it_is_said(tmp_path: Path) -> None:
    rows = [["7", "early"], ["8", "same"], ["7", "late"], ["8", "same"]]
    (report,), said = bring(tmp_path, table(tmp_path / "a.csv", ["id", "text"], *rows))
    assert ask(tmp_path, "SELECT id, text FROM tweets ORDER BY id") == [("7", "late"), ("8", "same")]
    assert report.added == 2
    assert "2 rows repeated an id of this file" in said
    assert "1 id with different texts, such as 7" in said


def test_later_rows_win_in_large_files_too(tmp_path: Path) -> None:
    # Threads of DuckDB swap blocks of rows; what comes last in the file must be known all the same.
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        for number in range(300_000):
            file.write(json.dumps({"id": str(number % 150_000), "text": f"text {number} " + "x" * 60}) + "\n")
    bring(tmp_path, path)
    assert ask(
        tmp_path, "SELECT count(*), count(*) FILTER (split_part(text, ' ', 2)::INT = id::INT + 150000) FROM tweets"
    ) == [(150_000, 150_000)]


def test_ids_in_scientific_notation_are_said_and_no_row_is_lost(tmp_path: Path) -> None:
    rows = [["1.54E+18", "one"], ["1.54E+18", "two"], ["1,54e+18", "three"], ["9", "four"]]
    path = table(tmp_path / "a.csv", ["id", "text"], *rows)
    (report,), said = bring(tmp_path, path)
    assert "3 ids rounded by a spreadsheet (such as 1.54E+18)" in said
    assert (report.added, report.rejected) == (4, 0)
    (again,), _ = bring(tmp_path, path)
    assert (again.added, again.unchanged) == (0, 4)


def test_ids_that_end_in_zeros_are_said(tmp_path: Path) -> None:
    rows = [[f"15400000000000{number:02}000", f"text {number}"] for number in range(20)]
    rows.append(["1540000000000000000", "another text with a rounded id"])
    (report,), said = bring(tmp_path, table(tmp_path / "a.csv", ["id", "text"], *rows))
    assert "21 of 21 long ids end in 000" in said
    assert report.added == 21
    honest = [[f"154000000000000{number:04}", f"text {number}"] for number in range(1000)]
    _, said = bring(tmp_path, table(tmp_path / "b.csv", ["id", "text"], *honest))
    assert "end in 000" not in said


def test_ids_of_floats_lose_their_point(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": pa.array([12.0, 13.0]), "text": ["a", "b"]}), path)
    bring(tmp_path, path)
    assert ask(tmp_path, "SELECT id FROM tweets ORDER BY id") == [("12",), ("13",)]


def test_a_table_without_ids_gets_stable_ones_and_keeps_equal_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ["text"], ["same"], ["same"], ["other"])
    (report,), said = bring(tmp_path, path)
    assert report.added == 3
    assert "There is no column of ids" in said
    (report,), _ = bring(tmp_path, path)
    assert (report.added, report.unchanged) == (0, 3)


def test_rows_without_id_are_rejected_with_their_number(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ["id", "text"], ["1", "fine"], ["", "no id here"], ["3", ""])
    (report,), said = bring(tmp_path, path)
    assert (report.added, report.rejected) == (2, 1)
    assert report.rejects_file == tmp_path / "a.csv.rejects.jsonl"
    reject = json.loads(report.rejects_file.read_text())
    assert (reject["line"], reject["reason"], reject["text"]) == (2, "no id", "no id here")
    assert "What was not read, and why" in said
    # A corrected file has nothing to reject, and the old list goes.
    bring(tmp_path, table(path, ["id", "text"], ["1", "fine"]))
    assert not report.rejects_file.exists()


DATES = [
    ("2024-02-03T04:05:06.000Z", "2024-02-03 04:05:06"),
    ("2024-02-03T04:05:06+02:00", "2024-02-03 02:05:06"),
    ("2024-02-03 04:05", "2024-02-03 04:05:00"),
    ("Sat Feb 03 04:05:06 +0000 2024", "2024-02-03 04:05:06"),
    ("Sat, 03 Feb 2024 04:05:06 +0100", "2024-02-03 03:05:06"),
    ("1706933106", "2024-02-03 04:05:06"),
    ("1706933106000", "2024-02-03 04:05:06"),
    ("1706933106.5", "2024-02-03 04:05:06.5"),
    ("20240203", "2024-02-03 00:00:00"),
    ("3 Feb 2024", "2024-02-03 00:00:00"),
    ("2024-02-30", None),
    ("1970-01-01T00:00:00Z", None),
    ("3024-01-01", None),
    ("yesterday", None),
    ("infinity", None),
    ("", None),
]


def test_dates_in_many_formats_and_impossible_ones(tmp_path: Path) -> None:
    rows = [[str(number), "text", raw] for number, (raw, _) in enumerate(DATES)]
    _, said = bring(tmp_path, table(tmp_path / "a.csv", ["id", "text", "created_at"], *rows))
    found = ask(tmp_path, "SELECT created_at::VARCHAR FROM tweets ORDER BY id::INT")
    assert [(raw, got) for (raw, _), (got,) in zip(DATES, found, strict=True)] == DATES
    assert "5 dates can't be right, such as '2024-02-30'; kept without a date." in said


@pytest.mark.parametrize(
    ("dates", "order", "expected"),
    [
        (["31/12/2023", "01/02/2024 13:05"], None, ["2023-12-31 00:00:00", "2024-02-01 13:05:00"]),
        (["12/31/2023", "01/02/2024 1:05 PM"], None, ["2023-12-31 00:00:00", "2024-01-02 13:05:00"]),
        (["03.04.2024"], "dmy", ["2024-04-03 00:00:00"]),
        (["03.04.2024"], "mdy", ["2024-03-04 00:00:00"]),
    ],
)
def test_the_order_of_day_and_month(tmp_path: Path, dates: list[str], order: str | None, expected: list[str]) -> None:
    rows = [[str(number), "text", raw] for number, raw in enumerate(dates)]
    bring(tmp_path, table(tmp_path / "a.csv", ["id", "text", "date"], *rows), dates=order)
    assert [row[0] for row in ask(tmp_path, "SELECT created_at::VARCHAR FROM tweets ORDER BY id")] == expected


@pytest.mark.parametrize("dates", [["03/04/2024"], ["13/04/2024", "04/13/2024"]])
def test_dates_that_can_mean_two_days_are_asked_about(tmp_path: Path, dates: list[str]) -> None:
    rows = [[str(number), "text", raw] for number, raw in enumerate(dates)]
    with pytest.raises(UsageError, match=r"can mean two days .* --dates dmy"):
        bring(tmp_path, table(tmp_path / "a.csv", ["id", "text", "date"], *rows))
    assert ask(tmp_path, "SELECT count(*) FROM tweets") == [(0,)]


def test_times_of_parquet_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    times = pa.array([1706933106000000, None], pa.timestamp("us", tz="Europe/Berlin"))
    pq.write_table(pa.table({"id": [1, 2], "text": ["a", "b"], "created_at": times}), path)
    bring(tmp_path, path)
    assert ask(tmp_path, "SELECT created_at::VARCHAR FROM tweets ORDER BY id") == [("2024-02-03 04:05:06",), (None,)]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("@one, (@two) and @three's: .@four", "@user, (@user) and @user's: .@user"),
        ("write to me@example.org", "write to me@example.org"),
        ("@name@social.example hello", "@user hello"),
        ("＠wide @narrow", "@user @user"),
        ("@이름 @한글handle @abc님", "@이름 @한글handle @user님"),
        ("see https://x.com/somebody/status/12 and @user", "see https://x.com/i/status/12 and @user"),
        ("https://social.example/@somebody/5", "https://social.example/@user/5"),
        ("@ alone, @@twice, 5@6", "@ alone, @@user, 5@6"),
    ],
)
def test_handles_become_user(tmp_path: Path, text: str, masked: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "1", "text": text}))
    bring(tmp_path, path)
    assert ask(tmp_path, "SELECT text FROM tweets") == [(masked,)]


def test_authors_are_hashed_with_a_key_that_only_the_workspace_has(tmp_path: Path) -> None:
    import hashlib
    import hmac

    path = table(tmp_path / "a.csv", ["id", "text", "author_id"], ["1", "hello", "Zoë"])
    bring(tmp_path, path)
    key = bytes.fromhex(key_path(tmp_path).read_text().strip())
    digest = hmac.new(key, "table:Zoë".encode(), "sha256").hexdigest()
    assert ask(tmp_path, "SELECT author FROM tweets") == [(digest[:24],)]
    assert key_path(tmp_path).stat().st_mode & 0o777 == 0o600
    content = (tmp_path / "corpus.duckdb").read_bytes()
    assert key not in content
    assert key.hex().encode() not in content
    assert hashlib.sha256(key).hexdigest().encode() not in content
    key_path(tmp_path).unlink()
    (report,), _ = bring(tmp_path, path)
    assert "hashed with another key" in str(report.error)
    assert ask(tmp_path, "SELECT count(*) FROM imports") == [(1,)]


def test_a_retweet_that_its_file_cuts_is_completed_from_the_post_itself(tmp_path: Path) -> None:
    rows = [
        ["1", "A whole sentence by its author, to the end.", ""],
        ["2", "RT @someone: A whole sentence by its…", "1"],
        ["3", "RT @other: Not here to be foun…", "99"],
    ]
    _, said = bring(tmp_path, table(tmp_path / "a.csv", ["id", "text", "retweet_of"], *rows))
    assert ask(tmp_path, "SELECT text FROM tweets ORDER BY id") == [
        ("A whole sentence by its author, to the end.",),
        ("A whole sentence by its author, to the end.",),
        ("RT @user: Not here to be foun…",),
    ]
    assert ask(tmp_path, "SELECT count(DISTINCT text_key) FROM tweets") == [(2,)]
    assert "Cut (RT @user …), since the file lacks the posts that they repeat: 1 retweet." in said


def test_columns_that_differ_between_files_and_columns_not_kept(tmp_path: Path) -> None:
    one = table(tmp_path / "a.csv", ["id", "text", "query", "secret"], ["1", "one", "q", "s"])
    two = table(tmp_path / "b.csv", ["tweet_id", "Tweet", "Created_At"], ["2", "two", "2024-01-01"])
    three = table(tmp_path / "c.csv", ["id", "words"], ["3", "three"])
    _, said = bring(tmp_path, one, keep=("query",))
    assert "Columns not kept: secret (--keep NAME keeps one)." in said
    bring(tmp_path, two)
    with pytest.raises(
        UsageError, match=r"c.csv: no column holds the text: .*there are id, words; name it with --text-column"
    ):
        bring(tmp_path, three)
    bring(tmp_path, three, columns={"text": "words"})
    with pytest.raises(UsageError, match=r"--text-column words: there is no such column"):
        bring(tmp_path, one, columns={"text": "words"})
    assert ask(tmp_path, "SELECT id, text, extra::VARCHAR FROM tweets ORDER BY id") == [
        ("1", "one", '{"query":"q"}'),
        ("2", "two", None),
        ("3", "three", None),
    ]


def test_one_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    good = table(tmp_path / "a.csv", ["id", "text"], ["1", "one"])
    web = tmp_path / "b.json"
    web.write_text("<!DOCTYPE html><html><body>Log in</body></html>")
    cut = tmp_path / "c.json"
    cut.write_text('[{"id": "5", "text": "whole"}, {"id": "6", "te')
    reports, said = bring(tmp_path, web, cut, good)
    assert "holds a web page (HTML), not tweets" in said
    assert [report.added for report in reports] == [0, 1, 1]
    assert reports[1].rejects_file is not None
    assert "no valid JSON from here on" in reports[1].rejects_file.read_text()


def test_a_zip_bomb_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST_UNPACKED", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"id,text\n" + b"1,hello\n" * 1_000_000))
    start = time.monotonic()
    (report,), _ = bring(tmp_path, path)
    assert "looks like a zip bomb" in str(report.error)
    assert time.monotonic() - start < 20
    broken = tmp_path / "cut.csv.gz"
    broken.write_bytes(gzip.compress(b"id,text\n1,hello\n" * 1000)[:-30])
    (report,), _ = bring(tmp_path, broken)
    assert "can't be unpacked" in str(report.error)


def test_a_document_too_large_for_one_piece_is_read_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "WHOLE", 1000)
    messages = [{"id": n, "type": "message", "date_unixtime": "1643709600", "text": f"text {n}"} for n in range(1200)]
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"name": "c", "type": "public_channel", "id": 5, "messages": messages}, indent=1))
    (report,), _ = bring(tmp_path, path)
    assert (report.mapping, report.added) == ("telegram", 1200)
    assert ask(tmp_path, "SELECT min(text), count(DISTINCT id) FROM tweets WHERE id LIKE '5/%'") == [("text 0", 1200)]


def test_labels_that_people_gave(tmp_path: Path) -> None:
    task = load_task("immigration")
    header = ["id", "text", "label", "coder", "coded_at"]
    path = table(
        tmp_path / "a.csv",
        header,
        ["1", "one", "pro-immigration", "ann", "2024-05-01"],
        ["1", "one", "2", "bob", "2024-05-02"],
        ["2", "two", "Neutral", "ann", ""],
        ["3", "three", "sideways", "ann", ""],
        ["4", "four", "", "ann", ""],
    )
    (report,) = run(Import([path], tmp_path, tmp_path / "corpus.duckdb", Options(labels="label"), Labels(task)), print)
    assert (report.added, report.labels, report.rejected) == (4, 3, 1)
    gold = "SELECT tweet_id, label, coder, coded_at::DATE::VARCHAR FROM gold ORDER BY tweet_id, coder"
    found = ask(tmp_path, gold)
    assert [row[:3] for row in found] == [
        ("1", "pro-immigration", "ann"),
        ("1", "anti-immigration", "bob"),
        ("2", "neutral", "ann"),
    ]
    assert [row[3] for row in found[:2]] == ["2024-05-01", "2024-05-02"]
    assert ask(tmp_path, "SELECT count(*) FROM gold g JOIN tweets t USING (text_key)") == [(3,)]
    table(path, header, ["1", "one", "neutral", "ann", "2024-06-01"], ["2", "two", "neutral", "ann", ""])
    options = Options(labels="label")
    (report,) = run(Import([path], tmp_path, tmp_path / "corpus.duckdb", options, Labels(task)), lambda s: None)
    assert report.labels == 1
    assert ask(tmp_path, gold)[0] == ("1", "neutral", "ann", "2024-06-01")


@pytest.mark.parametrize(
    ("header", "ids"),
    [(["text", "label"], [[], []]), (["id", "text", "label"], [["1.54E+18"], ["1.54E+18"]])],
    ids=["no ids", "rounded ids"],
)
def test_labels_find_their_posts_whose_ids_were_made(tmp_path: Path, header: list[str], ids: list[list[str]]) -> None:
    path = table(tmp_path / "a.csv", header, [*ids[0], "one", "1.0"], [*ids[1], "two", "anti"])
    job = Import(
        [path], tmp_path, tmp_path / "corpus.duckdb", Options(labels="label"), Labels(load_task("immigration"))
    )
    assert [run(job, lambda sentence: None)[0].labels for _ in range(2)] == [2, 0]
    found = ask(tmp_path, "SELECT text, label FROM gold g JOIN tweets t ON t.id = g.tweet_id ORDER BY text")
    assert found == [("one", "pro-immigration"), ("two", "anti-immigration")]


def test_labels_without_a_text_are_said(tmp_path: Path) -> None:
    rows = ["1", "", "pro"], ["2", "two", "anti"], ["2.0", "two", "anti"]
    path = table(tmp_path / "a.csv", ["id", "text", "label"], *rows)
    said: list[str] = []
    job = Import(
        [path], tmp_path, tmp_path / "corpus.duckdb", Options(labels="label"), Labels(load_task("immigration"))
    )
    (report,) = run(job, said.append)
    assert report.labels == 1
    assert "  Left out, since their posts have no text or were erased: 1 label." in said


@pytest.mark.parametrize("content", ["[]", '{"data": [], "meta": {"result_count": 0}}'])
def test_a_page_without_posts_is_no_failure(tmp_path: Path, content: str) -> None:
    (tmp_path / "empty.json").write_text(content)
    (report,), said = bring(tmp_path, tmp_path / "empty.json")
    assert (report.error, report.added, report.rows) == (None, 0, 0)
    assert "holds" in said
    assert ask(tmp_path, "SELECT count(*) FROM imports") == [(0,)]


def test_real_tweets_arrive_word_for_word(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "immigration" / "test.csv"
    with path.open(encoding="utf-8", newline="") as file:
        expected = {row["id"]: row for row in csv.DictReader(file)}
    task = load_task("immigration")
    options = Options(labels="label", keep_handles=True)
    (report,) = run(Import([path], tmp_path, tmp_path / "corpus.duckdb", options, Labels(task)), lambda s: None)
    assert (report.added, report.labels, report.rejected) == (875, 875, 0)
    found = ask(tmp_path, "SELECT t.id, t.text, t.lang_tag, g.label FROM tweets t JOIN gold g ON g.tweet_id = t.id")
    assert {row[0]: row[1:] for row in found} == {
        key: (row["text"], row["lang"], row["label"]) for key, row in expected.items()
    }


def test_folders_and_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "pile"
    (folder / "deep").mkdir(parents=True)
    table(folder / "a.csv", ["id", "text"], ["1", "one"])
    table(folder / "deep" / "b.csv", ["id", "text"], ["2", "two"])
    (folder / "a.csv.rejects.jsonl").write_text("{}")
    (folder / "notes.docx").write_text("x")
    (folder / ".hidden.csv").write_text("x")
    files, passed = expand([str(folder)])
    assert [path.name for path in files] == ["a.csv", "b.csv"]
    assert [path.name for path in passed] == ["notes.docx"]
    assert expand([str(folder / "*.csv*")])[0] == [folder / "a.csv"]
    for bad in (str(folder / "*.tsv"), str(tmp_path / "nothing" / "*.csv")):
        with pytest.raises(UsageError, match="No file matches"):
            expand([bad])


_IMPORT = """
import sys
from pathlib import Path
from xlt.corpus.importing.job import Import, run
file, folder, where = sys.argv[1:]
import xlt.corpus.importing.job as job
from xlt.corpus.importing.straight import Straight
def paused(real):
    def wrapped(*a, **k):
        result = None if where == "before" else real(*a, **k)
        print("here", flush=True)
        sys.stdin.read()
        return result
    return wrapped
job.merge = paused(job.merge)
Straight.put = paused(Straight.put)
run(Import([Path(file)], Path(folder), Path(folder) / "corpus.duckdb"), print)
"""


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("known", ["0", "1"], ids=["straight", "staged"])
def test_killed_in_the_middle_and_run_again_every_row_once(tmp_path: Path, where: str, known: str) -> None:
    bring(tmp_path, table(tmp_path / "first.csv", ["id", "text"], [known, f"text {known}"]))
    rows = [[str(number), f"text {number}"] for number in range(1, 2001)]
    path = table(tmp_path / "a.csv", ["id", "text"], *rows)
    command = [sys.executable, "-c", _IMPORT, str(path), str(tmp_path), where]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert ask(tmp_path, "SELECT count(*) FROM tweets") == [(1,)]
    (report,), _ = bring(tmp_path, path)
    assert (report.added, report.rows) == (2000 - int(known), 2000)
    total = 2001 - int(known)
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT id) FROM tweets") == [(total, total)]
    # What the killed process left held texts.
    assert list((tmp_path / ".xlt").glob("import-*")) == []


def test_names_that_look_like_ours(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv", ["id", "text", "nr", "skip", "platform", "xlt number", "stamp"], ["1", "t", *"abcde"]
    )
    bring(tmp_path, path, keep=("nr", "skip", "xlt number", "stamp"))
    assert ask(tmp_path, "SELECT id, platform, extra::VARCHAR FROM tweets") == [
        ("1", "table", '{"nr":"a","skip":"b","xlt number":"d","stamp":"e"}')
    ]


def test_odd_files(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    (report,), _ = bring(tmp_path, empty)
    assert "is empty" in str(report.error)
    with pytest.raises(UsageError, match="There is no file"):
        bring(tmp_path, tmp_path / "none.csv")
    with pytest.raises(UsageError, match="There is no mapping 'nope'"):
        bring(tmp_path, empty, mapping="nope")
    header_only = table(tmp_path / "h.csv", ["id", "text"])
    (report,), _ = bring(tmp_path, header_only)
    assert (report.error, report.added) == (None, 0)
    other = tmp_path / "other.jsonl"
    other.write_text('{"text": "x"}\n{"text": "y"}\n')
    (report,), said = bring(tmp_path, other, mapping="x-v1")
    assert isinstance(report.error, XltError)
    assert "None of the 2 objects" in str(report.error)
    assert said == ""


def test_lines_with_broken_bytes_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "1", "text": "caf\xe9"}\n[]\n\n{"id": "2", "text": "fine"}\n{"id": "3"')
    (report,), _ = bring(tmp_path, path)
    assert ask(tmp_path, "SELECT id, text FROM tweets ORDER BY id") == [("1", "caf\ufffd"), ("2", "fine")]
    assert report.rejects_file is not None
    assert [json.loads(line)["line"] for line in report.rejects_file.read_text().splitlines()] == [2, 5]


def test_a_line_longer_than_duckdbs_buffer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"id": str(number), "text": "long " * 1_000_000 if number == 1 else "short"} for number in range(3)]
    path.write_text("\n".join(map(json.dumps, rows)))
    (report,), _ = bring(tmp_path, path)
    assert report.error is None
    assert ask(tmp_path, "SELECT id, length(text) FROM tweets ORDER BY id") == [("0", 5), ("1", 5_000_000), ("2", 5)]
