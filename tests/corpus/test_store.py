"""A new corpus: whole or not there, in a layout that older DuckDBs read, made once by whoever comes first."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.workspaces import add_tweets, make_corpus, python, query
from xlt.corpus import gate, schema, store
from xlt.corpus.stage import text_key
from xlt.errors import UsageError, XltError

# What DuckDB 0.10 to 1.1 read and write, and so does R's package; 65 and up are newer layouts.
LAYOUT_OF_V1_0 = 64


def layout(path: Path) -> int:
    """The number of a file's layout, from its header."""
    header = path.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    return int.from_bytes(header[12:20], "little")


def test_a_new_corpus_has_every_table_and_the_oldest_layout(tmp_path: Path) -> None:
    path = store.corpus_path(tmp_path)
    assert store.ensure(path) is True
    assert {row[0] for row in query(path, "SHOW TABLES")} >= {
        "meta",
        "tweets",
        "imports",
        "gold",
        "runs",
        "predictions",
    }
    assert query(path, "SELECT value FROM meta WHERE key = 'schema'") == [(str(schema.VERSION),)]
    assert layout(path) == LAYOUT_OF_V1_0
    assert sorted(each.name for each in tmp_path.iterdir()) == [".xlt", "corpus.duckdb"]


def test_the_layout_stays_when_rows_are_written(tmp_path: Path) -> None:
    path = make_corpus(tmp_path, [f"text {n}" for n in range(50_000)])
    with gate.opened(path, write=True) as con:
        con.execute("INSERT INTO predictions SELECT 'r', text_key, 'l', 0.5, [0.5, 0.5] FROM tweets")
    assert layout(path) == LAYOUT_OF_V1_0
    tags = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL"
    assert query(path, tags) == [("v1.0.0+",)]


def test_one_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = make_corpus(tmp_path, ["one"])
    before = path.read_bytes()
    assert store.ensure(path) is False
    assert path.read_bytes() == before


def test_of_many_processes_one_makes_it_and_none_loses_a_row(tmp_path: Path) -> None:
    path = store.corpus_path(tmp_path)
    code = """
import sys
from pathlib import Path
from xlt.corpus import gate, store
path = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
made = store.ensure(path)
with gate.opened(path, write=True, patience=60) as con:
    con.execute("INSERT INTO meta VALUES (?, ?)", ["made" if made else "found", sys.argv[2]])
"""
    with python(code, path, 1) as one, python(code, path, 2) as two, python(code, path, 3) as three:
        for each in (one, two, three):
            each.stdin.write("\n")  # type: ignore[union-attr]
            each.stdin.flush()  # type: ignore[union-attr]
        assert [each.wait() for each in (one, two, three)] == [0, 0, 0]
    assert sorted(query(path, "SELECT key FROM meta WHERE key IN ('made', 'found')")) == [
        ("found",),
        ("found",),
        ("made",),
    ]


def test_killed_while_it_is_made_leaves_no_corpus(tmp_path: Path) -> None:
    path = store.corpus_path(tmp_path)
    code = """
import os, signal, sys
from pathlib import Path
from xlt.corpus import schema, store
create = schema.create
def halfway(con, database):
    create(con, database)
    os.kill(os.getpid(), signal.SIGKILL)
schema.create = halfway
store.ensure(Path(sys.argv[1]))
"""
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert not path.exists()
    assert store.ensure(path) is True
    add_tweets(path, ["one"])
    assert query(path, "SELECT text FROM tweets") == [("one",)]


@pytest.mark.parametrize(
    ("name", "message"),
    [("corpus.csv", r"must end in \.duckdb"), ("no/corpus.duckdb", "There is no folder"), ("", "is a folder")],
)
def test_names_that_can_not_be(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        store.ensure(tmp_path / name)


def test_a_folder_that_can_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / ".xlt").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(XltError, match="can't be made: file exists"):
        store.ensure(tmp_path / "corpus.duckdb")


def test_keys_of_texts_are_the_same_in_sql_and_in_python(tmp_path: Path) -> None:
    texts = ["plain", "žluťoučký 😀", " ", "العربية", "nul \x00 inside"]
    path = make_corpus(tmp_path, [*texts, None])
    found = dict(query(path, "SELECT text, text_key FROM tweets"))
    assert {text: found[text].bytes for text in texts} == {text: text_key(text) for text in texts}
    assert found[texts[0]].hex == hashlib.sha256(b"plain").hexdigest()[:32]
    assert found[None] is None
