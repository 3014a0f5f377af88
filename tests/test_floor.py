"""The lowest rooms: whole files, locks, languages, bundled files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from xlt.bundled import bundled
from xlt.disk import write_json, write_text, write_whole
from xlt.errors import XltError
from xlt.languages import canonical, name, spellings
from xlt.locks import hold


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"é": 1})
    assert path.read_text(encoding="utf-8") == '{\n  "é": 1\n}\n'

    def fail(aside: Path) -> None:
        aside.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail)
    assert path.read_text(encoding="utf-8").startswith("{")
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_a_sentence() -> None:
    with pytest.raises(XltError, match=r"can't be written: .*"):
        write_text(Path("/proc/xlt-cannot-write-here.txt"), "x")


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from xlt.locks import hold\n"
        "with hold(Path(sys.argv[1]), 'It'):\n    print('held', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "deep" / "x.lock"
    holder = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(XltError, match=rf"It is being written by another xlt \(process {holder.pid}\)"),
        hold(lock, "It"),
    ):
        pass
    holder.kill()
    holder.wait()
    with hold(lock, "It"):
        pass


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("in", "id"),
        ("iw", "he"),
        ("pt-BR", "pt"),
        ("zh_TW", "zh"),
        ("qme", "und"),
        ("", "und"),
        (" EN ", "en"),
    ],
)
def test_tags_become_codes(tag: str, code: str) -> None:
    assert canonical(tag) == code


def test_names_and_spellings() -> None:
    assert name("in") == "Indonesian"
    assert name("xx") == "xx"
    assert name("zxx") == "undetermined"
    assert spellings("id") == ("id", "in")


def test_bundled_files_are_found_in_the_repository() -> None:
    assert (bundled("models", "llama-3.2-3b", "card.toml")).is_file()
