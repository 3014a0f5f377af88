"""Loads the tokenizer of a model as a plain `tokenizers.Tokenizer`, without importing transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xlt.cards.files import ModelFiles
from xlt.errors import XltError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_tokenizer(files: ModelFiles) -> Tokenizer:
    """The model's tokenizer. Raises XltError when its file is missing or damaged."""
    if files.format == "gguf":
        from xlt.cards.gguf import read_tokenizer

        return read_tokenizer(files.weights)
    return _from_file(files.weights / "tokenizer.json", files.name)


def _from_file(path: Path, name: str) -> Tokenizer:
    from tokenizers import Tokenizer

    if not path.is_file():
        raise XltError(f"Model {name!r} has no tokenizer: {path} is missing; download or copy it again.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for every kind of damage
        raise XltError(f"The tokenizer of model {name!r} can't be read ({path}: {error}); copy it again.") from None
