"""From a name to a checked model: where it is looked for, in which order, and what is said when it is not whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from gguf_files import write_gguf
from models import write_adapter, write_model
from xlt.cards.card import Card
from xlt.cards.hub import hub_cache, snapshot
from xlt.cards.listing import known
from xlt.cards.read import read_card, write_card
from xlt.cards.registry import DEFAULT, DEFAULT_NOTE, default_name, find
from xlt.cards.tokenizer import load_tokenizer
from xlt.errors import UsageError, XltError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, as the current folder; shipped models, hub cache and xlt's cache are the test's own too."""
    folder = tmp_path / "workspace"
    (folder / "models").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XLT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("xlt.cards.registry.bundled", lambda *parts: (tmp_path / "shipped").joinpath(*parts))
    return folder


@pytest.fixture
def shipped(tmp_path: Path, workspace: Path) -> Path:
    """The folder of shipped models: a card of a gated hub model, and a small model with weights."""
    folder = tmp_path / "shipped" / "models"
    card = Card("big", "Big", "", gated=True, hub={"torch": "org/Big", "mlx": "quant/Big-4bit"}, parameters=7)
    (folder / "big").mkdir(parents=True)
    write_card(folder / "big" / "card.toml", card)
    write_model(folder / DEFAULT)
    write_card(folder / DEFAULT / "card.toml", Card(DEFAULT, "Mini", "", task="immigration", languages=("en", "de")))
    return folder


def into_hub(repo: str, make: Callable[[Path], object]) -> Path:
    """Put what `make` writes into the hub's cache, as a download does: blobs, and links to them."""
    hub = hub_cache() / f"models--{repo.replace('/', '--')}"
    folder = hub / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (hub / "blobs").mkdir()
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text(COMMIT)
    make(folder)
    for path in sorted(folder.iterdir()):
        blob = hub / "blobs" / f"blob-{path.name}"
        path.rename(blob)
        path.symlink_to(Path("../../blobs") / blob.name)
    return folder


def quantised(folder: Path) -> Path:
    """A model folder that says it is quantised for MLX."""
    write_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization": {"group_size": 64, "bits": 4}}))
    return folder


# Where a name leads.


def test_a_folder_by_its_path(workspace: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "some" / "model", shards=2)
    model = find(str(folder), backend="torch", workspace=workspace)
    assert (model.files.format, model.files.weights, model.files.adapter) == ("hf", folder, None)
    assert (model.name, model.card) == (str(folder), None)
    assert len(model.hash) == 16
    again = find("../some/model", backend="mlx", workspace=workspace)
    assert again.hash == model.hash


