"""The gate: two real processes in every order, holders that are killed, and files that are no corpus."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest

from corpus.workspaces import add_tweets, holder, let_go, make_corpus, python, query
from xlt.corpus import gate, leash, naming, schema
from xlt.errors import XltError
from xlt.processes import program_of

COUNT = "SELECT count(*) FROM tweets"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path, ["one", "two", "three"])


def test_readers_do_not_disturb_one_another(corpus: Path) -> None:
    with holder(corpus, "read"), holder(corpus, "read"):
        assert query(corpus, COUNT) == [(3,)]


@pytest.mark.parametrize(("held", "wanted"), [("read", "write"), ("write", "read"), ("write", "write")])
def test_a_holder_is_named_and_its_end_is_noticed(corpus: Path, held: str, wanted: str) -> None:
    with holder(corpus, held) as process:
        begun = time.monotonic()
        with (
            pytest.raises(gate.CorpusLockedError) as refused,
            gate.opened(corpus, write=wanted == "write", patience=0.3),
        ):
            pass
        assert 0.3 <= time.monotonic() - begun < 3
        said = str(refused.value)
        assert re.fullmatch(
            rf"The corpus {re.escape(str(corpus))} is in use by python\S* \(process {process.pid}\); close it there, "
            r"or try again when it is done\.",
            said,
        )
        let_go(process)
        with gate.opened(corpus, write=wanted == "write", patience=0) as con:
            assert con.execute(COUNT).fetchone() == (3,)


@pytest.mark.parametrize("held", ["read", "write"])
@pytest.mark.parametrize("wanted", ["read", "write"])
def test_a_killed_holder_leaves_the_corpus_free_and_as_it_was(corpus: Path, held: str, wanted: str) -> None:
    with holder(corpus, held) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with gate.opened(corpus, write=wanted == "write", patience=1) as con:
            assert con.execute(COUNT).fetchone() == (3,)
    assert not (corpus.parent / ".xlt" / "spill").exists(), "what the killed process left is swept away"


def test_what_a_killed_writer_committed_is_there(corpus: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from typing import Any
from xlt.corpus import gate
with gate.opened(Path(sys.argv[1]), write=True) as con:
    con.execute("INSERT INTO meta VALUES ('committed', 'yes')")
    con.execute("BEGIN")
    con.execute("INSERT INTO meta VALUES ('begun', 'yes')")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code, str(corpus)], check=False).returncode == -signal.SIGKILL
    assert query(corpus, "SELECT key FROM meta WHERE value = 'yes'") == [("committed",)]
    add_tweets(corpus, ["four"])
    assert query(corpus, "SELECT key FROM meta WHERE value = 'yes'") == [("committed",)]


def test_patience_outlasts_a_short_job(corpus: Path) -> None:
    with holder(corpus, "read") as process:
        later = threading.Timer(0.4, let_go, [process])
        later.start()
        with gate.opened(corpus, write=True, patience=20) as con:
            assert con.execute(COUNT).fetchone() == (3,)
        later.join()


def test_the_file_is_free_after_every_block(corpus: Path) -> None:
    """Also after an error, and in both modes: another process can write at once."""
    for write in (False, True):
        with pytest.raises(duckdb.BinderException), gate.opened(corpus, write=write) as con:
            con.execute("SELECT nope FROM tweets")
        with holder(corpus, "write"):
            pass


def test_what_is_not_committed_is_undone(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        con.execute("BEGIN")
        con.execute("DELETE FROM tweets")
    assert query(corpus, COUNT) == [(3,)]


def test_in_one_process_readers_share_and_writers_take_turns(corpus: Path) -> None:
    with (
        gate.opened(corpus) as one,
        gate.opened(corpus) as two,
        pytest.raises(gate.CorpusLockedError, match="in use by another job of this process"),
        gate.opened(corpus, write=True, patience=0.1),
    ):
        pass
    assert one is not two

    def add() -> None:
        for _ in range(5):
            with gate.opened(corpus, write=True, patience=60) as con:
                con.execute("UPDATE meta SET value = (value::INT + 1)::VARCHAR WHERE key = 'counter'")
            query(corpus, COUNT)

    with gate.opened(corpus, write=True) as con:
        con.execute("INSERT INTO meta VALUES ('counter', '0')")
    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query(corpus, "SELECT value FROM meta WHERE key = 'counter'") == [("20",)]


def test_processes_that_write_by_turns_lose_nothing(corpus: Path) -> None:
    code = """
