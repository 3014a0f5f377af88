"""Tuning tokens against pre-training tokens, by hand-worked figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlt.errors import XltError
from xlt.science.exposure import BUILTIN, Counted, count, exposure, load_pretraining


def test_a_listed_language_by_hand() -> None:
    found = exposure(Counted("ko", 75, 300, 4000, 900), load_pretraining(), epochs=10)
    # Korean has .06 % of 2e12 to 9e12 tokens: 1.2e9 to 5.4e9.
    assert found.share == 0.06
    assert list(found.of_language) == [pytest.approx(900 / 5.4e9), pytest.approx(9000 / 1.2e9)]
    assert list(found.of_all) == [pytest.approx(1e-10), pytest.approx(4.5e-9)]
    assert found.tokens_per_word == 3
    assert found.bytes_per_token == pytest.approx(4000 / 900)


def test_an_unlisted_language_has_a_lower_bound_only() -> None:
    found = exposure(Counted("tr", 1, 1, 1, 45), load_pretraining())
    assert found.share is None
    assert list(found.of_language) == [pytest.approx(45 / (9e12 * 0.00005)), None]


def test_counting() -> None:
    assert count("de", ["zwei Wörter", "ß"], [3, 2]) == Counted("de", 2, 3, 14, 5)
    assert count("zh", ["两个词"], [4]) == Counted("zh", 1, 0, 9, 4)
    assert exposure(count("zh", ["两个词"], [4]), load_pretraining()).tokens_per_word is None
    assert exposure(count("xx", [], []), load_pretraining()).bytes_per_token is None


def test_the_built_in_shares_are_those_that_the_paper_used() -> None:
    used = {"en": 89.70, "de": 0.17, "fr": 0.16, "es": 0.13, "it": 0.11, "pl": 0.09, "pt": 0.09}
    used |= {"ko": 0.06, "id": 0.03, "hu": 0.03}
    shares = load_pretraining().shares
    assert {language: shares[language] for language in used} == used
    assert not {"ar", "hi", "tr"} & set(shares)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("floor = 0.005", "", "lacks 'floor'"),
        ("en = 89.70", "en = 'most'", "no number"),
        ("en = 89.70", "en = 189.70", "can't be right"),
        ("low = 2.0e12", "low = 0", "can't be right"),
        ("[shares]", "[shares", "no TOML"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    text = BUILTIN.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(XltError, match=said):
        load_pretraining(path)


def test_a_table_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(XltError, match=r"can't be read"):
        load_pretraining(tmp_path / "none.toml")
