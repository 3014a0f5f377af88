"""bf16 on real tweets with a trained model: the labels are those of a plain fp32 forward pass, one text at a time."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from xlt import backends
from xlt.backends.base import Precision
from xlt.cards.registry import find
from xlt.cards.tokenizer import load_tokenizer
from xlt.engine.score import Classifier, softmax
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer

TASK = load_task("immigration")


@pytest.mark.slow
def test_bf16_labels_are_those_of_plain_fp32_whatever_the_batch(shared_data: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    texts: list[str] = []
    for name in ("train.csv", "test.csv"):
        with (shared_data / "immigration" / name).open(encoding="utf-8", newline="") as file:
            texts += [TASK.normalise(row["text"]) for row in csv.DictReader(file)]
    # A third of them, of every language: stock transformers read the whole prompt anew for each.
    texts = texts[::3]
    files = find("xlt-mini", backend="torch", workspace=tmp_path).files

    def scored(precision: Precision, budget: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        scorer = backends.get("torch").load(files, precision=precision, threads=1)
        try:
            renderer = Renderer(TASK, load_tokenizer(files), scorer.loaded.max_tokens)
            return Classifier(scorer, renderer, budget).score(texts).probabilities
        finally:
            scorer.close()

    renderer = Renderer(TASK, load_tokenizer(files))
    plain = AutoModelForCausalLM.from_pretrained(files.weights, dtype=torch.float32).eval()
    rows = plain.get_output_embeddings().weight[list(renderer.labels)]
    with torch.inference_mode():
        logits = [
            plain.model(torch.tensor([[*renderer.prefix, *suffix]])).last_hidden_state[0, -1] @ rows.T
            for suffix in renderer.encode(texts).suffixes
        ]
    expected = softmax(torch.stack(logits).numpy())
    np.testing.assert_allclose(scored("fp32", 512), expected, atol=1e-4)
    single, batched = scored("bf16", 1), scored("bf16", 2048)
    assert (batched.argmax(1) == expected.argmax(1)).mean() >= 0.999
    assert (batched.argmax(1) == single.argmax(1)).mean() >= 0.999
