"""Model files that torch cannot or must not load: one sentence each, before anything is read into memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gguf_files import write_gguf
from models import write_adapter, write_model
from xlt.backends.torch import TorchBackend
from xlt.cards.files import Format, ModelFiles
from xlt.errors import XltError


def refusal(folder: Path, adapter: Path | None = None, format: Format = "hf", **options: Any) -> str:
    """The sentence that loading `folder` ends with."""
    with pytest.raises(XltError) as caught:
        TorchBackend().load(ModelFiles("tiny", format, folder, adapter), **{"device": "cpu", **options})
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_no_folder_no_config_no_weights(folder: Path, tmp_path: Path) -> None:
    assert "config.json" in refusal(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    assert "model.safetensors" in refusal(folder)
    (folder / "config.json").unlink()
    assert "config.json" in refusal(folder)


def test_a_damaged_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "lla')
    assert "config.json" in refusal(folder)


def test_a_half_downloaded_model_names_the_missing_shard(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", shards=3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    assert "model-00002-of-00003.safetensors" in refusal(folder)


@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_weights_cut_short(folder: Path, keep: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    assert "cut short" in refusal(folder)


def test_pickles_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert "pickle" in refusal(folder)


def test_an_encoder_is_refused(folder: Path) -> None:
    change_config(folder, architectures=["BertForMaskedLM"], model_type="bert")
    assert "BertForMaskedLM" in refusal(folder)


def test_an_architecture_that_transformers_does_not_know(folder: Path) -> None:
    change_config(folder, architectures=["NovelForCausalLM"], model_type="novel")
    assert "novel" in refusal(folder)


def test_code_in_the_folder_is_never_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (folder / "modeling_novel.py").write_text(f"open({str(trace)!r}, 'w')\n")
    change_config(
        folder, model_type="novel", architectures=["NovelForCausalLM"],
        auto_map={"AutoConfig": "modeling_novel.C", "AutoModelForCausalLM": "modeling_novel.M"},
    )  # fmt: skip
    refusal(folder)
    assert not trace.exists()


def test_weights_that_the_config_asks_for_but_are_missing(folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    assert "model.layers.1.mlp.up_proj.weight" in refusal(folder)


def test_weights_of_another_shape(folder: Path) -> None:
    change_config(folder, intermediate_size=128)
    assert "model.layers.0.mlp." in refusal(folder)


def test_mlx_quantised_weights_name_the_mlx_backend(folder: Path) -> None:
    change_config(folder, quantization={"group_size": 64, "bits": 4})
    assert "--backend mlx" in refusal(folder)
    assert "--backend mlx" in refusal(folder, format="mlx")


def test_other_quantisations_are_refused_by_name(folder: Path) -> None:
    change_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    assert "gptq" in refusal(folder)


def test_too_little_memory_gives_both_numbers(folder: Path) -> None:
    # A whole file by its header and its length, of which the disk holds next to nothing.
    size = 10**13
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    assert "10000.0 GB" in refusal(folder, precision="fp32")
    assert "5000.0 GB" in refusal(folder, precision="bf16")


def test_a_gguf_file_cut_short(folder: Path, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "model.gguf", folder)
    file.write_bytes(file.read_bytes()[:-1000])
    assert "cut short" in refusal(file, format="gguf")


def test_adapters_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", hidden_size=32)
    deeper = write_model(tmp_path / "deeper", num_hidden_layers=4)
    shallower = write_model(tmp_path / "shallower", num_hidden_layers=2)
    for number, base in enumerate((other, deeper)):
        adapter = write_adapter(tmp_path / f"adapter{number}", base)
        assert "another model" in refusal(folder, adapter)
        adapter = write_adapter(tmp_path / f"mlx{number}", base, layout="mlx")
        assert "another model" in refusal(folder, adapter)
    # PEFT would fill the third layer with an adapter that does nothing and say so in a warning only.
    assert "another model" in refusal(folder, write_adapter(tmp_path / "adapter9", shallower))


def test_broken_adapters(folder: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", folder, layout="mlx")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**settings, "fine_tune_type": "full"}))
    assert "LoRA only" in refusal(folder, adapter)
    save_file({"model.norm.weight": np.ones(64, np.float32)}, adapter / "adapters.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    assert "LoRA only" in refusal(folder, adapter)
    (adapter / "adapters.safetensors").write_bytes(b"short")
    assert "cut short" in refusal(folder, adapter)
    (adapter / "adapters.safetensors").unlink()
    assert "safetensors" in refusal(folder, adapter)


def test_importing_the_backend_imports_no_heavy_library() -> None:
    code = (
        "import sys; import xlt.backends.torch; "
        "print([m for m in ('torch', 'transformers', 'peft', 'bitsandbytes', 'gguf', 'mlx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_says_nothing(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from xlt.backends.torch import TorchBackend; "
        "from xlt.cards.files import ModelFiles; "
        "TorchBackend().load(ModelFiles('tiny', 'hf', Path(sys.argv[1])), device='cpu', precision='nf4')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
