"""The builder: its network is a stock Llama, its noise is seeded, and it refuses what must not ship."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

import build_xlt_mini
from scoring import by_transformers
from xlt.backends.base import Prompt
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer
from xlt_mini.build import save_model
from xlt_mini.embedding import ngrams
from xlt_mini.keywords import mentions_migration
from xlt_mini.measure import macro_f1
from xlt_mini.network import Network, Shape
from xlt_mini.noise import snippet, vary
from xlt_mini.rows import Row, source_weights
from xlt_mini.tokens import Unmerge, spellings, train_tokenizer

TEXTS = ["the border is closed and nobody knows why", "so many birds", "¡Que se queden con nosotros!", "a"] * 3
TINY = Shape(vocab=400, hidden=64, inner=96, layers=3, heads=4, kv_heads=2, head=16)


def _tiny() -> tuple[Network, Tokenizer, Renderer]:
    torch.manual_seed(1)
    tokenizer = train_tokenizer(TEXTS, TINY.vocab)
    network = Network(Shape(**{**TINY.__dict__, "vocab": tokenizer.get_vocab_size()}))
    with torch.no_grad():
        # Far from the mild start of training, so that attention and positions decide the scores.
        for weight in network.parameters():
            weight.copy_((weight * 3 if weight.dim() > 1 else weight + torch.randn_like(weight) * 0.2).bfloat16())
    return network, tokenizer, Renderer(load_task("immigration"), tokenizer)


def test_the_training_network_is_a_stock_llama(tmp_path: Path) -> None:
    network, tokenizer, renderer = _tiny()
    save_model(tmp_path, network, tokenizer)
    suffixes = renderer.encode(TEXTS[:4]).suffixes
    stock = by_transformers(tmp_path, texts=suffixes, prompt=Prompt(renderer.prefix, renderer.labels))
    width = max(map(len, suffixes))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in suffixes])
    ends = torch.tensor([len(row) - 1 for row in suffixes])
    network.eval()
    with torch.no_grad():
        hidden = network.answers(torch.tensor(renderer.prefix), ids, ends)
        ours = network.label_logits(hidden, torch.tensor(renderer.labels)).numpy()
        whole = torch.tensor([[*renderer.prefix, *suffixes[0]]])
        plain = network.label_logits(network(whole)[:, -1], torch.tensor(renderer.labels)).numpy()
    np.testing.assert_allclose(ours, stock, atol=2e-4)
    np.testing.assert_allclose(plain[0], stock[0], atol=2e-4)


def test_what_the_cheap_step_learns_holds_in_the_whole_network() -> None:
    network, _, renderer = _tiny()
    network.begin_tuning()
    network.eval()
    suffixes = renderer.encode(TEXTS[:4]).suffixes
    width = max(map(len, suffixes))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in suffixes])
    prefix = torch.tensor(renderer.prefix)
    with torch.no_grad():
        whole = network.answers(prefix, ids, torch.tensor([len(row) - 1 for row in suffixes]))
        torch.testing.assert_close(network.bags(prefix, suffixes), whole, atol=2e-4, rtol=1e-3)


def test_shared_spellings_fold_into_one_table() -> None:
    _, tokenizer, _ = _tiny()
    found = spellings(tokenizer)
    assert len(found) == tokenizer.get_vocab_size()
    assert ngrams("Réfugiés") == ngrams("refugies")
    assert set(ngrams(" migrants")) & set(ngrams(" migrantes"))
    network = Network(Shape(**{**TINY.__dict__, "vocab": len(found)}), found)
    table = network.embed.table()
    torch.testing.assert_close(network.embed(torch.tensor([5, 300, 5])), table[[5, 300, 5]])
    assert not torch.equal(table, network.embed.own)
    names = set(network.checkpoint())
    assert "model.embed_tokens.weight" in names
    assert not any("embed.own" in name or "shared" in name for name in names)


def test_further_files_are_not_outnumbered_by_our_tweets() -> None:
    ours = [Row("a", "en", 0, f"own {i}") for i in range(90)]
    theirs = [Row("b", "en", 1, f"my file.csv {i}") for i in range(10)]
    assert theirs[0].source == "my file.csv"
    weights = source_weights(ours + theirs, 0.7)
    assert weights.mean() == pytest.approx(1)
    assert weights[90:].sum() / weights.sum() == pytest.approx(0.7)
    assert source_weights(ours, 0.7).tolist() == [1.0] * 90


def test_splitting_tokens_keeps_the_text_and_is_seeded() -> None:
    _, tokenizer, _ = _tiny()
    unmerge = Unmerge(tokenizer)
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False).ids
    assert unmerge(ids, 0.0, random.Random(0)) == ids
    split = unmerge(ids, 0.5, random.Random(0))
    assert len(split) > len(ids)
    assert split == unmerge(ids, 0.5, random.Random(0))
    assert tokenizer.decode(split) == TEXTS[0]
    assert len(unmerge(ids, 1.0, random.Random(0))) == len(TEXTS[0].encode())


def test_noise_is_seeded_and_never_empty() -> None:
    for text in ("a", "@user", "@user http", "#x", "😀", "one two three four five six seven eight nine"):
        for seed in range(50):
            changed = vary(text, random.Random(seed))
            assert changed.strip()
            assert changed == vary(text, random.Random(seed))
            assert snippet(text, random.Random(seed)).strip()


def test_models_with_further_files_stay_out_of_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--also", "train.csv"], ["--every", "2"], ["--also", "test.csv", "--out", "/tmp/x"]):
        with pytest.raises(SystemExit):
            build_xlt_mini.main(arguments)
    complaints = capsys.readouterr().err
    assert complaints.count("must not go into models/") == 2
    assert "never trained on" in complaints


def test_macro_f1_by_hand() -> None:
    gold, guessed = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    # F1: class 0 2/4, class 1 4/5, class 2 0; class 3 occurs nowhere and does not count.
    assert macro_f1(gold, guessed, 4) == pytest.approx((0.5 + 0.8 + 0) / 3)


def test_the_keyword_list_knows_every_script() -> None:
    for text in (
        "Refugees welcome",
        "los inmigrantes",
        "Flüchtlinge",
        "난민을 돕자",
        "शरणार्थी",
        "المهاجرين",
        "göçmenler",
    ):
        assert mentions_migration(text), text
    assert not mentions_migration("What a lovely morning")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_miniature_build_makes_a_pair_that_the_engine_runs(tmp_path: Path) -> None:
    small = {"hidden": 64, "inner": 96, "vocab": 1024, "head": 16, "threads": 1}
    short = {"language_epochs": 1, "words_epochs": 2, "task_epochs": 1, "snippets": 0}
    settings = ["--every=20", *(f"--set={name}={value}" for name, value in {**small, **short}.items())]
    command = [sys.executable, build_xlt_mini.__file__, *settings, "--out"]
    # Strings hash differently in each process: the same bytes twice show that no order depends on that.
    made = []
    for seed, out in (("1", tmp_path), ("2", tmp_path.parent / f"{tmp_path.name}-again")):
        subprocess.run([*command, out], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        made.append(hashlib.sha256((out / "xlt-mini" / "model.safetensors").read_bytes()).hexdigest())
    assert made[0] == made[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["xlt-mini", "xlt-mini-base"]
    for name in ("xlt-mini", "xlt-mini-base"):
        files = {path.name for path in (tmp_path / name).iterdir()}
        assert {"card.toml", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= files
    from xlt.backends import get
    from xlt.cards.files import ModelFiles

    tokenizer = Tokenizer.from_file(str(tmp_path / "xlt-mini" / "tokenizer.json"))
    renderer = Renderer(load_task("immigration"), tokenizer)
    scorer = get("torch").load(ModelFiles("m", "hf", tmp_path / "xlt-mini"), device="cpu", precision="fp32")
    scorer.prepare(Prompt(renderer.prefix, renderer.labels))
    assert np.isfinite(scorer.score(renderer.encode(TEXTS[:4]).suffixes)).all()
