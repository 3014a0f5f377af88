"""Tiny models and adapters that are merged, quantised and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models import write_adapter, write_model
from xlt.cards.card import Card
from xlt.cards.read import FILE, write_card

# Rows of whole groups of 64, which every 4-bit format takes.
SIZES: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 192, "head_dim": 32}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base of two shards."""
    return write_model(tmp_path_factory.mktemp("release") / "base", shards=2, **SIZES)


@pytest.fixture
def workspace(base: Path, tmp_path: Path) -> Path:
    """A workspace with the adapter `tuned`, its card naming the base by its path."""
    folder = write_adapter(tmp_path / "models" / "tuned", base)
    card = Card(
        "tuned",
        "Tuned",
        "Tuned for a test.",
        "immigration",
        ("en", "de"),
        licence="MIT",
        made={"seed": 3, "recipe": "r", "temperature": 1.7, "temperature_task": "t"},
    )
    write_card(folder / FILE, card)
    return tmp_path