import sys
from pathlib import Path
from typing import Any
from xlt.corpus import gate
print("ready", flush=True)
for turn in range(15):
    with gate.opened(Path(sys.argv[1]), write=True, patience=120) as con:
        con.execute("INSERT INTO meta VALUES (?, ?)", [sys.argv[2], str(turn)])
    with gate.opened(Path(sys.argv[1]), patience=120) as con:
        con.execute("SELECT count(*) FROM meta").fetchall()
"""
    with python(code, corpus, "a") as a, python(code, corpus, "b") as b:
        assert (a.wait(), b.wait()) == (0, 0)
    assert query(corpus, "SELECT count(*) FROM meta WHERE key IN ('a', 'b')") == [(30,)]


def test_only_the_gate_opens_a_corpus(repository: Path) -> None:
    """Others may open DuckDB in memory; a path handed to `connect` would be a second door."""
    source = repository / "src" / "xlt"
    opening = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"duckdb\.connect\((?!\)|config=)|ATTACH ", path.read_text(encoding="utf-8"))
    }
    assert opening == {"corpus/gate.py", "corpus/opening.py", "corpus/store.py"}, "store.py makes new files"


def test_memory_is_bounded_and_what_spills_is_removed(corpus: Path) -> None:
    spill = corpus.parent / ".xlt" / "spill"
    with gate.opened(corpus, memory="100MB") as con:
        con.execute("SET threads = 1")
        spilt = con.execute("SELECT r, md5(r::VARCHAR) AS h FROM range(3_000_000) t(r) ORDER BY h")
        assert spilt.fetchone() is not None
        assert any(spill.rglob("*.tmp")), "the query was meant not to fit"
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
    assert not spill.exists()


def test_extensions_are_never_fetched(tmp_path: Path) -> None:
    path = tmp_path / "corpus.duckdb"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE a (b)")
    with pytest.raises(XltError, match="is no DuckDB file") as said, gate.opened(path):
        pass
    # DuckDB would have tried to fetch a reader of SQLite, and said that it could not.
    assert "ownload" not in str(said.value.__context__)


def test_files_that_are_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "corpus.duckdb"
    for write in (False, True):
        with pytest.raises(XltError, match=r"There is no corpus .*; make one with xlt import FILE"):
            gate.opened(path, write=write).__enter__()
        assert not path.exists()
    with pytest.raises(XltError, match="is a folder; a corpus is a file"):
        gate.opened(tmp_path).__enter__()
    for content in (b"", b"hello", b"id,text\n1,a\n" * 5000):
        path.write_bytes(content)
        with pytest.raises(XltError, match=r"is no DuckDB file|is damaged"):
            gate.opened(path, write=True).__enter__()
        assert path.read_bytes() == content
    path.unlink()
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE tweets (id INTEGER)")
    with pytest.raises(XltError, match="is a DuckDB file but no corpus of xlt"):
        gate.opened(path).__enter__()
    assert not (tmp_path / ".xlt" / "spill").exists()


def test_a_corpus_cut_short_is_said_and_not_changed(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [hashlib.sha256(str(n).encode()).hexdigest() * 3 for n in range(20_000)])
    whole = corpus.read_bytes()
    for part in (0.001, 0.01, 0.3, 0.6, 0.9, 0.999):
        cut = whole[: int(len(whole) * part)]
        corpus.write_bytes(cut)
        for write in (False, True):
            with (
                pytest.raises(XltError, match=r"damaged|cut short") as said,
                gate.opened(corpus, write=write) as con,
            ):
                con.execute("SELECT max(text), count(DISTINCT text_key), max(id) FROM tweets").fetchall()
            assert "\n" not in str(said.value)
        assert corpus.read_bytes() == cut
    corpus.write_bytes(whole)
    assert query(corpus, COUNT) == [(20_000,)]


def test_a_newer_schema_is_refused_and_left_alone(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [str(schema.VERSION + 1)])
    before = corpus.read_bytes()
    for write in (False, True):
        with pytest.raises(XltError, match=rf"newer xlt \(schema {schema.VERSION + 1};.*update xlt"):
            gate.opened(corpus, write=write).__enter__()
    assert corpus.read_bytes() == before


@pytest.mark.parametrize("write", [False, True])
def test_an_older_schema_is_brought_up(corpus: Path, write: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", now + 2)
    steps = {now: "ALTER TABLE tweets ADD COLUMN mood VARCHAR", now + 1: "UPDATE tweets SET mood = 'fine'"}
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with gate.opened(corpus, write=write) as con:
        assert con.execute("SELECT DISTINCT mood FROM tweets").fetchall() == [("fine",)]
    assert query(corpus, "SELECT value FROM meta WHERE key = 'schema'") == [(str(now + 2),)]


def test_a_migration_that_fails_changes_nothing(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = schema.VERSION
    with monkeypatch.context() as newer:
        newer.setattr(schema, "VERSION", now + 2)
        newer.setattr(schema, "MIGRATIONS", {now: "ALTER TABLE tweets ADD COLUMN mood VARCHAR", now + 1: "SELECT nope"})
        with pytest.raises(duckdb.Error):
            gate.opened(corpus).__enter__()
    assert "mood" not in {row[0] for row in query(corpus, "DESCRIBE tweets")}


def test_programs_are_called_what_a_person_calls_them() -> None:
    command = [sys.executable, "-m", "xlt", "classify", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # For a moment after its start a process has no command line yet.
        deadline = time.monotonic() + 5
        while program_of(process.pid) != "xlt classify" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert program_of(process.pid) == "xlt classify"
    finally:
        process.kill()
        process.communicate()
    assert program_of(process.pid) is None


def test_a_corpus_written_anew_holds_no_trace_of_deleted_rows(tmp_path: Path) -> None:
    secret = "a secret that was told once and then deleted"
    corpus = make_corpus(tmp_path, ["one", secret, "two"])
    assert secret.encode() in corpus.read_bytes()
    with gate.opened(corpus, write=True) as con:
        con.execute("DELETE FROM tweets WHERE text LIKE '%secret%'")
    before = query(corpus, "SELECT * FROM tweets ORDER BY id::INT")
    gate.rewrite(corpus, "v1.0.0")
    assert secret.encode() not in corpus.read_bytes()
    assert query(corpus, "SELECT * FROM tweets ORDER BY id::INT") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [".xlt", "corpus.duckdb"]


def test_what_a_killed_writer_logged_is_written_anew_once(corpus: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from typing import Any
from xlt.corpus import gate
with gate.opened(Path(sys.argv[1]), write=True) as con:
    con.execute("INSERT INTO meta VALUES ('logged', 'yes')")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(corpus)], check=False)
    assert corpus.with_name("corpus.duckdb.wal").exists()
    gate.rewrite(corpus, "v1.0.0")
    assert query(corpus, "SELECT count(*) FROM meta WHERE key = 'logged'") == [(1,)]


def test_a_writer_keeps_the_corpus_from_being_written_anew(corpus: Path) -> None:
    with holder(corpus, "write") as process, pytest.raises(gate.CorpusLockedError, match=str(process.pid)):
        gate.rewrite(corpus, "v1.0.0", patience=0.2)
    with (
        gate.opened(corpus),
        pytest.raises(gate.CorpusLockedError, match="another job of this process"),
    ):
        gate.rewrite(corpus, "v1.0.0", patience=0.1)
    assert query(corpus, COUNT) == [(3,)]


def test_the_file_is_not_replaced_while_somebody_opens_it(corpus: Path) -> None:
    before = corpus.stat().st_ino
    rewriter = threading.Thread(target=gate.rewrite, args=(corpus, "v1.0.0"))
    with naming.kept(corpus):
        rewriter.start()
        rewriter.join(0.5)
        assert rewriter.is_alive()
        assert corpus.stat().st_ino == before
    rewriter.join()
    assert corpus.stat().st_ino != before


def test_nobody_opens_the_file_while_it_is_replaced(corpus: Path) -> None:
    code = """
