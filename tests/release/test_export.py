"""A release folder: what others load from it, what its card says, and that nothing of the machine is in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models import write_adapter, write_model
from release.conftest import SIZES
from scoring import by_mlx_lm, by_transformers
from xlt.cards.card import Card, Score
from xlt.cards.push import files_to_send
from xlt.cards.read import FILE, write_card
from xlt.cards.registry import find
from xlt.errors import UsageError, XltError
from xlt.release.export import Export, export_release, public_base

SCORES = (
    Score("macro-F1", 0.612, "test.csv", 400, low=0.55, high=0.66),
    Score("accuracy", 0.7, "test.csv", 40, language="en"),
    Score("accuracy", 0.6, "test.csv", 20, language="it"),
    Score("accuracy", 0.5, "test.csv", 400, of="always unrelated"),
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a base and an adapter on it that names it by its path."""
    tmp_path = tmp_path_factory.mktemp("export")
    base = write_model(tmp_path / "models" / "my-base", **SIZES)
    (base / "LICENSE.txt").write_text("A licence.")
    adapter = write_adapter(tmp_path / "models" / "tuned", base)
    card = Card(
        "tuned",
        "Tuned on en, de",
        "About it.",
        "immigration",
        ("de", "en"),
        base=str(base),
        licence="Llama 3.2 Community License",
        made={"train_en": "neutral 7 | unrelated 8", "recipe": "tiny", "temperature": 1.7, "temperature_texts": 86},
        scores=SCORES,
    )
    write_card(adapter / FILE, card)
    (adapter / "training").mkdir()
    (adapter / "training" / "examples.csv").write_text("private")
    return tmp_path


@pytest.fixture(scope="module")
def release(workspace: Path) -> Path:
    """The release of `tuned` with every form."""
    said: list[str] = []
    order = Export("tuned", workspace / "out", ("mlx", "gguf", "nf4"), limit=12, workspace=workspace)
    export_release(order, said.append)
    assert sum("Comparing labels of 12 texts" in each for each in said) == 3
    return order.out


def test_every_form_loads_and_the_sums_hold(release: Path, workspace: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    whole = by_transformers(release)
    np.testing.assert_allclose(by_mlx_lm(release), whole, atol=2e-4)
    tuned = by_transformers(workspace / "models" / "my-base", release / "adapter")
    assert np.abs(tuned - whole).max() < 0.3
    assert by_mlx_lm(release / "mlx-4bit").shape == whole.shape
    (gguf,) = (release / "gguf").glob("*.gguf")
    assert gguf.name == "tuned-q4_0.gguf"
    config = AutoConfig.from_pretrained(release)
    assert AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, config=config)
    assert AutoModelForCausalLM.from_pretrained(release / "nf4").is_loaded_in_4bit
    import hashlib

    lines = (release / "SHA256SUMS").read_text().splitlines()
    listed = {line.split("  ")[1]: line.split("  ")[0] for line in lines}
    files = {path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()}
    assert listed.keys() == files - {"SHA256SUMS"}
    for name, digest in listed.items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest
    assert "LICENSE.txt" in files
    model = find(str(release), backend="torch", workspace=workspace)
    assert (model.card and model.card.task, model.files.format) == ("immigration", "hf")
    assert {each.name for each in files_to_send(release)} == files - {"LICENSE.txt"} | {"LICENSE.txt"}


def test_nothing_of_this_machine_is_in_it(release: Path, workspace: Path) -> None:
    for path in release.rglob("*"):
        assert "training" not in path.name
        if path.is_file():
            assert str(workspace).encode() not in path.read_bytes(), path
    settings = json.loads((release / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "my-base"


def test_the_hub_understands_the_card(release: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(release / "README.md", ignore_metadata_errors=False)
    data = card.data
    assert (data.language, data.license, data.pipeline_tag) == (["de", "en"], "llama3.2", "text-generation")
    assert "immigration" in (data.tags or [])
    assert data.base_model is None
    results = data.eval_results or []
    assert [(each.metric_type, each.metric_value, each.dataset_name) for each in results] == [("f1", 0.612, "test.csv")]
    assert results[0].metric_name == "macro-F1, n = 400, 95 % interval 0.550 to 0.660"
    text = card.text
    assert "| test.csv | Italian (unseen) | accuracy | 0.600 |  | 20 |" in text
    assert "| test.csv | English | accuracy | 0.700 |  | 40 |" in text
    assert "| test.csv | all | always unrelated: accuracy | 0.500 |" in text
    assert r"| train_en | neutral 7 \| unrelated 8 |" in text
    assert "Base model: my-base." in text
    assert "by 1.7 before the softmax, a temperature fitted on 86 held-out texts" in text
    assert "n = 12." in text
    assert "## Intended use and limits" in text


def test_what_others_call_a_base(workspace: Path) -> None:
    assert public_base("llama-3.2-3b", workspace) == "meta-llama/Llama-3.2-3B-Instruct"
    assert public_base("org/model", workspace) == "org/model"
    assert public_base("/home/someone/models/base", workspace) == "base"
    assert public_base("./base", workspace) == "base"
    assert public_base("xlt-mini-base", workspace) == "xlt-mini-base"
    assert public_base(None, workspace) is None


def test_a_form_that_cannot_be_made_is_left_out_unless_asked_for(tmp_path: Path, repository: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(repository / "models" / "xlt-mini", models / "mine")
    said: list[str] = []
    export_release(Export("mine", tmp_path / "out", limit=4, workspace=tmp_path), said.append)
    assert any("Left out: Model 'xlt-mini' can't become a GGUF file" in each for each in said)
    assert not (tmp_path / "out" / "gguf").exists()
    assert not (tmp_path / "out" / "adapter").exists()
    with pytest.raises(XltError, match="can't become a GGUF file"):
        export_release(Export("mine", tmp_path / "again", ("gguf",), limit=4, workspace=tmp_path), said.append)
    assert not (tmp_path / "again").exists()


def test_what_cannot_be_released_is_said(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str = "tuned", out: str = "refused") -> str:
        before = sorted(workspace.rglob("*"))
        with pytest.raises(XltError) as caught:
            export_release(Export(name, workspace / out, (), workspace=workspace), lambda _: None)
        assert sorted(workspace.rglob("*")) == before
        return str(caught.value)

    assert "is tuned for no task" in refused("my-base")
    assert "no model 'none'" in refused("none")
    with pytest.raises(UsageError, match="is there already"):
        export_release(Export("tuned", workspace / "models", (), workspace=workspace), lambda _: None)
    monkeypatch.setattr("xlt.disk.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    assert "free some space" in refused()
