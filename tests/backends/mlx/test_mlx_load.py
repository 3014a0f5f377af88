"""What a folder or a machine can have wrong is said in one sentence; what the backend says of itself is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file, save_file

from gguf_files import write_gguf
from models import write_adapter, write_model
from scoring import by_mlx_lm, by_transformers, load, quantised, score
from xlt.backends.mlx import BACKEND
from xlt.backends.mlx.config import completed
from xlt.cards.files import ModelFiles
from xlt.errors import UsageError, XltError


def change(folder: Path, **settings: Any) -> Path:
    """Replace entries of config.json; None removes one."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def huge(folder: Path) -> None:
    """A file that claims twice the memory of the machine, and is as long as it claims (but holds nothing)."""
    rows = 2 * psutil.virtual_memory().total // (4 * 64)
    place = {"dtype": "F32", "shape": [rows, 64], "data_offsets": [0, rows * 256]}
    header = json.dumps({"model.embed_tokens.weight": place}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + rows * 256)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), r"config\.json is missing; download or copy it again"),
    "broken config": (lambda f: (f / "config.json").write_text("{"), r"can't be read .*config\.json"),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "holds no JSON object"),
    "no kind": (lambda f: change(f, model_type=None), "names no model_type"),
    "encoder": (lambda f: change(f, architectures=["BertModel"]), "is a BertModel, which does not predict"),
    "classifier": (lambda f: change(f, architectures=["LlamaForSequenceClassification"]), "does not predict"),
    "unknown": (lambda f: change(f, model_type="tapir"), "mlx-lm does not know the architecture 'tapir'.*torch"),
    "own code": (lambda f: change(f, model_file="model.py"), "Python code of its own, which xlt never runs"),
    "cut short": (cut, r"model\.safetensors is cut short"),
    "no safetensors": (lambda f: (f / "model.safetensors").write_bytes(b"no"), "is cut short"),
    "pickle": (pickle, "has its weights as a pickle, which can run code"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    "a layer more": (lambda f: change(f, num_hidden_layers=4), "mlx-lm can't build model 'tiny'.*Missing 9 parameters"),
    "another width": (lambda f: change(f, hidden_size=32), "mlx-lm can't build model 'tiny'.*shape"),
    "bitsandbytes": (
        lambda f: change(f, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}),
        "quantised by 'bitsandbytes', which the MLX backend does not run",
    ),
    "too big": (huge, r"needs \d+\.\d GB of memory in fp32, and \d+\.\d GB are free here"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_is_a_sentence(case: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    spoil, said = BAD[case]
    spoil(folder)
    with pytest.raises(XltError, match=said) as caught:
        load("mlx", folder)
    assert "\n" not in str(caught.value)
    assert "'tiny'" in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(XltError, match=r"config\.json is missing"):
        load("mlx", tmp_path / "nowhere")


def test_shards_load_and_a_missing_one_is_named(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "whole")
    folder = write_model(tmp_path / "shards", shards=3)
    np.testing.assert_array_equal(score(load("mlx", folder)), score(load("mlx", whole)))
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(XltError, match=r"incomplete: .*model-00002-of-00003\.safetensors is missing"):
        load("mlx", folder)


def test_weights_twice_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", seed=1)
    write_model(folder, seed=2, shards=2)
    with pytest.raises(XltError, match=r"holds weights twice: model-00001-of-00002\.safetensors"):
        load("mlx", folder)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_rope_settings_in_the_new_spelling_only(family: Any, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", family=family)
    expected = score(load("mlx", folder))
    change(folder, rope_theta=None, rope_scaling=None)
    np.testing.assert_array_equal(score(load("mlx", folder)), expected)
    # Stock mlx-lm falls back to its default: what this guards against.
    assert np.abs(by_mlx_lm(folder) - expected).max() > 0.1


def test_a_head_that_the_config_does_not_mention_is_used(tmp_path: Path) -> None:
    folder = change(write_model(tmp_path / "model", tie_word_embeddings=False), tie_word_embeddings=None)
    np.testing.assert_allclose(score(load("mlx", folder)), by_transformers(folder), atol=1e-4, rtol=0)


def test_rope_settings_that_differ_by_layer_are_refused_where_they_can_not_be_said() -> None:
    rope = {"rope_type": "default", "rope_theta": 1e4}
    parameters = {"full_attention": {**rope, "rope_theta": 1e6}, "sliding_attention": rope}
    with pytest.raises(XltError, match="rope settings of their own; use --backend torch"):
        completed({"model_type": "qwen2", "rope_parameters": parameters}, [], "tiny")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_quantised_weights_run_on_the_cpu_in_fp32_only(precision: Any, tmp_path: Path, llama: Path) -> None:
    folder = quantised(llama, tmp_path / "quantised", bits=4)
    with pytest.raises(UsageError, match="use --precision fp32"):
        load("mlx", folder, precision=precision)
    loaded = load("mlx", folder, precision="auto").loaded
    assert loaded.precision == "fp32"
    assert loaded.parameters == load("mlx", llama).loaded.parameters
    assert loaded.weight_bytes < load("mlx", llama).loaded.weight_bytes / 4


def test_devices_and_precisions_that_are_not_there(llama: Path) -> None:
    files = ModelFiles("tiny", "hf", llama)
    with pytest.raises(UsageError, match="nf4 is the 4-bit format of the torch backend"):
        BACKEND.load(files, precision="nf4")
    with pytest.raises(UsageError, match="no precision 'int3'"):
        BACKEND.load(files, precision="int3")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="runs on metal or cpu, not on 'cuda:0'"):
        BACKEND.load(files, device="cuda:0")
    if not any(device.name == "metal" for device in BACKEND.availability().devices):
        with pytest.raises(UsageError, match="no Metal device here"):
            BACKEND.load(files, device="metal")


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "own head"])
def test_a_gguf_file_scores_as_its_folder(family: Any, tied: bool, tmp_path: Path) -> None:
    # llama.cpp scales the rope of Llamas only; its Qwen files say nothing of it.
    plain: dict[str, Any] = {} if family in ("llama", "mistral") else {"rope_scaling": None, "rope_parameters": None}
    folder = write_model(tmp_path / "model", family=family, tie_word_embeddings=tied, **plain)
    expected = score(load("mlx", folder))
    found = score(load("mlx", write_gguf(tmp_path / "model.gguf", folder)))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("stored", ["F16", "Q8_0", "Q4_0"])
