"""Quantised models: what others read from them, what is said of them, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from models import SENTENCES, write_adapter, write_model
from release.conftest import SIZES
from scoring import PROMPT, TEXTS, by_mlx_lm, by_transformers, load, score
from xlt.backends.base import BackendName
from xlt.cards.check import weight_files
from xlt.cards.files import ModelFiles
from xlt.cards.read import read_card
from xlt.cards.registry import find
from xlt.cards.tensors import stored
from xlt.cards.tokenizer import load_tokenizer
from xlt.errors import UsageError, XltError
from xlt.release.compare import compared
from xlt.release.gguf import write_gguf
from xlt.release.merge import merge
from xlt.release.quantise import Order, Quantised, check_kind, quantise
from xlt.tasks.load import load_task
from xlt.training.examples import Example

TASK = load_task("immigration")
BACKENDS: tuple[BackendName, ...] = ("torch", "mlx")


@pytest.fixture(scope="module")
def plain(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model in one file."""
    workspace = tmp_path_factory.mktemp("plain")
    write_adapter(workspace / "models" / "tuned", base)
    return merge("tuned", None, workspace)


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """Labelled texts in two languages."""
    path = tmp_path / "dev.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "lang"])
        for number, sentence in enumerate(SENTENCES * 3):
            rows.writerow([f"{sentence} {number}", TASK.names[number % 4], "en" if number % 3 else "de"])
    return path


def replaced(folder: Path, out: Path, change: Callable[[str, Any], Any]) -> Path:
    """A copy of a model folder in float32, its matrices changed."""
    out.mkdir()
    weights = {name: tensor.floats() for name, tensor in stored(weight_files(folder), "test").items()}
    made = {name: np.array(change(name, w) if w.ndim == 2 else w, np.float32) for name, w in weights.items()}
    save_file(made, out / "model.safetensors", metadata={"format": "pt"})
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(folder / name, out / name)
    return out


def gguf_by_transformers(path: Path, config_of: Path) -> np.ndarray:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(config_of)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, config=config, dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        rows = [model(torch.tensor([[*PROMPT.prefix, *text]])).logits[0, -1].numpy() for text in TEXTS]
    return np.stack(rows)[:, PROMPT.labels]


def test_gguf_is_the_weights_it_was_made_from_quantised(plain: Path, tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "made.gguf"
    write_gguf(plain, path, "made", 4)

    def there_and_back(name: str, weight: Any) -> Any:
        four = "embed_tokens" not in name
        kind = gguf.GGMLQuantizationType.Q4_0 if four else gguf.GGMLQuantizationType.Q8_0
        return gguf.dequantize(gguf.quantize(weight, kind), kind)

    expected = by_transformers(replaced(plain, tmp_path / "dequantised", there_and_back))
    assert np.abs(expected - by_transformers(plain)).max() > 0.01
    np.testing.assert_allclose(gguf_by_transformers(path, plain), expected, atol=1e-3)
    for backend in BACKENDS:
        np.testing.assert_allclose(score(load(backend, path)), expected, atol=1e-3)
    assert path.stat().st_size < (plain / "model.safetensors").stat().st_size * 0.5


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        (
            "llama",
            {"tie_word_embeddings": False, "rope_scaling": None, "rope_parameters": None},
        ),
        ("mistral", {}),
        ("qwen2", {}),
        ("qwen3", {"vocab_size": 520, "head_dim": 128}),
        ("llama", {"intermediate_size": 80}),
    ],
    ids=["untied, no scaling", "mistral", "qwen2", "qwen3, padded", "rows of no whole blocks"],
)
def test_gguf_of_other_shapes(family: Any, changes: dict[str, Any], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "hf", family=family, **{**SIZES, **changes})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    if family.startswith("qwen"):
        as_qwen(folder)
    path = tmp_path / "made.gguf"
    write_gguf(folder, path, "made", 8)
    # 8 bits move a score a little; a matrix in the wrong order or place moves it wholly.
    kept = by_transformers(folder)
    assert np.abs(kept).max() > 2
    for backend in BACKENDS:
        np.testing.assert_allclose(score(load(backend, path)), kept, atol=0.25)