import sys
from pathlib import Path
from typing import Any
from xlt.corpus import gate
print("ready", flush=True)
with gate.opened(Path(sys.argv[1]), write=True):
    pass
"""
    with ExitStack() as replaced:
        replaced.enter_context(naming.changed(corpus))
        with python(code, corpus) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            replaced.close()
            assert process.wait(10) == 0


@pytest.mark.slow
def test_writers_lose_nothing_while_the_corpus_is_written_anew(corpus: Path) -> None:
    write = """
import sys
from pathlib import Path
from typing import Any
from xlt.corpus import gate
print("ready", flush=True)
for turn in range(40):
    with gate.opened(Path(sys.argv[1]), write=True, patience=120) as con:
        con.execute("INSERT INTO meta VALUES (?, ?)", [sys.argv[2], str(turn)])
"""
    anew = """
import sys
from pathlib import Path
from typing import Any
from xlt.corpus import gate
print("ready", flush=True)
while True:
    gate.rewrite(Path(sys.argv[1]), "v1.0.0", patience=120)
"""
    before = corpus.stat().st_ino
    with python(anew, corpus) as x, python(anew, corpus) as y, python(write, corpus, "a") as a:
        with python(write, corpus, "b") as b:
            assert (a.wait(), b.wait()) == (0, 0)
        assert (x.poll(), y.poll()) == (None, None)
        x.kill()
        y.kill()
    assert corpus.stat().st_ino != before
    assert query(corpus, "SELECT count(*) FROM meta WHERE key IN ('a', 'b')") == [(80,)]


def test_jobs_on_a_leash_share_a_duckdb_but_hold_no_file(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To make one takes ten times as long as to attach the file; one that has spilled is not kept."""
    made = 0
    connect = duckdb.connect

    def counted(*args: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        nonlocal made
        made += 1
        return connect(*args, **options)

    monkeypatch.setattr(duckdb, "connect", counted)
    spill = corpus.parent / ".xlt" / "spill"
    with leash.Leash("100MB").hold():
        for _ in range(3):
            with gate.opened(corpus) as con:
                con.execute("CREATE TEMP TABLE mine AS SELECT * FROM tweets")
                assert con.execute(COUNT).fetchone() == (3,)
            assert not spill.exists()
            with holder(corpus, "write"):
                pass
        assert made == 1
        with gate.opened(corpus) as con:
            con.execute("SELECT r, md5(r::VARCHAR) AS h FROM range(3_000_000) t(r) ORDER BY h").fetchone()
            assert any(spill.rglob("*.tmp")), "the query was meant not to fit"
        assert not spill.exists()
        with gate.opened(corpus), gate.opened(corpus) as con:
            assert con.execute(COUNT).fetchone() == (3,)
        assert made == 2
    with gate.opened(corpus, write=True) as con:
        con.execute("INSERT INTO meta VALUES ('a', 'b')")
    gate.cool()
    assert query(corpus, "SELECT value FROM meta WHERE key = 'a'") == [("b",)]


def test_a_result_that_is_still_read_keeps_writers_of_this_process_out(corpus: Path) -> None:
    with leash.Leash().hold(), gate.opened(corpus) as con:
        reader = con.sql("SELECT r FROM range(1_000_000) t(r), (SELECT max(id) FROM tweets)").to_arrow_reader(1000)
        reader.read_next_batch()
    with (
        pytest.raises(gate.CorpusLockedError, match="in use by"),
        gate.opened(corpus, write=True, patience=0.1),
    ):
        pass
    reader.close()
    del reader
    with gate.opened(corpus, write=True, patience=0.1) as con:
        assert con.execute(COUNT).fetchone() == (3,)
    gate.cool()


@pytest.mark.parametrize(("memory", "threads"), [("128MB", 2), ("256MB", 4), ("1GB", 15), ("20GB", 16)])
def test_no_more_threads_than_the_memory_feeds(
    corpus: Path, memory: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 16 cores DuckDB would begin with 16, and run out of memory."""
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    with gate.opened(corpus, memory=memory) as con:
        assert con.execute("SELECT current_setting('threads')").fetchone() == (threads,)
