"""The model hash: moved by every file that counts, by nothing else, and large files are read once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from models import write_adapter, write_model
from xlt.cards import hashing
from xlt.cards.files import ModelFiles
from xlt.cards.hashing import model_hash
from xlt.errors import XltError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XLT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_every_file_that_counts_moves_the_hash(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", shards=2)
    adapter = write_adapter(tmp_path / "adapter", folder)
    files = ModelFiles("m", "hf", folder, adapter)
    seen = {model_hash(files), model_hash(ModelFiles("m", "hf", folder))}
    assert len(seen) == 2
    for path in (
        folder / "config.json",
        folder / "tokenizer.json",
        folder / "model-00001-of-00002.safetensors",
        folder / "model-00002-of-00002.safetensors",
        adapter / "adapter_config.json",
        adapter / "adapter_model.safetensors",
    ):
        flip(path)
        seen.add(model_hash(files))
    assert len(seen) == 8
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in seen)


def test_place_name_and_other_files_do_not(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    before = model_hash(ModelFiles("m", "hf", folder))
    (folder / "README.md").write_text("A readme.")
    shutil.move(folder, tmp_path / "elsewhere")
    assert model_hash(ModelFiles("other", "hf", tmp_path / "elsewhere")) == before


def test_swapped_shards_move_the_hash(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", shards=2)
    before = model_hash(ModelFiles("m", "hf", folder))
    one, two = folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors"
    one.rename(folder / "aside")
    two.rename(one)
    (folder / "aside").rename(two)
    assert model_hash(ModelFiles("m", "hf", folder)) != before


def test_large_files_are_remembered_and_forgotten_when_they_change(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_SMALL", 1 << 14)
    folder = write_model(tmp_path / "model")
    weights = folder / "model.safetensors"
    files = ModelFiles("m", "hf", folder)
    read: list[str] = []
    digest = hashing._digest

    def watched(path: Path) -> str:
        read.append(path.name)
        return digest(path)

    monkeypatch.setattr(hashing, "_digest", watched)
    first = model_hash(files)
    assert "model.safetensors" in read
    read.clear()
    assert model_hash(files) == first
    assert "model.safetensors" not in read
    # The same size and date as before, as a copy that keeps dates would have them.
    state = weights.stat()
    flip(weights)
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))
    changed = model_hash(files)
    assert changed != first
    assert "model.safetensors" in read
    # A file that is gone is forgotten.
    other = write_model(tmp_path / "other", seed=1)
    weights.unlink()
    model_hash(ModelFiles("o", "hf", other))
    remembered = json.loads((cache / "hashes.json").read_text())
    assert str((other / "model.safetensors").resolve()) in remembered
    assert str(weights) not in remembered
    # What is remembered wrongly is not believed, nor does it stop anything.
    (cache / "hashes.json").write_text('{"a": 1, "b": [2]} rubbish')
    model_hash(ModelFiles("o", "hf", other))


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_SMALL", 0)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XLT_CACHE", str(tmp_path / "file" / "below"))
    assert model_hash(ModelFiles("m", "hf", write_model(tmp_path / "model")))


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(XltError, match=r"gone\.gguf can't be read"):
        model_hash(ModelFiles("m", "gguf", tmp_path / "gone.gguf"))
