"""Adapters in both formats change the scores as stock PEFT and stock mlx-lm do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models import Layout, write_adapter, write_model
from scoring import by_mlx_lm, by_transformers, load, quantised, score
from xlt.errors import XltError


@pytest.fixture
def peft(tmp_path: Path, llama: Path) -> Path:
    """An adapter in PEFT's format."""
    return write_adapter(tmp_path / "peft", llama)


def change(folder: Path, **settings: Any) -> Path:
    """Replace entries of an adapter's settings."""
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return folder


@pytest.mark.parametrize("layout", ["peft", "mlx"])
def test_both_formats_score_as_peft_and_as_mlx_lm(layout: Layout, tmp_path: Path, llama: Path, peft: Path) -> None:
    native = write_adapter(tmp_path / "mlx", llama, layout="mlx")
    found = score(load("mlx", llama, peft if layout == "peft" else native))
    np.testing.assert_allclose(found, by_transformers(llama, peft), atol=1e-4, rtol=0)
    np.testing.assert_allclose(found, by_mlx_lm(llama, native), atol=1e-4, rtol=0)
    assert np.abs(found - score(load("mlx", llama))).max() > 0.1


def test_a_folder_with_both_files_scores_as_either(tmp_path: Path, llama: Path, peft: Path) -> None:
    expected = score(load("mlx", llama, peft))
    native = write_adapter(tmp_path / "mlx", llama, layout="mlx")
    both = json.loads((native / "adapter_config.json").read_text())
    shutil.copy(native / "adapters.safetensors", peft)
    np.testing.assert_allclose(score(load("mlx", llama, change(peft, **both))), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"lora_alpha": 3},
        {"alpha_pattern": {"q_proj": 12, r"layers\.1\.mlp\.down_proj": 1}},
        {"r": 64, "rank_pattern": {"q_proj": 4, "v_proj": 4, "down_proj": 4}},
    ],
    ids=["rslora", "alpha", "alpha by module", "rank by module"],
)
def test_the_scale_is_peft_s(settings: dict[str, Any], llama: Path, peft: Path) -> None:
    plain = score(load("mlx", llama, peft))
    changed = score(load("mlx", llama, change(peft, **settings)))
    np.testing.assert_allclose(changed, by_transformers(llama, peft), atol=1e-4, rtol=0)
    if "r" not in settings:
        assert np.abs(changed - plain).max() > 0.05


@pytest.mark.parametrize("layout", ["peft", "mlx"])
def test_beside_quantised_weights_the_adapter_stays_unquantised(layout: Layout, tmp_path: Path, llama: Path) -> None:
    base = quantised(llama, tmp_path / "quantised", bits=4)
    native = write_adapter(tmp_path / "native", llama, layout="mlx")
    given = write_adapter(tmp_path / "given", llama, layout=layout)
    found = score(load("mlx", base, given))
    np.testing.assert_allclose(found, by_mlx_lm(base, native), atol=1e-4, rtol=0)
    assert np.abs(found - score(load("mlx", base))).max() > 0.1


@pytest.mark.parametrize("bits", [0, 4], ids=["unquantised", "4 bits"])
def test_an_adapter_of_the_head_and_whole_modules(bits: int, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=False)
    adapter = write_adapter(tmp_path / "adapter", base)
    file = adapter / "adapter_model.safetensors"
    rng = np.random.default_rng(3)
    head = {
        "base_model.model.lm_head.lora_A.weight": rng.standard_normal((4, 64)).astype(np.float32) / 8,
        "base_model.model.lm_head.lora_B.weight": rng.standard_normal((512, 4)).astype(np.float32) / 2,
    }
    norm = {"base_model.model.model.norm.weight": 1 + rng.standard_normal(64).astype(np.float32) / 4}
    save_file({**load_file(file), **head, **norm}, file)
    change(adapter, target_modules=["q_proj", "v_proj", "down_proj", "lm_head"], modules_to_save=["model.norm"])
    if bits:
        run = quantised(base, tmp_path / "quantised", bits)
        plain = dequantised(run, base, tmp_path / "dequantised")
    else:
        run = plain = base
    found = score(load("mlx", run, adapter))
    np.testing.assert_allclose(found, by_transformers(plain, adapter), atol=1e-4, rtol=0)


