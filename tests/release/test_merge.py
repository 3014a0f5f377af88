"""Merging: the right numbers, rounded once, in a folder that others load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from models import write_adapter, write_model
from release.conftest import SIZES
from scoring import by_mlx_lm, by_transformers, load, score
from xlt.cards.check import weight_files
from xlt.cards.read import read_card
from xlt.cards.registry import find
from xlt.cards.temperature import temperature_of
from xlt.cards.tensors import stored, to_bf16
from xlt.errors import UsageError, XltError
from xlt.release.merge import merge, write_merged
from xlt.release.source import unquantised


def bits(folder: Path) -> dict[str, np.ndarray]:
    """All tensors of a folder in bfloat16, as its bits."""
    found = stored(weight_files(folder), "test")
    assert {tensor.entry.dtype for tensor in found.values()} == {"BF16"}
    return {name: tensor.raw().view("<u2").reshape(tensor.shape) for name, tensor in found.items()}


def nearest_bf16(numbers: np.ndarray) -> np.ndarray:
    """Rounded by torch, which is not what is tested."""
    import torch

    return torch.tensor(np.asarray(numbers, np.float32)).to(torch.bfloat16).view(torch.uint16).numpy()


def test_rounding_to_bfloat16_is_to_the_nearest_even() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 3.4e38, 1e-45, 1.00390625, 1.01171875], np.float32)
    for each in (numbers[~np.isnan(numbers)], special):
        np.testing.assert_array_equal(to_bf16(each), nearest_bf16(each))
    assert np.isnan((to_bf16(np.array([np.nan, -np.nan], np.float32)).astype(np.uint32) << 16).view(np.float32)).all()


@pytest.mark.parametrize("layout", ["peft", "mlx"])
def test_weights_are_the_sum_in_float32_rounded_once(layout: str, base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "models" / "tuned", base, layout=layout)  # type: ignore[arg-type]
    if layout == "mlx":
        (adapter / "card.toml").write_text(f'name = "tuned"\nbase = "{base}"\n')
    made = bits(merge("tuned", None, tmp_path))
    peft = write_adapter(tmp_path / "peft", base)
    with safe_open(peft / "adapter_model.safetensors", "np") as file:
        updates = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    changed = 0
    for name, tensor in stored(weight_files(base), "base").items():
        weight = tensor.floats().astype(np.float64)
        path = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{path}.lora_A.weight" in updates:
            weight += 2.0 * updates[f"{path}.lora_B.weight"].astype(np.float64) @ updates[f"{path}.lora_A.weight"]
            changed += 1
        # A sum in float32 may fall on the other side of a tie; nothing else may differ.
        off = made[name].astype(np.int64) - nearest_bf16(weight)
        assert np.abs(off).max() <= 1
        assert np.mean(off != 0) < 1e-3, name
    assert changed == 9


def test_the_folder_loads_elsewhere_with_the_same_scores(workspace: Path, base: Path) -> None:
    folder = merge("tuned", None, workspace)
    assert folder == workspace / "models" / "tuned-merged"
    elsewhere = by_transformers(folder)
    np.testing.assert_allclose(elsewhere, by_mlx_lm(folder), atol=2e-4)
    for backend in ("torch", "mlx"):
        np.testing.assert_allclose(score(load(backend, folder)), elsewhere, atol=2e-4)
    # Rounding to bfloat16 is all that lies between it and the adapter on its base.
    tuned = by_transformers(base, workspace / "models" / "tuned")
    assert 0 < np.abs(tuned - elsewhere).max() < 0.3
    assert np.abs(by_transformers(base) - elsewhere).max() > 1


def test_settings_and_card(workspace: Path, base: Path) -> None:
    folder = merge("tuned", "plain", workspace)
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 500000.0
    assert config["rope_scaling"]["rope_type"] == config["rope_parameters"]["rope_type"] == "llama3"
    assert config["dtype"] == "bfloat16"
    assert json.loads((folder / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    card = read_card(folder / "card.toml")
    assert (card.name, card.task, card.languages) == ("plain", "immigration", ("en", "de"))
    tuned = find("tuned", backend="torch", workspace=workspace)
    assert card.made["from_hash"] == tuned.hash
    assert card.made["base_hash"] == find(str(base), backend="torch", workspace=workspace).hash
    assert card.made["seed"] == 3
    assert temperature_of(card, "t") == 1.7
    assert "temperature_of" not in card.made, "it is as good for the merged weights"
    assert find("plain", backend="torch", workspace=workspace).files.format == "hf"


@pytest.mark.parametrize("written", ["parameters", "top"])
def test_either_spelling_of_the_rope_becomes_both(written: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", **SIZES)
    config = json.loads((folder / "config.json").read_text())
    kept = by_transformers(folder)
    for key in ["rope_theta", "rope_scaling"] if written == "parameters" else ["rope_parameters"]:
        del config[key]
    (folder / "config.json").write_text(json.dumps(config))
    adapter = write_adapter(tmp_path / "models" / "tuned", folder, scale=0.0)
    assert adapter.is_dir()
    made = merge("tuned", None, tmp_path)
    for scores in (by_transformers(made), by_mlx_lm(made)):
        np.testing.assert_allclose(scores, kept, atol=0.3)


def test_large_models_are_cut_into_shards(workspace: Path, tmp_path: Path) -> None:
    source = unquantised("tuned", workspace)
    one, several = tmp_path / "one", tmp_path / "several"
    for folder, shard in ((one, 1 << 40), (several, 200_000)):
        folder.mkdir()
        write_merged(source, folder, shard)
    assert len(list(several.glob("model-*.safetensors"))) > 2
    whole = bits(one)
    for name, tensor in bits(several).items():
        np.testing.assert_array_equal(tensor, whole[name])
    np.testing.assert_array_equal(by_transformers(one), by_transformers(several))
    np.testing.assert_array_equal(by_mlx_lm(one), by_mlx_lm(several))


def refused(name: str, workspace: Path, out: str | None = None) -> str:
    """The sentence with which merging is refused; nothing may be left behind."""
    before = sorted(workspace.rglob("*"))
    with pytest.raises(XltError) as caught:
        merge(name, out, workspace)
    assert sorted(workspace.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_merged_is_said(workspace: Path, base: Path, tmp_path: Path) -> None:
    assert "There is no model 'tunde'. Did you mean 'tuned'?" in refused("tunde", workspace)
    assert "has no adapter" in refused(str(base), workspace)
    assert "small letters" in refused("tuned", workspace, "Über")
    (workspace / "models" / "here").mkdir()
    assert "is there already; remove it" in refused("tuned", workspace, "here")
    shutil.copytree(workspace / "models" / "tuned", workspace / "models" / "lost")
    settings = workspace / "models" / "lost" / "adapter_config.json"
    settings.write_text(settings.read_text().replace(str(base), "/nowhere/base"))
    assert "needs its base model" in refused("lost", workspace)
    other = write_model(tmp_path / "other", hidden_size=64)
    write_adapter(workspace / "models" / "misfit", other)
    settings = workspace / "models" / "misfit" / "adapter_config.json"
    settings.write_text(settings.read_text().replace(str(other), str(base)))
    assert "does not fit its base" in refused("misfit", workspace)
    assert "DoRA" in refused(kind(workspace, "dora", use_dora=True), workspace)
    assert "pissa" in refused(kind(workspace, "pissa", init_lora_weights="pissa"), workspace)


def kind(workspace: Path, name: str, **changes: object) -> str:
    folder = shutil.copytree(workspace / "models" / "tuned", workspace / "models" / name)
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(settings | changes))
    return name


def test_a_quantised_base_is_refused(workspace: Path, tmp_path: Path) -> None:
    quantised = write_model(tmp_path / "mlx4", quantization={"group_size": 64, "bits": 4}, **SIZES)
    adapter = write_adapter(workspace / "models" / "on4", quantised)
    assert "quantised for MLX already" in refused("on4", workspace)
    shutil.rmtree(adapter)
    foreign = write_model(tmp_path / "gptq", quantization_config={"quant_method": "gptq"}, **SIZES)
    write_adapter(workspace / "models" / "on-gptq", foreign)
    assert "its base is quantised already (gptq" in refused("on-gptq", workspace)


def test_too_little_space_is_said_first(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xlt.disk.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    assert "free some space" in refused("tuned", workspace)


def test_a_disk_that_fills_leaves_nothing(workspace: Path) -> None:
    """A limit on the size of files is what a test can set; the system reports it as it does a full disk."""
    before = sorted(workspace.rglob("*"))
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from pathlib import Path; from xlt.release.merge import merge; from xlt.errors import XltError\n"
        f"try: merge('tuned', None, Path({str(workspace)!r}))\n"
        "except XltError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert "can't be written: the disk is full; free some space" in ended.stdout, ended
    assert sorted(workspace.rglob("*")) == before


def test_what_a_killed_merge_left_is_cleared_and_never_a_model(workspace: Path) -> None:
    from xlt.cards.listing import known

    left = workspace / "models" / ".tuned-merged.999999999.part"
    shutil.copytree(workspace / "models" / "tuned", left)
    assert not [entry for entry in known(workspace) if entry.name.startswith(".")]
    with pytest.raises(UsageError, match="There is no model"):
        find("tuned-merged", backend="torch", workspace=workspace)
    merge("tuned", None, workspace)
    assert not left.exists()
