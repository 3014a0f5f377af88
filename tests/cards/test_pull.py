"""Fetching from a stand-in for the hub on this machine: the library's own requests, real files, real refusals."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from hub import Hub
from models import write_model
from xlt.cards.card import Card
from xlt.cards.pull import ALLOW, IGNORE, pull
from xlt.cards.read import write_card
from xlt.cards.registry import find
from xlt.errors import UsageError, XltError


def on_hub(hub: Hub, tmp_path: Path, repo: str = "org/Tiny", **changes: Any) -> Path:
    """Put a tiny model of two shards on the stand-in, with files that must stay there."""
    folder = write_model(tmp_path / "served" / repo, shards=2, **changes)
    (folder / "README.md").write_text("A model.")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "original").mkdir()
    (folder / "original" / "params.json").write_text("{}")
    hub.repos[repo] = folder
    return folder


def test_a_hub_id_is_fetched_once_and_found_offline(hub: Hub, tmp_path: Path) -> None:
    folder = on_hub(hub, tmp_path)
    with pytest.raises(XltError, match="xlt models pull org/Tiny"):
        find("org/Tiny", backend="torch", workspace=tmp_path)
    seen: list[tuple[int, int]] = []
    model = pull(
        "org/Tiny", backend="torch", workspace=tmp_path, progress=lambda done, total: seen.append((done, total))
    )
    names = {path.name for path in model.files.weights.iterdir()}
    assert names == {path.name for path in folder.iterdir()} - {"pytorch_model.bin", "modeling.py", "original"}
    for name in names:
        assert (model.files.weights / name).read_bytes() == (folder / name).read_bytes()
    total = sum((folder / name).stat().st_size for name in names)
    assert {each for _, each in seen} == {total}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (total, total)
    assert len(seen) > 2
    asked = list(hub.asked)
    assert find("org/Tiny", backend="torch", workspace=tmp_path) == model
    assert hub.asked == asked, "finding a model must not go online"
    # The library's own check agrees that the snapshot is whole.
    from huggingface_hub import snapshot_download

    kept = snapshot_download(
        "org/Tiny",
        cache_dir=tmp_path / "hf" / "hub",
        local_files_only=True,
        allow_patterns=ALLOW,
        ignore_patterns=IGNORE,
    )
    assert Path(kept) == model.files.weights
    hub.asked.clear()
    seen.clear()
    again = pull("org/Tiny", backend="torch", workspace=tmp_path, progress=lambda done, all_: seen.append((done, all_)))
    assert again == model
    assert seen[-1] == (total, total)
    assert not [each for each in hub.asked if each.startswith("GET /org/Tiny/resolve")]


def test_a_card_fetches_the_backends_repository(hub: Hub, tmp_path: Path) -> None:
    on_hub(hub, tmp_path, "org/Tiny")
    on_hub(hub, tmp_path, "quant/Tiny-4bit", quantization={"group_size": 64, "bits": 4})
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    card = Card("tiny", "Tiny", "", hub={"torch": "org/Tiny", "mlx": "quant/Tiny-4bit"})
    write_card(tmp_path / "models" / "tiny" / "card.toml", card)
    model = pull("tiny", backend="mlx", workspace=tmp_path)
    assert (model.files.format, model.card) == ("mlx", card)
    assert not [each for each in hub.asked if "org/Tiny" in each]
    assert pull("tiny", backend="torch", workspace=tmp_path).files.format == "hf"


def test_offline_mode_is_lifted_for_the_pull_only(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub import constants

    on_hub(hub, tmp_path)
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        pull("org/Tiny", backend="torch", workspace=tmp_path)
        assert constants.HF_HUB_OFFLINE
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        with pytest.raises(XltError):
            pull("org/Absent", backend="torch", workspace=tmp_path)
        assert constants.HF_HUB_OFFLINE
    finally:
        constants.HF_HUB_OFFLINE = before


def test_a_gated_model_asks_for_its_licence(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_hub(hub, tmp_path)
    hub.gated.add("org/Tiny")
    with pytest.raises(XltError, match=r"accept it at https://huggingface\.co/org/Tiny, log in with `hf auth login`"):
        pull("org/Tiny", backend="torch", workspace=tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert pull("org/Tiny", backend="torch", workspace=tmp_path).files.format == "hf"


def test_a_model_that_does_not_exist(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(XltError, match="The hub has no model org/Nowhere, or it is private"):
        pull("org/Nowhere", backend="torch", workspace=tmp_path)
    for name in ("nowhere", "org/bad--name"):
        with pytest.raises(UsageError, match="There is no model"):
            pull(name, backend="torch", workspace=tmp_path)
    assert not [each for each in hub.asked if "bad--name" in each]


def test_a_model_that_is_here_already_is_no_hub_model(hub: Hub, tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "mine")
    with pytest.raises(UsageError, match="no hub model: its files are in"):
        pull("mine", backend="torch", workspace=tmp_path)
    assert hub.asked == []


def test_a_repository_of_pickles_is_refused_before_the_download(hub: Hub, tmp_path: Path) -> None:
    folder = on_hub(hub, tmp_path)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(XltError, match="holds no safetensors, and pickles are refused"):
        pull("org/Tiny", backend="torch", workspace=tmp_path)
    assert not [each for each in hub.asked if "resolve" in each]


def test_too_little_disk_is_said_before_the_download(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_hub(hub, tmp_path)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("xlt.cards.pull.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(XltError, match=r"takes 0\.0 GB and .* free some space"):
        pull("org/Tiny", backend="torch", workspace=tmp_path)
    assert not [each for each in hub.asked if "resolve" in each]


@pytest.mark.filterwarnings("ignore")
def test_no_network_is_one_sentence(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(XltError, match="hub can't be reached to fetch org/Tiny; check the network") as caught:
        pull("org/Tiny", backend="torch", workspace=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_hub_in_trouble_is_one_sentence(hub: Hub, tmp_path: Path) -> None:
    on_hub(hub, tmp_path)
    hub.status = 418
    with pytest.raises(XltError, match=r"\(HTTP status 418\); try again later"):
        pull("org/Tiny", backend="torch", workspace=tmp_path)


@pytest.mark.slow
def test_a_download_that_breaks_off_goes_on_later(hub: Hub, tmp_path: Path) -> None:
    on_hub(hub, tmp_path)
    hub.breaks = "model-00002-of-00002.safetensors"
    with pytest.raises(XltError, match="org/Tiny") as caught:
        pull("org/Tiny", backend="torch", workspace=tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(XltError, match=r"model-00002-of-00002\.safetensors is missing .*xlt models pull org/Tiny"):
        find("org/Tiny", backend="torch", workspace=tmp_path)
    hub.breaks = ""
    assert pull("org/Tiny", backend="torch", workspace=tmp_path).files.format == "hf"
