"""Shards: whole or not there, and refused when a score is no number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from xlt.engine.score import softmax
from xlt.engine.shards import finished, shard_path, write_shard
from xlt.errors import XltError
from xlt.tasks.load import load_task

TASK = load_task("immigration")


def test_a_shard_holds_key_label_confidence_and_every_probability(tmp_path: Path) -> None:
    probabilities = softmax(np.array([[0.0, 3.0, 1.0, -1.0], [2.0, 2.0, 2.0, 5.0]], np.float32))
    write_shard(tmp_path, 7, TASK, [b"a" * 16, b"b" * 16], probabilities)
    rows = pq.read_table(shard_path(tmp_path, 7)).to_pylist()
    assert [row["predicted"] for row in rows] == ["anti-immigration", "unrelated"]
    assert rows[0]["confidence"] == rows[0]["p_anti_immigration"] == pytest.approx(0.8309, abs=1e-4)
    assert sum(rows[1][TASK.column(name)] for name in TASK.names) == pytest.approx(1)
    assert finished(tmp_path, 10) == [7]
    assert finished(tmp_path, 7) == []


def test_scores_that_are_no_numbers_stop_the_run(tmp_path: Path) -> None:
    broken = np.full((1, 4), np.nan, np.float32)
    with pytest.raises(XltError, match=r"scores that are no numbers.*--precision fp32"):
        write_shard(tmp_path, 0, TASK, [b"a" * 16], broken)
    assert finished(tmp_path, 1) == []


def test_softmax_of_large_logits_is_finite() -> None:
    found = softmax(np.array([[1e4, -1e4], [88.0, 89.0]], np.float32))
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[1, 0], [0.26894143, 0.7310586]]), rel=1e-6)


def test_a_disk_that_refuses_is_a_sentence_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    shard_path(tmp_path, 0).mkdir()  # Something that a rename can't replace.
    with pytest.raises(XltError, match="can't be written"):
        write_shard(tmp_path, 0, TASK, [b"a" * 16], np.full((1, 4), 0.25, np.float32))
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["000000.parquet"]
