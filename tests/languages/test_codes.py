from __future__ import annotations

import pytest

from xlt.languages import NAMES, canonical, name, spellings
from xlt.languages.scripts import has_letters, script_of, scripts_of


@pytest.mark.parametrize(
    ("tag", "code"),
    [("in", "id"), ("iw", "he"), ("pt-BR", "pt"), ("zh_Hant", "zh"), (" EN ", "en"), ("qme", "und"), ("zxx", "und")],
)
def test_a_tag_becomes_the_code_that_it_means(tag: str, code: str) -> None:
    assert canonical(tag) == code


def test_every_spelling_of_a_code_means_it() -> None:
    assert spellings("in") == ("id", "in")
    assert all(canonical(spelling) == code for code in NAMES for spelling in spellings(code))


def test_names_of_known_unknown_and_undetermined_codes() -> None:
    assert [name("iw"), name("xx"), name("und")] == ["Hebrew", "xx", "undetermined"]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("plain words", "Latn"),
        ("żółć", "Latn"),
        ("привет and hi", "Cyrl"),
        ("한국어", "Kore"),
        ("こんにちは", "Kana"),
        ("مرحبا", "Arab"),
        ("123 !", None),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, script: str | None) -> None:
    assert script_of(text) == script


def test_every_language_has_a_script_and_emoji_are_no_letters() -> None:
    assert all(scripts_of(code) for code in NAMES)
    assert not has_letters("😀 12_3 ¿?")
