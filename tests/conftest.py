"""What all tests share: no test touches the user's home, the network, or more threads than the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "160"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("XLT_CACHE")
    os.environ["XLT_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XLT_CACHE"]
    else:
        os.environ["XLT_CACHE"] = before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real labelled tweets, kept outside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the labelled tweets in ../shared/data are not on this machine")
    return SHARED
