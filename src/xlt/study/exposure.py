"""Counts what labelled texts weigh in a model's own tokens, language by language."""

from __future__ import annotations

from collections.abc import Sequence

from xlt.cards.files import ModelFiles
from xlt.cards.tokenizer import load_tokenizer
from xlt.science.exposure import Counted, Exposure, Pretraining, count, exposure
from xlt.training.examples import Example


def exposures(
    examples: Sequence[Example], files: ModelFiles, pretraining: Pretraining, epochs: float
) -> list[Exposure]:
    """One for each language of the examples, the most texts first."""
    return [exposure(each, pretraining, epochs) for each in counted(examples, files)]


def counted(examples: Sequence[Example], files: ModelFiles) -> list[Counted]:
    """What the texts of each language weigh in the model's tokens, the most texts first.

    Tokens are those of the texts alone: instruction and answer are no text of the language.
    """
    tokenizer = load_tokenizer(files)
    by_lang: dict[str, list[str]] = {}
    for each in examples:
        by_lang.setdefault(each.lang, []).append(each.text)
    found = []
    for lang, texts in sorted(by_lang.items(), key=lambda item: (-len(item[1]), item[0])):
        lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
        found.append(count(lang, texts, lengths))
    return found


def together(found: Sequence[Exposure], pretraining: Pretraining) -> tuple[Counted, tuple[float, float]]:
    """All languages' counts, and their tokens per pre-training token, lowest and highest."""
    parts = [each.counted for each in found]
    total = Counted(
        "all",
        sum(each.texts for each in parts),
        sum(each.words for each in parts),
        sum(each.bytes for each in parts),
        sum(each.tokens for each in parts),
    )
    return total, (sum(each.of_all[0] for each in found), sum(each.of_all[1] for each in found))
