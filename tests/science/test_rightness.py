"""What being right hangs on, on data whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xlt.errors import XltError
from xlt.science.rightness import rightness


def made(languages: int, texts: int, seed: int, effect: float = 1.0) -> dict[str, Any]:
    """Two models answer each text; the second has seen half of the languages, which multiplies its odds by e^effect."""
    rng = np.random.default_rng(seed)
    lang = np.repeat(np.arange(languages), texts)
    text = np.arange(len(lang))
    ease = rng.normal(0, 0.5, languages)[lang] + rng.normal(0, 0.5, len(lang))
    length = rng.normal(0, 1, len(lang))
    seen = np.concatenate([np.zeros(len(lang)), (lang % 2 == 0).astype(float)])
    odds = np.tile(ease + 0.3 * length, 2) + effect * seen
    right = (rng.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    return {
        "right": right,
        "text": np.tile(text, 2),
        "language": [f"l{each}" for each in np.tile(lang, 2)],
        "inside": {"seen": seen, "length": np.tile(length, 2)},
        "between": {"share": np.tile(rng.normal(0, 1, languages)[lang], 2)},
    }


def test_a_known_effect_is_found() -> None:
    found = rightness(**made(12, 100, seed=1))
    seen = next(each for each in found.effects if each.name == "seen")
    # The texts' own ease draws a marginal odds ratio a little towards 1.
    assert 1.9 < seen.odds_ratio < 3.4
    assert seen.low < seen.odds_ratio < seen.high
    assert seen.p < 0.001
    assert (found.answers, found.texts, found.languages) == (2400, 1200, 12)


def test_effects_between_languages_need_many() -> None:
    few = rightness(**made(12, 40, seed=2))
    assert [each.name for each in few.effects] == ["seen", "length"]
    assert "share differs between languages only, and 12 languages are too few" in few.left_out[0]
    many = rightness(**made(40, 30, seed=2))
    assert [each.name for each in many.effects] == ["seen", "length", "share"]
    assert not many.left_out


def test_what_does_not_differ_within_a_language_is_left_out() -> None:
    data = made(12, 40, seed=3)
    language = np.array([float(each[1:]) for each in data["language"]])
    found = rightness(**{**data, "inside": {"script": language}, "between": {}})
    assert not found.effects
    assert "script does not differ within any language" in found.left_out[0]


def test_clustering_widens_the_interval() -> None:
    data = made(12, 60, seed=4)
    once = rightness(**data)
    copied: dict[str, Any] = {
        "right": np.tile(data["right"], 4),
        "text": np.tile(data["text"], 4),
        "language": list(data["language"]) * 4,
        "inside": {name: np.tile(each, 4) for name, each in data["inside"].items()},
        "between": {},
    }
    four = rightness(**copied)
    # The same answers four times over tell nothing new.
    assert four.effects[0].high - four.effects[0].low == pytest.approx(
        once.effects[0].high - once.effects[0].low, rel=0.02
    )


def test_too_few_wrong_answers_are_refused() -> None:
    data = made(12, 20, seed=5)
    with pytest.raises(XltError, match="too few of one kind"):
        rightness(**{**data, "right": np.ones_like(data["right"])})


def test_what_can_t_be_told_is_said() -> None:
    data = made(4, 60, seed=5)
    odd = np.zeros(len(data["right"]))
    odd[:3] = 1  # three answers to texts of one language, all right
    data["right"][:3] = 1
    found = rightness(**{**data, "inside": {**data["inside"], "odd": odd}, "between": {}})
    assert [each.name for each in found.effects] == ["seen", "length"]
    assert found.left_out == ("odd has no odds ratio that could be told from 0 or from infinity.",)