def test_a_gguf_file_and_a_folder_around_one(workspace: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", write_model(tmp_path / "model"))
    model = find(str(path), backend="torch", workspace=workspace)
    assert (model.files.format, model.files.weights) == ("gguf", path)
    assert isinstance(load_tokenizer(model.files), Tokenizer)
    boxed = workspace / "models" / "boxed"
    boxed.mkdir()
    shutil.copy(path, boxed / "any-name.gguf")
    write_card(boxed / "card.toml", Card("boxed", "Boxed", "", task="sentiment"))
    found = find("boxed", backend="torch", workspace=workspace)
    assert (found.files.weights, found.hash) == (boxed / "any-name.gguf", model.hash)
    assert found.card is not None
    assert found.card.task == "sentiment"
    shutil.copy(path, workspace / "models" / "loose.gguf")
    for name in ("loose", "loose.gguf"):
        assert find(name, backend="torch", workspace=workspace).hash == model.hash


def test_the_workspace_comes_before_what_is_shipped(workspace: Path, shipped: Path) -> None:
    model = find(DEFAULT, backend="torch", workspace=workspace)
    assert model.files.weights == shipped / DEFAULT
    assert model.card is not None
    assert model.card.languages == ("en", "de")
    own = write_model(workspace / "models" / DEFAULT, seed=5)
    assert find(DEFAULT, backend="torch", workspace=workspace).files.weights == own
    near = write_model(workspace / DEFAULT, seed=6)
    found = find(DEFAULT, backend="torch", workspace=workspace)
    assert found.files.weights.resolve() == near


def test_a_folder_that_is_no_model_does_not_hide_one(workspace: Path, shipped: Path) -> None:
    (workspace / DEFAULT).mkdir()
    assert find(DEFAULT, backend="torch", workspace=workspace).files.weights == shipped / DEFAULT


def test_a_card_leads_to_the_backends_own_repository(workspace: Path, shipped: Path) -> None:
    whole = into_hub("org/Big", write_model)
    assert find("big", backend="torch", workspace=workspace).files.weights == whole
    assert find("big", backend="mlx", workspace=workspace).files.weights == whole
    small = into_hub("quant/Big-4bit", quantised)
    model = find("big", backend="mlx", workspace=workspace)
    assert (model.files.weights, model.files.format) == (small, "mlx")
    assert find("big", backend="torch", workspace=workspace).files.weights == whole
    assert model.card is not None
    assert model.card.name == "big"
    by_id = find("org/Big", backend="torch", workspace=workspace)
    assert (by_id.files.weights, by_id.card) == (whole, model.card)


def test_a_hub_id_in_the_cache(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = into_hub("org/Other.model", write_model)
    assert find("org/Other.model", backend="torch", workspace=workspace).files.weights == folder
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    assert snapshot("org/Other.model") == folder
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(XltError, match=r"xlt models pull org/Other\.model"):
        find("org/Other.model", backend="torch", workspace=workspace)


def test_the_cache_is_where_the_hubs_library_looks(workspace: Path, tmp_path: Path) -> None:
    from huggingface_hub import try_to_load_from_cache

    folder = into_hub("org/Real", write_model)
    theirs = try_to_load_from_cache("org/Real", "config.json", cache_dir=tmp_path / "hf" / "hub")
    assert isinstance(theirs, str)
    assert Path(theirs).parent == folder == snapshot("org/Real")


# Adapters.


@pytest.mark.parametrize("layout", ["peft", "mlx"])
def test_an_adapter_brings_its_base(layout: str, workspace: Path, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    adapter = write_adapter(workspace / "models" / "mine", base, layout="mlx" if layout == "mlx" else "peft")
    if layout == "mlx":
        with pytest.raises(XltError, match="does not name its base"):
            find("mine", backend="torch", workspace=workspace)
        config = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(json.dumps({**config, "model": str(base)}))
    model = find("mine", backend="torch", workspace=workspace)
    assert (model.files.weights, model.files.adapter, model.files.format) == (base, adapter, "hf")
    assert model.hash != find(str(base), backend="torch", workspace=workspace).hash


def test_the_base_may_be_named_by_the_card_or_lie_beside(workspace: Path, shipped: Path, tmp_path: Path) -> None:
    adapter = write_adapter(workspace / "models" / "mine", write_model(tmp_path / "base"))
    shutil.move(tmp_path / "base", adapter.parent / "base")
    with pytest.raises(XltError, match=r"Adapter 'mine' needs its base model: There is no model at .*base"):
        find("mine", backend="torch", workspace=workspace)
    config = json.loads((adapter / "adapter_config.json").read_text())
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**config, "base_model_name_or_path": "../base"}))
    found = find("mine", backend="torch", workspace=workspace)
    assert found.files.weights.resolve() == (adapter.parent / "base").resolve()
    # A card's base wins, and one from another machine does no harm.
    path.write_text(json.dumps({**config, "base_model_name_or_path": "/gone/from/here"}))
    write_card(adapter / "card.toml", Card("mine", "Mine", "", base=DEFAULT, languages=("it",)))
    model = find("mine", backend="torch", workspace=workspace)
    assert model.files.weights == shipped / DEFAULT
    assert model.card == read_card(adapter / "card.toml")


