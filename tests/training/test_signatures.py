"""What a model keeps of its texts: repeats are recognised, and nothing can be read."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from training.made import text
from xlt.errors import XltError
from xlt.training.signatures import FILE, keep_signatures, overlaps

LONG = "They opened the border this morning and hundreds of people walked over the bridge, singing and waving."


def test_repeats_of_train_and_dev_are_told_apart(tmp_path: Path) -> None:
    keep_signatures(tmp_path, [LONG, text(1), text(2)], [text(3), text(2)])
    asked = [f"RT @x: {LONG}", LONG.replace("waving.", "waving!!"), text(2), text(3), text(4), "", "🎉"]
    assert overlaps(tmp_path, asked) == ["train", "train", "train", "dev", "", "", ""]
    assert overlaps(tmp_path, []) == []


def test_no_text_is_kept_and_the_order_tells_nothing(tmp_path: Path) -> None:
    texts = [LONG, *(text(number) for number in range(20))]
    keep_signatures(tmp_path / "a", texts, [])
    keep_signatures(tmp_path / "b", texts[::-1], [])
    tables = [pq.read_table(tmp_path / name / FILE) for name in "ab"]
    assert tables[0].equals(tables[1])
    assert tables[0].column_names == ["key", "signature", "dev"]
    assert b"border" not in (tmp_path / "a" / FILE).read_bytes()


def test_texts_that_are_like_nothing_are_not_kept(tmp_path: Path) -> None:
    keep_signatures(tmp_path, ["🎉", "@user"], [])
    assert overlaps(tmp_path, ["🎉", "@user", "https://t.co/x"]) == ["", "", ""]


def test_missing_broken_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="keeps no signatures"):
        overlaps(tmp_path, ["x"])
    keep_signatures(tmp_path, [LONG], [])
    table = pq.read_table(tmp_path / FILE)
    pq.write_table(table.replace_schema_metadata({"xlt.signatures": "0"}), tmp_path / FILE)
    with pytest.raises(XltError, match="another version"):
        overlaps(tmp_path, ["x"])
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:100])
    with pytest.raises(XltError, match="can't be read"):
        overlaps(tmp_path, ["x"])
