"""`xlt bench`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Xlt

QUICK = ("--seconds", "0.2", "--repeats", "3")


def test_speed_and_cost_agree(xlt: Xlt) -> None:
    ran = xlt(
        "bench", "xlt-mini", "--watts", "30", "--kwh-price", "0.3", "--latency", "0.5", "--format", "json", *QUICK
    )
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert len(found["rates"]) == 3
    assert found["tweets_per_second"] == sorted(found["rates"])[1]
    assert found["per_million"] == pytest.approx(0.030 * 0.3 * 1e6 / found["tweets_per_second"] / 3600)
    assert found["kwh_per_million"] == pytest.approx(found["per_million"] / 0.3)
    hosted = next(each for each in found["hosted"] if each["model"] == "GPT-4o mini")
    tokens = found["prefix_tokens"] + found["mean_tokens"]
    assert hosted["per_million"] == pytest.approx(tokens * 0.15 + 3 * 0.60)
    assert hosted["local_percent"] == pytest.approx(100 * found["per_million"] / hosted["per_million"])
    assert found["times_one_request_at_a_time"] == pytest.approx(0.5 * found["tweets_per_second"])


def test_without_prices_no_cost_is_claimed(xlt: Xlt) -> None:
    ran = xlt("bench", "xlt-mini", *QUICK)
    assert ran.code == 0, ran.err
    assert "its cost needs --hourly" in ran.out
    assert "% of that" not in ran.out


def test_bad_input_is_a_sentence(xlt: Xlt, tmp_path: Path) -> None:
    half = xlt("bench", "xlt-mini", "--watts", "30")
    assert (half.code, "--kwh-price" in half.sentence) == (2, True)
    (tmp_path / "prices.toml").write_text("[[models]]\nname = 'x'\n")
    table = xlt("bench", "xlt-mini", "--hosted", "prices.toml")
    assert (table.code, "lacks 'input'" in table.sentence) == (1, True)
    (tmp_path / "empty.csv").write_text("text\n\n")
    empty = xlt("bench", "xlt-mini", "--data", "empty.csv")
    assert empty.code == 1
    assert "Traceback" not in empty.err
