"""What the tests of both backends compare with: plain forward passes, one whole text at a time, without a cache."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from xlt.backends.base import BackendName, Logits, Precision, Prompt, Scorer
from xlt.cards.files import Format, ModelFiles
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer

Ids = Sequence[Sequence[int]]

_RNG = np.random.default_rng(11)
PROMPT = Prompt((510, *map(int, _RNG.integers(0, 510, 70))), (17, 18, 19, 20))
TEXTS: Ids = [list(map(int, _RNG.integers(0, 510, int(length)))) for length in (1, 44, 7, 23, 1, 90, 12, 2, 31)]


def load(backend: BackendName, path: Path, adapter: Path | None = None, precision: Precision = "fp32") -> Scorer:
    """A model folder or GGUF file on the CPU."""
    from xlt.backends import get

    form: Format = "gguf" if path.suffix == ".gguf" else "hf"
    return get(backend).load(ModelFiles("tiny", form, path, adapter), device="cpu", precision=precision)


def score(scorer: Scorer, texts: Ids = TEXTS, prompt: Prompt = PROMPT, size: int = 100) -> Logits:
    """Scores in batches of `size`, in the given order."""
    scorer.prepare(prompt)
    return np.concatenate([scorer.score(texts[start : start + size]) for start in range(0, len(texts), size)])


def by_mlx_lm(folder: Path, adapter: Path | None = None, texts: Ids = TEXTS, prompt: Prompt = PROMPT) -> Logits:
    """Scores by stock mlx-lm in fp32, adapter in its own format."""
    import mlx.core as mx
    from mlx_lm.utils import load_adapters, load_model

    model, _ = load_model(folder)
    if adapter is not None:
        model = load_adapters(model, str(adapter))
    model.set_dtype(mx.float32)
    model.eval()
    rows = [np.array(model(mx.array([[*prompt.prefix, *text]]))[0, -1]) for text in texts]
    return np.stack(rows)[:, prompt.labels]


def by_transformers(folder: Path, adapter: Path | None = None, texts: Ids = TEXTS, prompt: Prompt = PROMPT) -> Logits:
    """Scores by stock transformers in fp32, with PEFT where there is an adapter."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter)).eval()
    with torch.inference_mode():
        rows = [model(torch.tensor([[*prompt.prefix, *text]])).logits[0, -1].numpy() for text in texts]
    return np.stack(rows)[:, prompt.labels]


def real_tweets(data: Path, tokenizer: Tokenizer, each: int) -> tuple[Prompt, Ids]:
    """The immigration prompt and `each` labelled tweets in each of 12 languages as token ids."""
    with (data / "immigration" / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    languages = sorted({row["lang"] for row in rows})
    assert len(languages) == 12
    tweets = [row["text"] for lang in languages for row in [r for r in rows if r["lang"] == lang][:each]]
    renderer = Renderer(load_task("immigration"), tokenizer, 2048)
    return Prompt(renderer.prefix, renderer.labels), renderer.encode(tweets).suffixes


def quantised(folder: Path, made: Path, bits: int) -> Path:
    """A folder in MLX's own quantised layout, made by stock mlx-lm from fp32 weights."""
    from mlx_lm.utils import load_model, quantize_model, save_model

    model, config = quantize_model(*load_model(folder), group_size=32, bits=bits)
    save_model(made, model, donate_model=False)
    (made / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return made