def as_qwen(folder: Path) -> None:
    """Give a folder's tokenizer Qwen's way of cutting texts."""
    from tokenizers import Tokenizer

    from xlt.cards import gguf

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    spec = json.loads(tokenizer.to_str())
    spec["model"]["ignore_merges"] = False
    spec["normalizer"] = {"type": "NFC"}
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.pre_tokenizer = gguf._pre_tokenizer("qwen2")
    tokenizer.save(str(folder / "tokenizer.json"))


def test_gguf_gives_the_same_token_ids(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "made.gguf"
    write_gguf(plain, path, "made")
    own = load_tokenizer(ModelFiles("made", "hf", plain))
    again = load_tokenizer(ModelFiles("made", "gguf", path))
    texts = [*SENTENCES, "They'll SAY it's 12345 <|eot_id|>\n\n 😀 e\u0301", "  two  spaces\t"]
    for text in texts:
        assert again.encode(text).ids == own.encode(text).ids
        again.encode_special_tokens = own.encode_special_tokens = True
        assert again.encode(text).ids == own.encode(text).ids
        again.encode_special_tokens = own.encode_special_tokens = False
    assert again.get_vocab_size() == own.get_vocab_size()
    from transformers import AutoTokenizer

    stock = AutoTokenizer.from_pretrained(tmp_path, gguf_file="made.gguf")
    for text in texts:
        assert stock(text)["input_ids"] == own.encode(text).ids, text


def test_mlx_is_the_weights_it_was_made_from_quantised(plain: Path, tmp_path: Path) -> None:
    import mlx.core as mx

    from xlt.backends.mlx.quantise import quantise as to_mlx

    made = tmp_path / "made"
    made.mkdir()
    to_mlx(plain, made, "made", 4)
    config = json.loads((made / "config.json").read_text())
    assert config["quantization"] == config["quantization_config"]
    assert config["quantization"]["model.embed_tokens"]["bits"] == 8
    assert (config["rope_theta"], config["rope_parameters"]["rope_type"]) == (500000.0, "llama3")

    def there_and_back(name: str, weight: Any) -> Any:
        bits = 8 if "embed_tokens" in name else 4
        packed, *factors = mx.quantize(mx.array(weight).astype(mx.bfloat16), 64, bits)
        scales, biases = (each.astype(mx.float32) for each in factors)
        return np.array(mx.dequantize(packed, scales, biases, 64, bits))

    expected = by_transformers(replaced(plain, tmp_path / "dequantised", there_and_back))
    np.testing.assert_allclose(by_mlx_lm(made), expected, atol=2e-3)
    files = ModelFiles("made", "mlx", made)
    from xlt.backends import get

    np.testing.assert_allclose(score(get("mlx").load(files, device="cpu")), expected, atol=2e-3)


def test_mlx_keeps_the_head_of_an_untied_model_at_eight_bits(tmp_path: Path) -> None:
    from xlt.backends.mlx.quantise import quantise as to_mlx

    folder = write_model(tmp_path / "hf", tie_word_embeddings=False, **SIZES)
    to_mlx(folder, tmp_path / "made", "made", 4)
    parts = json.loads((tmp_path / "made" / "config.json").read_text())["quantization"]
    assert {path: part["bits"] for path, part in parts.items() if isinstance(part, dict)} == {"lm_head": 8}


def test_nf4_loads_in_stock_transformers(plain: Path, tmp_path: Path) -> None:
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit
    from transformers import AutoModelForCausalLM

    from xlt.backends.torch.quantise import quantise as to_nf4

    made = tmp_path / "made"
    made.mkdir()
    to_nf4(plain, made, "made")
    config = json.loads((made / "config.json").read_text())
    assert config["quantization_config"]["bnb_4bit_quant_type"] == "nf4"
    assert config["quantization_config"]["bnb_4bit_compute_dtype"] == "bfloat16"
    assert (config["rope_theta"], config["rope_scaling"]["rope_type"]) == (500000.0, "llama3")
    model = AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32).eval()
    layers = {name: module for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    assert len(layers) == 3 * 7
    weights = stored(weight_files(plain), "plain")
    for name, layer in layers.items():
        back = dequantize_4bit(layer.weight.data, layer.weight.quant_state).float().numpy()
        original = weights[f"{name}.weight"].floats()
        assert 0 < np.abs(back - original).max() < 0.2 * np.abs(original).max()
    with torch.inference_mode():
        rows = [model(torch.tensor([[*PROMPT.prefix, *text]])).logits[0, -1].float().numpy() for text in TEXTS]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for precision in ("auto", "nf4"):
            assert load("torch", made, precision=precision).loaded.precision == "nf4"
    with pytest.raises(XltError, match="merging into 4 bits loses most"):
        load("torch", made, write_adapter(tmp_path / "adapter", plain))
    # The products are in bfloat16, and in another order.
    np.testing.assert_allclose(score(load("torch", made)), np.stack(rows)[:, PROMPT.labels], atol=0.3)


def run(workspace: Path, dev: Path, kind: Any, **changes: Any) -> Quantised:
    said: list[str] = []
    made = quantise(Order("tuned", kind, data=(dev,), workspace=workspace, **changes), said.append)
    assert "Merging tuned" in said[0]
    assert "Comparing labels of 42 texts (dev.csv)" in said[2]
    return made


@pytest.mark.parametrize("kind", ["mlx", "nf4", "gguf"])
def test_an_adapter_is_merged_quantised_compared_and_kept(kind: str, workspace: Path, dev: Path) -> None:
    made = run(workspace, dev, kind, max_loss=1.0)
    model = find(made.folder.name, backend="mlx" if kind == "mlx" else "torch", workspace=workspace)
    assert model.files.format == {"mlx": "mlx", "nf4": "hf", "gguf": "gguf"}[kind]
    assert {path.name for path in (workspace / "models").iterdir()} == {"tuned", made.folder.name}
    assert not list(made.folder.glob(".*"))
    assert made.after < made.before
    lines = {line.lang: line for line in made.compared.lines}
    assert (lines["en"].n, lines["de"].n, lines[""].n) == (28, 14, 42)
    assert 0.3 < made.compared.all.agreement <= 1
    card = read_card(made.folder / "card.toml")
    assert card.task == "immigration"
    assert card.made["compared_on"] == "dev.csv, n = 42"
    assert (card.made["temperature"], card.made["temperature_of"]) == (1.7, "tuned, before quantising")
    assert card.made["same_labels"] == round(made.compared.all.agreement, 4)
    assert {score.metric: score.data for score in card.scores} == {"accuracy": "dev.csv", "macro-F1": "dev.csv"}


def test_a_model_that_lost_too_much_is_not_kept(workspace: Path, dev: Path) -> None:
    before = sorted(workspace.rglob("*"))
    with pytest.raises(
        XltError, match=r"is not kept: quantising cost .* more than --max-loss -1; try --bits 8"
    ) as caught:
        run(workspace, dev, "gguf", max_loss=-1.0)
    assert "\n" not in str(caught.value)
    assert sorted(workspace.rglob("*")) == before


def test_what_cannot_be_quantised_is_said(workspace: Path, dev: Path, tmp_path: Path) -> None:
    def refused(name: str, kind: Any = "gguf", **changes: Any) -> str:
        before = sorted(workspace.rglob("*"))
        with pytest.raises(XltError) as caught:
            quantise(Order(name, kind, **{"data": (dev,), "workspace": workspace, **changes}), lambda _: None)
        assert sorted(workspace.rglob("*")) == before
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no model 'tunde'" in refused("tunde")
    assert "its tokenizer cuts texts in a way without a name there" in refused("xlt-mini")
    assert "There is no file" in refused("tuned", data=(tmp_path / "none.csv",))
    assert "no labelled texts for the task sentiment; give some with --data" in refused(
        "tuned", task="sentiment", data=()
    )
    made = run(workspace, dev, "gguf")
    assert "is there already; remove it" in refused("tuned")
    assert "is a GGUF file, which is quantised already" in refused(made.folder.name)
    shutil.rmtree(made.folder)
    state = write_model(workspace / "models" / "gpt", model_type="gpt_neox")
    assert state.is_dir()
    assert "it is a gpt_neox, and xlt writes files of llama" in refused("gpt")
    biased = write_model(workspace / "models" / "biased", attention_bias=True)
    assert biased.is_dir()
    assert "a Llama with biases" in refused("biased")
    yarn = write_model(workspace / "models" / "yarn", rope_parameters={"rope_theta": 1e4, "rope_type": "yarn"})
    assert yarn.is_dir()
    assert "does not know how its rope (yarn)" in refused("yarn")
    for kind, bits in (("awq", 4), ("nf4", 8), ("mlx", 3)):
        with pytest.raises(UsageError):
            check_kind(kind, bits)


def test_what_was_lost_is_counted_by_language() -> None:
    rows = [("de", "unrelated")] * 4 + [("en", "neutral")] * 3 + [("en", "unrelated")] * 3
    examples = [Example(f"t{n}", label, lang, str(n), "f", n) for n, (lang, label) in enumerate(rows)]
    right = np.array([TASK.names.index(label) for _, label in rows])
    wrong = right.copy()
    wrong[4:7] = 0
    found = compared(examples, "f", TASK, right, wrong)
    assert [(line.lang, line.n, line.agreement) for line in found.lines] == [
        ("en", 6, 0.5),
        ("de", 4, 1.0),
        ("", 10, 0.7),
    ]
    # Two of four labels occur; the others count as 0.
    assert [line.before for line in found.lines] == [0.5, 0.25, 0.5]
    assert [line.lost for line in found.lines] == pytest.approx([0.25, 0.0, 0.25])
    assert [(score.value, score.low) for score in found.scores] == [(0.7, None), (0.25, None)]
    assert found.lost_interval is None


def test_rows_that_the_training_held_out_are_compared_on(workspace: Path, dev: Path) -> None:
    from xlt.release.compare import held_out
    from xlt.release.source import unquantised
    from xlt.training.signatures import keep_signatures

    with dev.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    home = workspace / "models" / "tuned"
    source = unquantised("tuned", workspace)

    def chosen(files: tuple[Path, ...] = ()) -> tuple[set[str], str]:
        examples, name = held_out(source, files, TASK, workspace, None)
        return {example.text for example in examples}, name

    assert chosen((dev,))[0] == {TASK.normalise(text) for text in texts}
    assert chosen()[1] == "the bundled sample's held-out tweets"
    # Fourteen sentences, each three times with another number behind it: near-duplicates of one another.
    learnt = {TASK.normalise(text) for at, text in enumerate(texts) if at % 14 < 7}
    keep_signatures(home, texts[:7], texts[7:14])
    (home / "training").mkdir()
    record = {"made_of": {"command": ["finetune", "--langs", "en", "--data", str(dev)]}}
    (home / "training" / "config.json").write_text(json.dumps(record))
    held, name = chosen()
    assert name == "the training's held-out rows"
    assert held
    assert held <= {TASK.normalise(text) for text in texts} - learnt
    held, name = chosen((dev,))
    assert name == "dev.csv"
    assert held
    assert held.isdisjoint(learnt)
    # Named as the training's command named them, in a file whose labels are not all the task's.
    odd = dev.with_name("odd.csv")
    lines = dev.read_text(encoding="utf-8").splitlines()
    odd.write_text("\n".join(["body,code,tongue", *lines[1:], "more words,spam,en"]), encoding="utf-8")
    columns = ["--text-column", "body", "--label-column=code", "--lang-column", "tongue", "--skip-labels", "spam"]
    command = ["finetune", f"--data={odd}", *columns]
    (home / "training" / "config.json").write_text(json.dumps({"made_of": {"command": command}}))
    assert chosen()[1] == "the training's held-out rows"
    odd.unlink()
    assert chosen()[1] == "the bundled sample's held-out tweets"
    keep_signatures(home, texts, [])
    with pytest.raises(XltError, match=r"trained on every labelled text of dev\.csv"):
        chosen((dev,))
