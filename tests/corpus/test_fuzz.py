"""A seeded part of scripts/fuzz_readers.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_file_breaks_a_reader(repository: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fuzz_readers", repository / "scripts" / "fuzz_readers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_readers"] = module
    spec.loader.exec_module(module)
    outcomes = module.fuzz(300, 7, tmp_path)
    assert outcomes["read"] > 50
    assert outcomes["read both ways"] > 20
    assert outcomes["sentence"] > 50
    # DuckDB's own complaints are no sentences for people.
    assert [outcome for outcome in outcomes if outcome.startswith("duckdb")] == []