def test_an_adapter_on_a_hub_model(workspace: Path, shipped: Path, tmp_path: Path) -> None:
    adapter = write_adapter(workspace / "models" / "mine", write_model(tmp_path / "base"))
    config = json.loads((adapter / "adapter_config.json").read_text())
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**config, "base_model_name_or_path": "org/Big"}))
    with pytest.raises(XltError, match=r"needs its base model: .*xlt models pull org/Big.* licence"):
        find("mine", backend="torch", workspace=workspace)
    quick = into_hub("quant/Big-4bit", quantised)
    assert find("mine", backend="mlx", workspace=workspace).files.weights == quick
    with pytest.raises(XltError, match="xlt models pull org/Big"):
        find("mine", backend="torch", workspace=workspace)
    whole = into_hub("org/Big", write_model)
    for backend in ("torch", "mlx"):
        assert find("mine", backend=backend, workspace=workspace).files.weights == whole


def test_an_adapter_is_not_put_on_adapters_or_gguf(workspace: Path, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    first = write_adapter(tmp_path / "first", base)
    second = write_adapter(tmp_path / "second", base)
    config = json.loads((second / "adapter_config.json").read_text())

    def on(other: Path) -> None:
        (second / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(other)}))

    for other in (first, second):
        on(other)
        with pytest.raises(XltError, match="an adapter itself; merge that one first"):
            find(str(second), backend="torch", workspace=workspace)
    on(write_gguf(tmp_path / "base.gguf", base))
    with pytest.raises(XltError, match="a GGUF file"):
        find(str(second), backend="torch", workspace=workspace)


# What is not whole, or refused.


