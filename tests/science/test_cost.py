"""Costs by hand-worked figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlt.errors import UsageError, XltError
from xlt.science.cost import BUILTIN, Hosted, Machine, load_hosted


def test_an_hour_is_rent_electricity_and_wear() -> None:
    machine = Machine(hourly=1.0, watts=500, kwh_price=0.2, price=8766, years=1)
    assert machine.per_hour == pytest.approx(1.0 + 0.1 + 1.0)
    # A million tweets at 100 a second take 10,000 seconds.
    assert machine.per_million(100) == pytest.approx(2.1 * 10_000 / 3600)
    assert machine.parts == pytest.approx({"rent": 1.0, "electricity": 0.1, "machine": 1.0})
    assert machine.kwh(100) == pytest.approx(0.5 * 10_000 / 3600)
    assert not Machine().known


def test_a_hosted_model_charges_for_prompt_and_answer() -> None:
    model = Hosted("x", input=2.5, output=10, announced="2024-08-06", source="")
    assert model.per_million(120, 1) == pytest.approx(310)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"watts": 30}, "--kwh-price"),
        ({"kwh_price": 0.3}, "--watts"),
        ({"price": 2000}, "--years"),
        ({"hourly": -1}, "0 or more"),
    ],
)
def test_half_a_price_is_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Machine(**given)


def test_the_built_in_prices_have_dates_and_sources() -> None:
    found = load_hosted()
    assert len({model.name for model in found}) == len(found) >= 3
    assert all(model.source and model.announced.startswith("20") and model.input > 0 for model in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("input = 2.50", "", "lacks 'input'"),
        ("2.50", '"much"', "no price"),
        ("2.50", "-2", "below 0"),
        ("[[", "[", "no"),
    ],
)
def test_a_price_table_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BUILTIN.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(XltError, match=said):
        load_hosted(path)
