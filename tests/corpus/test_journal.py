"""Labels that a killed process had taken and not written: found, written by whoever reads labels, and forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from corpus.workspaces import holder, query
from filled import ANTI, PRO, Post, fill, key_of
from xlt.corpus import gate
from xlt.corpus.coding import Change, Coding, change, items
from xlt.corpus.drawing import Ask, make_draw
from xlt.corpus.forget import forget
from xlt.corpus.journal import Journal, catch_up
from xlt.tasks.load import load_task
from xlt.training.material import Source, read_material

AT = datetime(2026, 3, 1, 12, 0, 0, 7)
GIVEN = Change(Coding(str(key_of("k1")), "immigration", None, "ada", "d1", note="‏לא ברור‏\n“?”", blind=True), AT)
UNDONE = Change(GIVEN.coding, AT, taken_back=True)


def test_what_lives_is_left_alone_and_what_is_dead_is_found(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.duckdb"
    journal = Journal(corpus)
    journal.add(GIVEN)
    journal.add(UNDONE)
    assert list(journal.left()) == []
    own = next((tmp_path / ".xlt").iterdir())
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = own.with_name(f"corpus-labels-{process.pid}.jsonl")
    own.rename(dead)
    # A line that its process was killed in the middle of.
    with dead.open("a", encoding="utf-8") as file:
        file.write('{"coding": {"text_key"')
    assert list(Journal(corpus).left()) == [(dead, [GIVEN, UNDONE])]
    assert list(Journal(tmp_path / "other.duckdb").left()) == []
    journal.clear()


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".xlt").write_text("in the way", encoding="utf-8")
    Journal(tmp_path / "corpus.duckdb").add(GIVEN)


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from xlt.corpus.coding import Change, Coding
from xlt.corpus.journal import Journal

corpus, draw, task, *keys = sys.argv[1:]
for key in keys:
    coding = Coding(key, task, "pro-immigration", "ada", draw or None, note="a name in a note")
    Journal(Path(corpus)).add(Change(coding, datetime(2026, 3, 1)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def cut_short(corpus: Path, draw: str, keys: Sequence[str]) -> Path:
    """What a session leaves that took these labels and was killed before it wrote them."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(corpus), draw, "immigration", *keys])
    assert process.wait() == -9
    return corpus.parent / ".xlt" / f"{corpus.stem}-labels-{process.pid}.jsonl"


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, str, list[str]]:
    """A corpus, its draw, and the keys of what was drawn."""
    corpus = fill(tmp_path, [Post(str(at), f"text {at}", (PRO, ANTI)[at % 2], "en", "en") for at in range(8)])
    with gate.opened(corpus, write=True) as con:
        made = make_draw(con, Ask("immigration", "train", 6))
        return corpus, made.id, [each.text_key for each in items(con, made)]


def test_whoever_reads_labels_writes_what_was_left_first(drawn: tuple[Path, str, list[str]]) -> None:
    corpus, draw, keys = drawn
    left = cut_short(corpus, draw, keys)
    assert left.is_file()
    with holder(corpus, "read") as other:
        said = catch_up(corpus, patience=0.1)
        assert said is not None
        assert said.startswith("6 labels of a session that was cut short wait still: ")
        assert f"process {other.pid}" in said
    assert left.is_file()
    # Training reads them without being told of them.
    found = read_material(Source(workspace=corpus.parent), load_task("immigration"))
    assert found.notes[0] == "6 labels of a session that was cut short are in the corpus now."
    assert len(found.examples) == 6
    assert not left.exists()
    assert catch_up(corpus) is None


def test_a_label_that_was_taken_back_last_goes(drawn: tuple[Path, str, list[str]]) -> None:
    corpus, draw, keys = drawn
    given = Change(Coding(keys[0], "immigration", PRO, "ada", draw), AT)
    with gate.opened(corpus, write=True) as con:
        change(con, [given])
    Journal(corpus).add(replace(given, taken_back=True))
    own = corpus.parent / ".xlt" / f"corpus-labels-{os.getpid()}.jsonl"
    os.utime(own, (1e9, 1e9))
    with holder(corpus, "read"):
        assert str(catch_up(corpus, patience=0)).startswith("What was taken back of a session that was cut short waits")
    assert catch_up(corpus) is None
    assert query(corpus, "SELECT count(*) FROM gold") == [(0,)]
    assert not own.exists()


def test_what_is_forgotten_waits_nowhere(drawn: tuple[Path, str, list[str]]) -> None:
    corpus, draw, keys = drawn
    left = cut_short(corpus, draw, keys)
    key = str(key_of("text 3"))
    assert (key in keys) is (left.read_text(encoding="utf-8").count(key) == 1)
    gone = keys[0]
    (post,) = query(corpus, f"SELECT id FROM tweets WHERE text_key = '{gone}'")[0]
    found = forget(corpus.parent, corpus, [post])
    assert (found.tweets, found.gold) == (1, 1)
    assert not left.exists()
    assert query(corpus, "SELECT count(*) FROM gold") == [(5,)]
    assert not [path for path in corpus.parent.rglob("*") if path.is_file() and gone.encode() in path.read_bytes()]
    # A session that goes on has it still, and writes it later; another one was in no draw.
    for label in (Coding(gone, "immigration", PRO, "ada", draw), Coding(gone, "immigration", PRO, "ben")):
        with gate.opened(corpus, write=True) as con:
            change(con, [Change(label, AT)])
    assert query(corpus, "SELECT count(*) FROM gold") == [(5,)]


def test_a_process_that_has_the_same_id_by_chance_holds_no_label_back(
    drawn: tuple[Path, str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, draw, keys = drawn
    left = cut_short(corpus, draw, keys)
    own = left.with_name(f"corpus-labels-{os.getpid()}.jsonl")
    left.rename(own)
    assert catch_up(corpus) is None
    # Long before this process began.
    os.utime(own, (1e9, 1e9))
    assert str(catch_up(corpus)).startswith("6 labels")


def test_a_workspace_with_signs_of_patterns_in_its_name(tmp_path: Path) -> None:
    corpus = fill(tmp_path, [Post("1", "one", PRO, "en", "en")]).rename(tmp_path / "a[1].duckdb")
    cut_short(corpus, "", [str(key_of("one"))])
    assert str(catch_up(corpus)).startswith("1 label of")
