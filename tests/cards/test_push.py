"""Sending to a stand-in for the hub on this machine: the library's own requests, and what stays here."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hub import Hub
from models import write_model
from xlt.cards.pull import pull
from xlt.cards.push import files_to_send, push
from xlt.errors import UsageError, XltError


@pytest.fixture(autouse=True)
def without_xet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files go by Git LFS's protocol: Xet's server is more than a stand-in can be."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder made for others, and beside it what must stay here."""
    folder = write_model(tmp_path / "release", shards=2)
    (folder / "README.md").write_text("# A model\n")
    (folder / "SHA256SUMS").write_text("…\n")
    (folder / "gguf").mkdir()
    (folder / "gguf" / "small.gguf").write_bytes(b"GGUF")
    for name in (
        "training/examples.csv",
        "training/config.json",
        ".cache/x.json",
        "seen_texts.parquet",
        "run.py",
        "a.bin",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("private")
    return folder


GOES = {
    *("README.md", "SHA256SUMS", "config.json", "tokenizer.json", "tokenizer_config.json", "gguf/small.gguf"),
    *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"),
}


def test_files_arrive_whole_and_can_be_pulled(
    hub: Hub, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    address = push(files_to_send(release), "org/Sent", private=True)
    assert address.endswith("/org/Sent")
    assert hub.created[0]["visibility"] == "private"
    sent = hub.sent["org/Sent"]
    assert sent.keys() == GOES
    for name, content in sent.items():
        assert content == (release / name).read_bytes()
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    # Nobody wrote the token down.
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hf_good" not in path.read_bytes(), path
    served = tmp_path / "served"
    for name, content in sent.items():
        (served / name).parent.mkdir(parents=True, exist_ok=True)
        (served / name).write_bytes(content)
    hub.repos["org/Sent"] = served
    assert pull("org/Sent", backend="torch", workspace=tmp_path).files.format == "hf"


def test_again_is_no_error(hub: Hub, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    push(files_to_send(release), "org/Sent")
    (release / "README.md").write_text("# Better\n")
    push(files_to_send(release), "org/Sent")
    assert hub.sent["org/Sent"]["README.md"] == b"# Better\n"
    assert "visibility" not in hub.created[0] or hub.created[0]["visibility"] != "private"


def test_refusals_are_sentences_without_the_token(
    hub: Hub, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_to_send(release)

    def refused(repo: str = "org/Sent") -> str:
        with pytest.raises(XltError) as caught:
            push(files, repo)
        text = str(caught.value)
        assert "\n" not in text
        assert "hf_" not in text
        return text

    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "nothing without a token; log in with `hf auth login`" in refused()
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    assert "does not let you write to org/Sent (HTTP status 403)" in refused()
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    with pytest.raises(UsageError, match="can't be the name of a repository"):
        push(files, "nobody")
    hub.status = 418
    assert "refused org/Sent (HTTP status 418)" in refused()
    hub.status, hub.breaks = 0, "all"
    assert "HTTP status 400" in refused()
    assert not hub.sent["org/Sent"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert "can't be reached to send org/Sent" in refused()


def test_only_what_was_exported_is_sent(release: Path, tmp_path: Path) -> None:
    assert {each.name for each in files_to_send(release)} == GOES
    with pytest.raises(XltError, match="xlt models export NAME --to release"):
        files_to_send(write_model(tmp_path / "bare"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("x")
    with pytest.raises(XltError, match="holds no weights"):
        files_to_send(tmp_path / "empty")
