"""A classifier for stock transformers: raw tweets in, the labels of `classify` out."""

from __future__ import annotations

import csv
import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models import BOS, EOT, SENTENCES, train_tokenizer, write_model
from release.conftest import SIZES
from xlt.backends import get
from xlt.cards.files import ModelFiles
from xlt.cards.tokenizer import load_tokenizer
from xlt.engine.score import Classifier
from xlt.errors import UsageError, XltError
from xlt.release.export import Export, export_classifier
from xlt.release.prompted import check_prompted, prompted
from xlt.release.seqcls import picked
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer
from xlt.tasks.spec import Normalisation, Task

TASK = load_task("immigration")
ODD = (
    f"a tweet that spells {BOS} and {EOT} and <|prompt|>",
    "ends in a point.",
    "ends in line breaks \r\n\n",
    " \u3000\x1f begins with spaces of all kinds \x85",
    "cafe\u0301 \u1112\u1161\u11ab NFC",
    "👍🏽 emoji",
    "{text}",
    "\\1 $0 \\z",
)


def by_pipeline(folder: Path, texts: list[str], **options: Any) -> np.ndarray:
    """Probabilities (texts, labels) by stock transformers."""
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(folder), top_k=None, **options)
    found = [{each["label"]: each["score"] for each in answer} for answer in classify(texts, batch_size=16)]
    return np.array([[answer[name] for name in TASK.names] for answer in found])


def by_us(files: ModelFiles, texts: list[str], task: Task = TASK) -> np.ndarray:
    scorer = get("torch").load(files, device="cpu", precision="fp32", threads=1)
    renderer = Renderer(task, load_tokenizer(files), scorer.loaded.max_tokens)
    return np.asarray(Classifier(scorer, renderer, 1024).score([task.normalise(text) for text in texts]).probabilities)


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False, "family": "qwen3"}], ids=["tied", "untied"])
def test_the_stock_pipeline_gives_our_probabilities(changes: dict[str, Any], tmp_path: Path) -> None:
    model = write_model(tmp_path / "models" / "tiny", torch_dtype="bfloat16", **SIZES, **changes)
    out = tmp_path / "out"
    (model / "card.toml").write_text('name = "tiny"\ntask = "immigration"\n')
    export_classifier(Export("tiny", out, workspace=tmp_path))
    # The export rounds to bfloat16; so does this copy.
    from xlt.release.merge import write_merged
    from xlt.release.source import unquantised

    (tmp_path / "rounded").mkdir()
    write_merged(unquantised("tiny", tmp_path), tmp_path / "rounded")
    texts = [*SENTENCES, *ODD]
    ours = by_us(ModelFiles("tiny", "hf", tmp_path / "rounded"), texts)
    np.testing.assert_allclose(by_pipeline(out, texts, dtype="float32"), ours, atol=1e-5)
    assert np.ptp(ours, axis=0).max() > 0.2
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {str(number): name for number, name in enumerate(TASK.names)}
    assert (config["rope_theta"], config["rope_parameters"]["rope_theta"]) == (500000.0, 500000.0)
    readme = (out / "README.md").read_text()
    assert "pipeline_tag: text-classification" in readme


@pytest.mark.slow
def test_the_stock_pipeline_gives_our_labels_on_real_tweets(
    shared_data: Path, repository: Path, tmp_path: Path
) -> None:
    with (shared_data / "immigration" / "test.csv").open(encoding="utf-8", newline="") as file:
        texts = sorted((row["text"] for row in csv.DictReader(file)), key=len)
    assert len(texts) == 875
    export_classifier(Export("xlt-mini", tmp_path / "out", workspace=tmp_path))
    ours = by_us(ModelFiles("xlt-mini", "hf", repository / "models" / "xlt-mini"), texts)
    theirs = by_pipeline(tmp_path / "out", texts, dtype="float32")
    np.testing.assert_array_equal(theirs.argmax(axis=1), ours.argmax(axis=1))
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


@pytest.mark.parametrize("task", ["immigration", "immigration-published", "sentiment"])
def test_ids_are_those_of_the_prompt(task: str, shared_data: Path, repository: Path) -> None:
    tokenizer = load_tokenizer(ModelFiles("m", "hf", repository / "models" / "xlt-mini"))
    renderer = Renderer(load_task(task), tokenizer, 2048)
    with (shared_data / "immigration" / "train.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    check_prompted(prompted(tokenizer, renderer), renderer, [*texts, *ODD])


def test_other_ids_are_noticed(repository: Path) -> None:
    tokenizer = load_tokenizer(ModelFiles("m", "hf", repository / "models" / "xlt-mini"))
    renderer = Renderer(TASK, tokenizer, 2048)
    made = prompted(tokenizer, Renderer(load_task("sentiment"), tokenizer, 2048))
    with pytest.raises(XltError, match="'a tweet' would get other tokens; classify with xlt instead"):
        check_prompted(made, renderer, ["a tweet"])


MASKING = dataclasses.replace(TASK, normalise=Normalisation(handles="@user", links="https://x"))


@cache
def masking() -> Tokenizer:
    tokenizer = train_tokenizer()
    return prompted(tokenizer, Renderer(MASKING, tokenizer, 2048))


LETTERS = st.text(st.sampled_from("ab_1٣½éक्ा .@/-:\n\t\u3000\x1c#😀"), max_size=40)
PIECES = st.sampled_from(["@bob", "@@", "http://", "HTTPS://", "www.", "@a@b.social.", "x@y"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(LETTERS, PIECES), max_size=6).map("".join))
def test_texts_are_normalised_alike(text: str) -> None:
    made = masking()
    if expected := MASKING.normalise(text):
        assert made.normalizer.normalize_str(text) == f" {expected}\nLabel: "


def test_rows_of_the_head_are_picked_across_parts() -> None:
    from xlt.cards.tensors import Made

    matrix = np.arange(60, dtype=np.uint16).reshape(10, 6)
    for cuts in ([], [3], [1, 2, 7], [5, 5]):
        parts = np.split(matrix.reshape(-1).view(np.uint8), [each * 11 for each in cuts])
        made = Made("BF16", matrix.shape, parts.__iter__)
        np.testing.assert_array_equal(picked(made, [9, 0, 4]), matrix[[9, 0, 4]])


def test_what_cannot_be_a_classifier_is_said(tmp_path: Path) -> None:
    def refused(**changes: Any) -> str:
        order = Export(**{"name": "xlt-mini", "out": tmp_path / "out", "workspace": tmp_path, **changes})
        with pytest.raises(XltError) as caught:
            export_classifier(order)
        assert not order.out.exists() or order.out == tmp_path
        return str(caught.value)

    assert "is tuned for no task" in refused(name="xlt-mini-base")
    assert "There is no task 'nope'" in refused(task="nope")
    with pytest.raises(UsageError, match="is there already"):
        export_classifier(Export("xlt-mini", tmp_path, workspace=tmp_path))
    write_model(tmp_path / "models" / "gpt", model_type="gpt_neox")
    assert "is a gpt_neox, and xlt exports classifiers of llama" in refused(name="gpt", task="immigration")