def test_a_quantised_gguf_file_scores_as_its_dequantised_weights(stored: str, tmp_path: Path) -> None:
    import gguf

    folder = write_model(tmp_path / "model", intermediate_size=192)
    file = write_gguf(tmp_path / "model.gguf", folder, stored=stored)
    kind = gguf.GGMLQuantizationType[stored]
    weights = load_file(folder / "model.safetensors")
    rounded = {
        name: gguf.dequantize(gguf.quantize(array, kind), kind) if array.ndim == 2 else array
        for name, array in weights.items()
    }
    exact = score(load("mlx", folder))
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})
    found = score(load("mlx", file))
    np.testing.assert_allclose(found, score(load("mlx", folder)), atol=1e-4, rtol=0)
    assert np.abs(found - exact).max() > 1e-4


def test_bad_gguf_files_are_refused(tmp_path: Path, llama: Path) -> None:
    import gguf

    file = write_gguf(tmp_path / "model.gguf", llama)
    with pytest.raises(XltError, match=r"An adapter can't be put on .*GGUF"):
        load("mlx", file, write_adapter(tmp_path / "adapter", llama))
    file.write_bytes(file.read_bytes()[:-4000])
    with pytest.raises(XltError, match=r"model\.gguf is cut short"):
        load("mlx", file)
    writer = gguf.GGUFWriter(file, "rwkv7")
    writer.add_tensor("token_embd.weight", np.zeros((8, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(XltError, match="model 'tiny' is a rwkv7; use --backend torch"):
        load("mlx", file)


def test_what_is_there_is_said() -> None:
    state = BACKEND.availability()
    assert state.usable
    assert not state.reason
    assert set(state.versions) == {"mlx", "mlx-lm"}
    cpu = state.devices[-1]
    assert cpu.name == "cpu"
    assert 0 < cpu.free <= cpu.memory
    assert cpu.precisions[0] == "fp32"


def run(program: str) -> str:
    """Output of a program in a process of its own."""
    path = os.pathsep.join(each for each in sys.path if each)
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, "PYTHONPATH": path}, check=True)
    return done.stdout


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    program = (
        "import sys; from xlt.backends import get; get('mlx'); print({'mlx', 'mlx.core', 'mlx_lm'} & {*sys.modules})"
    )
    assert run(program).strip() == "set()"


def test_without_mlx_it_says_what_to_install(llama: Path) -> None:
    program = f"""
import sys
sys.modules["mlx_lm"] = sys.modules["mlx_lm.utils"] = None
from pathlib import Path
from xlt.backends import get
from xlt.cards.files import ModelFiles
from xlt.errors import XltError
state = get("mlx").availability()
print(state.usable, state.reason)
try:
    get("mlx").load(ModelFiles("tiny", "hf", Path({str(llama)!r})))
except XltError as error:
    print(error)
"""
    first, second = run(program).splitlines()
    assert first.startswith("False ")
    assert "pip install 'xlt[mlx]'" in first
    assert "pip install 'xlt[mlx]'" in second


def test_loading_is_offline_and_leaves_the_limit_on_open_files_alone(llama: Path) -> None:
    program = f"""
import os, resource
from pathlib import Path
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (1000, min(hard, 3000)))
before = resource.getrlimit(resource.RLIMIT_NOFILE)
from scoring import load
load("mlx", Path({str(llama)!r}))
print(resource.getrlimit(resource.RLIMIT_NOFILE) == before, os.environ["HF_HUB_OFFLINE"])
"""
    assert run(program).strip() == "True 1"