def cut(path: Path, by: int = 1) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def drop(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def rubbish(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


SHARD = "model-00002-of-00003.safetensors"
INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("file", "harm", "said"),
    [
        ("config.json", drop, "config.json is missing or empty"),
        ("config.json", empty, "config.json is missing or empty"),
        ("config.json", rubbish, "config.json is no valid JSON"),
        ("tokenizer.json", drop, "tokenizer.json, is missing or empty"),
        ("tokenizer.json", empty, "tokenizer.json, is missing or empty"),
        (SHARD, drop, f"{SHARD} is missing or empty"),
        (SHARD, empty, f"{SHARD} is missing or empty"),
        (SHARD, cut, f"{SHARD} is cut short, 1 bytes are missing"),
        (SHARD, lambda path: path.write_bytes(path.read_bytes()[:100]), f"{SHARD} is cut short within its header"),
        (SHARD, lambda path: path.write_bytes(path.read_bytes()[:5]), f"{SHARD} is cut short within its header"),
        (SHARD, rubbish, f"{SHARD} is cut short within its header"),
        (INDEX, rubbish, f"{INDEX} is no valid JSON"),
        (INDEX, lambda path: path.write_text("{}"), f"{INDEX} names no files"),
        (INDEX, lambda path: path.write_text('{"weight_map": {"a": "../b.safetensors"}}'), f"{INDEX} names no files"),
    ],
)
def test_a_damaged_folder_is_one_sentence(
    file: str, harm: Callable[[Path], object], said: str, workspace: Path, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "model", shards=3)
    find(str(folder), backend="torch", workspace=workspace)
    harm(folder / file)
    with pytest.raises(XltError) as caught:
        find(str(folder), backend="torch", workspace=workspace)
    assert said in str(caught.value)
    assert str(caught.value).endswith("copy or download it again.")
    assert "\n" not in str(caught.value)


def test_a_missing_shard_is_seen_without_an_index_too(workspace: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", shards=3)
    (folder / INDEX).unlink()
    find(str(folder), backend="torch", workspace=workspace)
    (folder / "model-00003-of-00003.safetensors").unlink()
    with pytest.raises(XltError, match=r"model-00003-of-00003\.safetensors is missing"):
        find(str(folder), backend="torch", workspace=workspace)


def test_half_a_download_names_the_file_and_the_command(workspace: Path, shipped: Path) -> None:
    folder = into_hub("org/Big", lambda place: write_model(place, shards=3))
    (folder / SHARD).unlink()
    blobs = folder.parents[1] / "blobs"
    (blobs / f"blob-{SHARD}").rename(blobs / "abc.incomplete")
    for name in ("big", "org/Big"):
        with pytest.raises(XltError, match=rf"{SHARD} is missing or empty; run `xlt models pull {name}` again"):
            find(name, backend="torch", workspace=workspace)
    # A link whose blob is gone is as missing as a file.
    (folder / SHARD).symlink_to("../../blobs/gone")
    with pytest.raises(XltError, match="is missing or empty"):
        find("big", backend="torch", workspace=workspace)
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(XltError, match=r"config\.json is missing or empty; run `xlt models pull big` again"):
        find("big", backend="torch", workspace=workspace)


def test_a_cut_gguf_is_refused(workspace: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", write_model(tmp_path / "model"), stored="Q8_0")
    find(str(path), backend="torch", workspace=workspace)
    cut(path, 2000)
    with pytest.raises(XltError, match=r"m\.gguf is cut short, \d+ bytes are missing"):
        find(str(path), backend="torch", workspace=workspace)
    path.write_bytes(b"")
    with pytest.raises(XltError, match="cut short or damaged"):
        find(str(path), backend="torch", workspace=workspace)


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "consolidated.00.pth", "model.pt"])
def test_pickles_are_refused(pickle: str, workspace: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / pickle).write_bytes(b"\x80\x04.")
    # Beside safetensors one is not looked at.
    find(str(folder), backend="torch", workspace=workspace)
    (folder / "model.safetensors").unlink()
    with pytest.raises(XltError, match=rf"only as a pickle \({pickle}"):
        find(str(folder), backend="torch", workspace=workspace)
    for name in (str(folder / pickle), pickle):
        shutil.copy(folder / pickle, workspace / pickle)
        with pytest.raises(XltError, match="is a pickle"):
            find(name, backend="torch", workspace=workspace)
    adapter = write_adapter(tmp_path / "adapter", folder)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(XltError, match=r"only as a pickle \(adapter_model\.bin"):
        find(str(adapter), backend="torch", workspace=workspace)


def test_a_models_own_code_is_refused(workspace: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", auto_map={"AutoModelForCausalLM": "modeling_own.OwnModel"})
    (folder / "modeling_own.py").write_text("raise SystemExit('this must never run')")
    # Llama is built in: the code is not needed, and not run.
    assert find(str(folder), backend="torch", workspace=workspace)
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"model_type": "llama"', '"model_type": "own_novel"'))
    with pytest.raises(XltError, match="Python code of its own"):
        find(str(folder), backend="torch", workspace=workspace)


def test_mlx_weights_are_for_mlx(workspace: Path, tmp_path: Path) -> None:
    folder = quantised(tmp_path / "model")
    assert find(str(folder), backend="mlx", workspace=workspace).files.format == "mlx"
    with pytest.raises(XltError, match="quantised for MLX"):
        find(str(folder), backend="torch", workspace=workspace)
    adapter = write_adapter(tmp_path / "adapter", folder)
    with pytest.raises(XltError, match="quantised for MLX"):
        find(str(adapter), backend="torch", workspace=workspace)


def test_a_damaged_card_is_refused_with_its_line(workspace: Path) -> None:
    folder = write_model(workspace / "models" / "mine")
    (folder / "card.toml").write_text('name = "mine"\nlanguage = "en"\n')
    with pytest.raises(XltError, match=r"card\.toml, line 2: .*'language'"):
        find("mine", backend="torch", workspace=workspace)


# What is not there.


def test_what_was_never_downloaded_names_the_command(workspace: Path, shipped: Path) -> None:
    licence = r"after accepting its licence at https://huggingface\.co/org/Big and logging in"
    with pytest.raises(XltError, match=rf"`xlt models pull big` {licence}"):
        find("big", backend="torch", workspace=workspace)
    with pytest.raises(XltError, match=r"`xlt models pull big`\."):
        find("big", backend="mlx", workspace=workspace)
    with pytest.raises(XltError, match=rf"`xlt models pull org/Big` {licence}"):
        find("org/Big", backend="torch", workspace=workspace)


def test_unknown_names_list_the_known_and_the_closest(workspace: Path, shipped: Path) -> None:
    write_model(workspace / "models" / "tuned-italian")
    with pytest.raises(UsageError, match=r"Did you mean 'tuned-italian'\? Known are tuned-italian, big, xlt-mini"):
        find("tuned_italian", backend="torch", workspace=workspace)
    with pytest.raises(UsageError) as caught:
        find("zzz", backend="torch", workspace=workspace)
    assert "Did you mean" not in str(caught.value)
    for name in ("./nowhere", "/no/where", "~/nowhere", "a/b/c", "gone.gguf"):
        with pytest.raises(UsageError, match="There is no model at"):
            find(name, backend="torch", workspace=workspace)
    for name in ("", " "):
        with pytest.raises(UsageError, match="empty"):
            find(name, backend="torch", workspace=workspace)
    (workspace / "org" / "empty").mkdir(parents=True)
    with pytest.raises(XltError, match=r"config\.json is missing"):
        find("org/empty", backend="torch", workspace=workspace)


def test_the_default_is_the_embedded_model(workspace: Path, shipped: Path) -> None:
    assert default_name(workspace, "torch") == default_name(workspace, "mlx") == DEFAULT == "xlt-mini"
    assert DEFAULT in DEFAULT_NOTE


# The list.


def test_the_list(workspace: Path, shipped: Path, tmp_path: Path) -> None:
    base = write_model(workspace / "models" / "merged")
    write_adapter(workspace / "models" / "mine", base)
    write_card(
        workspace / "models" / "mine" / "card.toml",
        Card("mine", "Mine", "", task="immigration", languages=("en",), base="merged"),
    )
    write_gguf(workspace / "models" / "packed.gguf", base)
    write_model(workspace / "models" / "broken")
    cut(workspace / "models" / "broken" / "model.safetensors")
    (workspace / "models" / "notes").mkdir()
    into_hub("org/Chat", write_model)
    into_hub("org/speech", lambda place: write_model(place, architectures=["WhisperForConditionalGeneration"]))
    entries = {entry.name: entry for entry in known(workspace)}
    assert {name: entry.where for name, entry in entries.items()} == {
        "broken": "workspace",
        "merged": "workspace",
        "mine": "workspace",
        "packed": "workspace",
        "big": "not downloaded",
        DEFAULT: "built in",
        "org/Chat": "hub cache",
    }
    assert (entries["mine"].task, entries["mine"].languages) == ("immigration", ("en",))
    assert (entries["big"].size, entries["big"].parameters) == (0, 7)
    assert entries["merged"].size == sum(path.stat().st_size for path in base.iterdir())
    assert entries["org/Chat"].size > 300_000
    assert "cut short" in entries["broken"].problem
    assert [name for name, entry in entries.items() if entry.problem] == ["broken"]
    folder = into_hub("org/Big", write_model)
    (big,) = (entry for entry in known(workspace) if entry.name == "big")
    assert (big.where, big.path, big.problem) == ("hub cache", folder, "")
    (folder / "model.safetensors").unlink()
    (big,) = (entry for entry in known(workspace) if entry.name == "big")
    assert "xlt models pull big" in big.problem
    into_hub("quant/Big-4bit", quantised)
    (big,) = (entry for entry in known(workspace) if entry.name == "big")
    assert big.problem == ""
    write_model(workspace / "models" / DEFAULT)
    assert [entry.where for entry in known(workspace) if entry.name == DEFAULT] == ["workspace"]


def test_nothing_anywhere_is_an_empty_list(tmp_path: Path, workspace: Path) -> None:
    assert known(tmp_path / "nowhere") == []


def test_this_room_imports_nothing_heavy(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", auto_map={"AutoModel": "x.Y"})
    code = (
        "import sys; from pathlib import Path;"
        "from xlt.cards.registry import find; from xlt.cards.listing import known;"
        f"find({str(folder)!r}, backend='torch', workspace=Path('.')); known(Path('.'));"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('torch', 'mlx', 'textual', 'transformers', 'duckdb', 'huggingface_hub', 'numpy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
