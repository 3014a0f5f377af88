"""The tests here need MLX; where the extra `mlx` is not installed they are left out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from models import write_model

collect_ignore_glob = [] if importlib.util.find_spec("mlx_lm") else ["test_*.py"]


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with tied embeddings."""
    return write_model(tmp_path_factory.mktemp("mlx") / "llama")
