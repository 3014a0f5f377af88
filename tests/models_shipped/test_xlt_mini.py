"""The shipped pair: small, ordinary, the same in every library, and honest about what it was made from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from scoring import by_mlx_lm, by_transformers
from xlt.backends.base import Prompt
from xlt.bundled import bundled
from xlt.cards.read import read_card
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer
from xlt_mini.card import made
from xlt_mini.learn import Recipe
from xlt_mini.rows import own_rows
from xlt_mini.split import split

PAIR = ("xlt-mini", "xlt-mini-base")
TEXTS = (
    "They closed the border again, families are waiting in the cold #refugees",
    "@user ¿Y quién paga todo esto? Que se vayan a su país",
    "Die Störche sind zurück, was für ein schöner Morgen",
    "وصل مئة لاجئ إلى الجزيرة اليوم",
    "शरणार्थियों के लिए नया कानून कल संसद में",
    "난민 신청자가 늘었다고 한다",
    "…",
)


@pytest.fixture(params=PAIR)
def folder(request: pytest.FixtureRequest) -> Path:
    return bundled("models", request.param)


def _tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def test_it_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8_000_000


def test_its_rope_settings_stand_in_both_spellings(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 500000
    assert config["rope_scaling"]["rope_type"] == config["rope_parameters"]["rope_type"] == "llama3"
    assert config["tie_word_embeddings"] is True
    assert config["num_key_value_heads"] < config["num_attention_heads"]


def test_its_tokenizer_is_plain_and_puts_bos_in_front_once(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    tokenizer = _tokenizer(folder)
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    assert tokenizer.encode("hello").ids[0] == bos
    prefix = Renderer(load_task("immigration"), tokenizer).prefix
    assert prefix[0] == bos
    assert prefix.count(bos) == 1
    config = json.loads((folder / "config.json").read_text())
    assert (config["bos_token_id"], config["eos_token_id"]) == (bos, tokenizer.token_to_id("<|eot_id|>"))
    assert config["vocab_size"] == tokenizer.get_vocab_size()


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_character_is_unknown(text: str) -> None:
    tokenizer = _tokenizer(bundled("models", "xlt-mini"))
    tokenizer.encode_special_tokens = True
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_the_longest_tweet_fits(folder: Path) -> None:
    task = load_task("immigration")
    positions = json.loads((folder / "config.json").read_text())["max_position_embeddings"]
    assert Renderer(task, _tokenizer(folder), positions).max_text_tokens == task.max_text_tokens


def test_transformers_and_mlx_lm_give_the_same_scores(folder: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("mlx_lm")
    task = load_task("immigration")
    renderer = Renderer(task, _tokenizer(folder))
    prompt = Prompt(renderer.prefix, renderer.labels)
    texts = renderer.encode([task.normalise(text) for text in TEXTS]).suffixes
    ours, theirs = (by(folder, texts=texts, prompt=prompt) for by in (by_transformers, by_mlx_lm))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_its_card_reads_and_names_what_it_knows() -> None:
    tuned, base = (read_card(bundled("models", name, "card.toml")) for name in PAIR)
    assert (tuned.name, base.name) == PAIR
    assert (tuned.task, tuned.base, base.task) == ("immigration", "xlt-mini-base", None)
    assert tuned.languages == ("ar", "de", "en", "es", "fr", "hi", "hu", "id", "it", "ko", "pl", "pt", "tr")
    assert tuned.licence == base.licence == "MIT"


def test_it_was_made_from_the_tweets_that_are_here_now() -> None:
    """Fails when the tweets or the split change and the models are not built anew."""
    rows = own_rows(split().train, load_task("immigration"))
    for name in PAIR:
        card = read_card(bundled("models", name, "card.toml"))
        assert card.made["data_hash"] == made(rows, Recipe())["data_hash"]


def test_its_readme_gives_the_figures_of_its_card() -> None:
    card = read_card(bundled("models", "xlt-mini", "card.toml"))
    readme = bundled("models", "xlt-mini", "README.md").read_text(encoding="utf-8")
    pooled = [score for score in card.scores if not score.language and score.data == "immigration/test.csv"]
    assert {"", "always unrelated", "keyword list"} <= {score.of for score in pooled}
    assert {score.data for score in card.scores} == {"immigration/test.csv"}
    for score in pooled:
        assert score.n == 875
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.value <= score.high
        assert f"{score.value:.3f}".removeprefix("0") in readme
    assert all(score.low is None for score in card.scores if score.n < 50)
    assert re.search(r"not for research", readme)


def test_it_beats_always_unrelated_on_the_topic() -> None:
    card = read_card(bundled("models", "xlt-mini", "card.toml"))
    topic = {s.of: s for s in card.scores if s.metric == "topic macro-F1" and not s.language and "test" in s.data}
    ours = topic[""]
    assert ours.low is not None
    assert ours.low > topic["always unrelated"].value
