"""`xlt exposure`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Xlt


def test_tokens_of_the_text_alone_in_the_models_own_tokenizer(xlt: Xlt, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    from xlt.bundled import bundled

    (tmp_path / "gold.csv").write_text(
        "text,label,lang\nrefugees welcome here,1,en\nMauern bauen,2,de\nzwei Wörter,4,de\n", encoding="utf-8"
    )
    arguments = ("exposure", "xlt-mini-base", "--data", "gold.csv", "--epochs", "10")
    ran = xlt(*arguments, "--format", "json")
    assert ran.code == 0, ran.err
    found = {row["lang"]: row for row in json.loads(ran.out)}
    tokenizer = Tokenizer.from_file(str(bundled("models", "xlt-mini-base", "tokenizer.json")))
    tokens = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in ("Mauern bauen", "zwei Wörter"))
    german = found["de"]
    assert (german["texts"], german["words"], german["tokens"]) == (2, 4, tokens)
    # .17 % of 9e12 and of 2e12 tokens.
    assert german["of_language_low"] == pytest.approx(tokens / (9e12 * 0.0017))
    assert german["of_language_high"] == pytest.approx(10 * tokens / (2e12 * 0.0017))
    assert found["all"]["tokens"] == found["en"]["tokens"] + tokens
    assert (german["tokens_with_epochs"], german["tokens_per_word"]) == (10 * tokens, pytest.approx(tokens / 4))
    assert german["bytes_per_token"] == pytest.approx(len("Mauern bauenzwei Wörter".encode()) / tokens)
    table = xlt(*arguments)
    assert "German" in table.out
    assert "arXiv:2307.09288" in table.err


def test_the_total_of_pre_training_is_the_users(xlt: Xlt, tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("text,label,lang\nMauern bauen,2,de\n", encoding="utf-8")
    arguments = ("exposure", "xlt-mini-base", "--data", "gold.csv", "--epochs", "4", "--format", "json")
    one = json.loads(xlt(*arguments, "--pretraining-tokens", "15T").out)[0]
    assert one["of_all_low"] == pytest.approx(one["tokens"] / 15e12)
    assert one["of_all_high"] == pytest.approx(4 * one["tokens"] / 15e12)
    two = json.loads(xlt(*arguments, "--pretraining-tokens", "1e12,15e12").out)[0]
    assert two["of_language_low"] == pytest.approx(two["tokens"] / (15e12 * 0.0017))
    assert two["of_all_high"] == pytest.approx(4 * two["tokens"] / 1e12)
    for wrong in ("many", "9T,2T", "0", "1,2,3"):
        ran = xlt(*arguments, "--pretraining-tokens", wrong)
        assert (ran.code, "such as 9e12" in ran.sentence) == (2, True), wrong


def test_bad_input_is_a_sentence(xlt: Xlt) -> None:
    ran = xlt("exposure", "xlt-mini-base", "--langs", "sv")
    assert (ran.code, "no labelled text in sv" in ran.sentence) == (2, True)
    ran = xlt("exposure", "xlt-mini-base", "--pretraining", "none.toml")
    assert (ran.code, "can't be read" in ran.sentence) == (1, True)