def test_full_fine_tuning_of_mlx_lm(tmp_path: Path, llama: Path) -> None:
    other = write_model(tmp_path / "other", seed=9)
    adapter = tmp_path / "full"
    adapter.mkdir()
    shutil.copy(other / "model.safetensors", adapter / "adapters.safetensors")
    (adapter / "adapter_config.json").write_text('{"fine_tune_type": "full", "num_layers": 3, "lora_parameters": {}}')
    np.testing.assert_allclose(score(load("mlx", llama, adapter)), score(load("mlx", other)), atol=1e-5, rtol=0)


def test_merging_rounds_once(tmp_path: Path, llama: Path, peft: Path) -> None:
    """In bf16 the merged weights are those of a float32 merge, rounded."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), str(peft)).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    found = score(load("mlx", llama, peft, "bf16"))
    np.testing.assert_allclose(found, score(load("mlx", tmp_path / "merged", None, "bf16")), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"use_dora": True}, "is of the kind 'DoRA'.*merge it into its base first, or use --backend torch"),
        ({"peft_type": "IA3"}, "is of the kind 'IA3'"),
        ({"init_lora_weights": "pissa_niter_4"}, "changed the base's own weights"),
    ],
)
def test_other_kinds_are_refused(settings: dict[str, Any], said: str, llama: Path, peft: Path) -> None:
    with pytest.raises(XltError, match=said):
        load("mlx", llama, change(peft, **settings))


def test_dora_of_mlx_lm_is_refused(tmp_path: Path, llama: Path) -> None:
    adapter = change(write_adapter(tmp_path / "a", llama, layout="mlx"), fine_tune_type="dora")
    with pytest.raises(XltError, match="is of the kind 'dora'"):
        load("mlx", llama, adapter)


def test_a_tensor_that_is_not_understood_is_refused(llama: Path, peft: Path) -> None:
    file = peft / "adapter_model.safetensors"
    bias = {"base_model.model.model.layers.0.self_attn.q_proj.bias": np.zeros(64, np.float32)}
    save_file({**load_file(file), **bias}, file)
    with pytest.raises(XltError, match=r"holds model\.layers\.0\.self_attn\.q_proj\.bias, which the MLX backend"):
        load("mlx", llama, peft)


def test_an_adapter_of_another_base_is_refused(tmp_path: Path, llama: Path) -> None:
    wider = write_adapter(tmp_path / "wide", write_model(tmp_path / "wider", hidden_size=96))
    deeper = write_adapter(tmp_path / "deep", write_model(tmp_path / "deeper", num_hidden_layers=4))
    for adapter in (wider, deeper):
        with pytest.raises(XltError, match=r"does not fit model 'tiny' .*trained on another base"):
            load("mlx", llama, adapter)


def test_damaged_adapters_are_refused(llama: Path, peft: Path) -> None:
    file = peft / "adapter_model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(XltError, match=r"cut short|damaged"):
        load("mlx", llama, peft)
    file.unlink()
    with pytest.raises(XltError, match=r"adapter_model\.safetensors, are missing"):
        load("mlx", llama, peft)
    (peft / "adapter_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(XltError, match=r"only as a pickle .*which can run code"):
        load("mlx", llama, peft)
    (peft / "adapter_config.json").unlink()
    with pytest.raises(XltError, match=r"adapter_config\.json is missing"):
        load("mlx", llama, peft)


def test_an_empty_adapter_is_refused(llama: Path, peft: Path) -> None:
    save_file({}, peft / "adapter_model.safetensors")
    with pytest.raises(XltError, match="is empty"):
        load("mlx", llama, peft)


def dequantised(folder: Path, base: Path, made: Path) -> Path:
    """The quantised weights as plain float32 ones, in a folder for transformers."""
    import mlx.core as mx

    tensors: Any = mx.load(str(folder / "model.safetensors"))
    plain = {}
    for name, tensor in tensors.items():
        stem = name.removesuffix(".weight")
        if f"{stem}.scales" in tensors and name.endswith(".weight"):
            scales, biases = tensors[f"{stem}.scales"], tensors[f"{stem}.biases"]
            tensor = mx.dequantize(tensor, scales, biases, group_size=32, bits=4)
        if not name.endswith((".scales", ".biases")):
            plain[name] = np.array(tensor.astype(mx.float32))
    shutil.copytree(base, made)
    save_file(plain, made / "model.safetensors", metadata={"format": "pt"})
    return made
