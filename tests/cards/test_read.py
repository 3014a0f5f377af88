"""Model cards: what is written is read back; a bad one is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xlt.bundled import bundled
from xlt.cards.card import Card, Score
from xlt.cards.fit import shape_of_card
from xlt.cards.read import card_toml, parse_card, read_card, write_card
from xlt.errors import XltError

GOOD = """name = "tuned"
title = "Tuned"
task = "immigration"
languages = ["en", "de"]

[hub]
torch = "org/model"

[[scores]]
metric = "accuracy"
value = 0.5
data = "test.csv"
n = 875
low = 0.4
high = 0.6
"""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
filled = texts.filter(bool)
scalars = st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans(), st.floats(allow_nan=False))
scores = st.builds(
    Score, metric=filled, value=st.floats(0, 1), data=filled, n=st.integers(0, 10**6), language=texts, of=texts,
    low=st.none() | st.floats(0, 1), high=st.none() | st.floats(0, 1),
)  # fmt: skip
repos = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}/[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
cards = st.builds(
    Card,
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    title=filled,
    description=texts,
    task=st.none() | filled,
    languages=st.lists(st.sampled_from(["en", "de", "ar", "hi", "fil"]), unique=True).map(tuple),
    base=st.none() | filled,
    licence=texts,
    parameters=st.integers(0, 10**12),
    hub=st.dictionaries(st.sampled_from(["torch", "mlx"]), repos),
    gated=st.booleans(),
    shape=st.dictionaries(texts, scalars, max_size=3),
    made=st.dictionaries(texts, scalars, max_size=3),
    scores=st.lists(scores, max_size=3).map(tuple),
)


@given(cards)
def test_what_is_written_is_read_back(card: Card) -> None:
    assert parse_card(card_toml(card)) == card


def test_through_a_file(tmp_path: Path) -> None:
    card = parse_card(GOOD)
    assert card.languages == ("en", "de")
    assert card.scores[0].low == 0.4
    write_card(tmp_path / "card.toml", card)
    assert read_card(tmp_path / "card.toml") == card
    assert [path.name for path in tmp_path.iterdir()] == ["card.toml"]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('name = "tuned"', "", 1, "'name' is missing"),
        ('"tuned"', '"Tuned model"', 1, "small letters"),
        ('title = "Tuned"', "title = 3", 2, "'title' must be text"),
        ('task = "immigration"', 'tasks = "immigration"', 3, "no key 'tasks'"),
        ('["en", "de"]', '["en", "German"]', 4, "language codes"),
        ('["en", "de"]', '["en", "en"]', 4, "twice"),
        ('["en", "de"]', '"en"', 4, "language codes"),
        ("torch =", "cuda =", 7, "no key 'cuda'"),
        ('"org/model"', '"model"', 7, "organisation/model"),
        ("value = 0.5", 'value = "0.5"', 11, "must be a number"),
        ("n = 875", "n = -1", 13, "whole number"),
        ("n = 875\n", "", 9, "score 1 lacks 'n'"),
        ("low = 0.4", "lower = 0.4", 14, "no key 'lower'"),
    ],
)
def test_a_bad_card_is_refused_with_its_line(old: str, new: str, line: int, reason: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = tmp_path / "card.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(XltError) as caught:
        read_card(path)
    assert f"{path}, line {line}: " in str(caught.value)
    assert reason in str(caught.value)


def test_broken_toml_tells_the_line(tmp_path: Path) -> None:
    with pytest.raises(XltError, match=r"here\.toml is no valid TOML.*line 2"):
        parse_card('name = "x"\ntitle = "un\n', "here.toml")
    with pytest.raises(XltError, match="no model card"):
        read_card(tmp_path / "card.toml")
    (tmp_path / "card.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(XltError, match="can't be read"):
        read_card(tmp_path / "card.toml")


BASES = {"llama-3.2-3b": "llama", "qwen3-0.6b": "qwen3", "qwen3-1.7b": "qwen3", "qwen3-4b": "qwen3"}


@pytest.mark.parametrize("name", BASES)
def test_built_in_cards_of_hub_models(name: str) -> None:
    card = read_card(bundled("models", name, "card.toml"))
    assert card.name == name
    assert set(card.hub) == {"torch", "mlx"}
    assert card.gated == card.hub["torch"].startswith("meta-llama/")
    assert (card.task, card.languages) == (None, ())
    assert card.shape["model_type"] == BASES[name]
    # The published number of parameters and the published shape agree to the last one.
    assert shape_of_card(card).parameters == card.parameters
