"""Labels that a killed process had taken and not written."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from xlt.corpus.coding import Change, Coding
from xlt.corpus.journal import Journal

AT = datetime(2026, 3, 1, 12, 0, 0, 7)
GIVEN = Change(Coding("k1", "immigration", None, "ada", "d1", note="‏לא ברור‏\n“?”", blind=True), AT)
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
