"""The adapter folder: what is in it, what its base is called, and that it is whole or not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from adapters import random_adapter
from models import write_model
from xlt.cards.adapter import adapter_config, base_reference, write_adapter
from xlt.cards.lora import read_lora
from xlt.cards.registry import find, locate


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("adapter") / "base")


def test_it_reads_back_as_it_was_written(base: Path, tmp_path: Path) -> None:
    made = random_adapter(base)
    write_adapter(tmp_path / "a", made, alpha=8.0, dropout=0.0, base=str(base))
    found = read_lora(tmp_path / "a", "a").updates
    assert found.keys() == made.keys()
    for path, pair in made.items():
        assert found[path].scale == 2.0
        np.testing.assert_array_equal(found[path].pair.down, pair.down)
        np.testing.assert_array_equal(found[path].pair.up, pair.up)
    native = load_file(tmp_path / "a" / "adapters.safetensors")
    np.testing.assert_array_equal(native["model.layers.0.self_attn.q_proj.lora_b"], made[next(iter(made))].up.T)


def test_one_config_says_the_same_to_both(base: Path) -> None:
    config = adapter_config(random_adapter(base, ("q_proj", "down_proj"), 2), alpha=2.0, dropout=0.1, base="b")
    assert config["lora_alpha"] == config["lora_parameters"]["scale"] * config["r"]
    assert config["target_modules"] == ["down_proj", "q_proj"]
    assert config["lora_parameters"]["keys"] == ["mlp.down_proj", "self_attn.q_proj"]
    assert (config["layers_to_transform"], config["layers_pattern"], config["num_layers"]) == ([1, 2], ["layers"], 2)
    every = adapter_config(random_adapter(base), alpha=2.0, dropout=0.1, base="b")
    assert every["num_layers"] == 3
    assert "layers_to_transform" not in every


def test_updates_of_two_ranks_are_refused(base: Path) -> None:
    mixed = {**random_adapter(base, ("q_proj",)), **random_adapter(base, ("v_proj",), rank=2)}
    with pytest.raises(ValueError, match="one rank"):
        adapter_config(mixed, alpha=1.0, dropout=0.0, base="b")


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("xlt-mini-base", "xlt-mini-base"),
        ("own", "own"),
        ("llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct"),
        ("someone/tiny", "someone/tiny"),
    ],
)
def test_the_base_is_named_so_that_it_is_found_again(
    name: str, reference: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    hub = tmp_path / "hub" / f"models--{reference.replace('/', '--')}"
    if "/" in reference:
        shutil.copytree(base, hub / "snapshots" / "abc")
        (hub / "refs").mkdir()
        (hub / "refs" / "main").write_text("abc")
    shutil.copytree(base, tmp_path / "models" / "own")
    place = locate(name, "torch", tmp_path)
    assert base_reference(name, place) == reference
    made = random_adapter(place.path if (place.path / "model.safetensors").exists() else base)
    write_adapter(tmp_path / "models" / "tuned", made, alpha=1.0, dropout=0.0, base=reference)
    assert find("tuned", backend="torch", workspace=tmp_path).files.weights.resolve() == place.path.resolve()


def test_a_folder_as_base_is_named_by_its_whole_path(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    reference = base_reference("./base", locate("./base", "torch", tmp_path))
    assert reference == str(base.resolve())
    write_adapter(tmp_path / "tuned", random_adapter(base), alpha=1.0, dropout=0.0, base=reference)
    monkeypatch.chdir(tmp_path)
    assert find("./tuned", backend="torch", workspace=tmp_path).files.weights == base.resolve()


_FILL = """
import resource, signal, sys
from pathlib import Path
from adapters import random_adapter
from xlt.cards.adapter import write_adapter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
base, made = map(Path, sys.argv[1:])
adapter = random_adapter(base)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
write_adapter(made, adapter, alpha=1.0, dropout=0.0, base="b")
"""


def test_a_full_disk_leaves_no_adapter(base: Path, tmp_path: Path) -> None:
    made = tmp_path / "a"
    made.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", _FILL, str(base), str(made)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "can't be written: the disk is full" in ended.stderr
    assert list(made.iterdir()) == []
