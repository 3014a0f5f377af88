from __future__ import annotations

from pathlib import Path

from xlt.corpus import history
from xlt.corpus.history import entries, remember


def test_what_was_run_is_kept_in_order_with_what_came_of_it(tmp_path: Path) -> None:
    remember(tmp_path, "SELECT 'ü\n한 \u2028'", seconds=0.5, rows=3)
    remember(tmp_path, "SELEC", error="The SQL can't be read.")
    found = entries(tmp_path)
    assert [each.sql for each in found] == ["SELECT 'ü\n한 \u2028'", "SELEC"]
    assert (found[0].rows, found[0].seconds, found[1].error) == (3, 0.5, "The SQL can't be read.")


def test_said_again_it_stands_there_once(tmp_path: Path) -> None:
    for rows in (1, 2):
        remember(tmp_path, "SELECT 1", rows=rows)
    assert [each.rows for each in entries(tmp_path)] == [2]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(2 * history.KEPT + 1):
        remember(tmp_path, f"SELECT {number}")
    found = entries(tmp_path)
    assert len(found) == history.KEPT
    assert found[-1].sql == f"SELECT {2 * history.KEPT}"


def test_broken_lines_and_folders_that_can_t_be_written_are_no_matter(tmp_path: Path) -> None:
    assert entries(tmp_path) == []
    remember(tmp_path, "SELECT 1")
    with (tmp_path / ".xlt" / "history.jsonl").open("a") as file:
        file.write('{"sql": \n[]\n{"other": 1}\n')
    remember(tmp_path, "SELECT 2")
    assert [each.sql for each in entries(tmp_path)] == ["SELECT 1", "SELECT 2"]
    remember(tmp_path / "none", "SELECT 3")
