"""The rows that every cell of a study labels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from xlt.corpus.columns import opened
from xlt.corpus.importing.gold import spellings
from xlt.corpus.stage import LANG_COLUMNS, TEXT_COLUMNS
from xlt.errors import UsageError, XltError
from xlt.science.labels import match
from xlt.science.metrics import Ints
from xlt.study.design import Study
from xlt.study.rows import GOLD_COLUMNS
from xlt.tasks.spec import Task

TRANSLATIONS = ("translation", "text_en", "translated")


@dataclass(frozen=True)
class TestSet:
    """Texts with gold labels."""

    # Not a class of tests, whatever pytest thinks of its name.
    __test__ = False

    texts: tuple[str, ...]
    langs: tuple[str, ...]
    gold: Ints
    translations: tuple[str, ...] | None
    """The texts in English; a text that has none stands as it is (English ones need none)."""
    hash: str
    """SHA-256 over texts, languages and labels in order, 16 hexadecimal digits."""


def read_test(study: Study, task: Task) -> TestSet:
    """The test rows that have text and gold label. Raises UsageError, XltError."""
    columns = study.columns
    with opened((study.test,)) as source:
        text = source.need(columns.get("text"), TEXT_COLUMNS, "text_column", "texts")
        label = source.need(columns.get("label"), GOLD_COLUMNS, "label_column", "gold labels")
        lang = source.find(columns.get("lang"), LANG_COLUMNS, "lang_column")
        english = source.find(columns.get("translation"), TRANSLATIONS, "translation_column")
        if lang is None:
            raise UsageError(f"{study.test} has no column of languages; name it with lang_column in {study.path.name}.")
        cells = source.cells([text, label, *([english] if english else [])])
        langs = source.languages(lang)
    gold = match(cells[label], task.names, spellings(task))
    kept = [int(row) for row in np.flatnonzero(gold.codes >= 0) if (cells[text][row] or "").strip()]
    if not kept:
        raise XltError(f"{study.test} has no row with a text and a label of the task {task.name}.")
    texts = tuple(cells[text][row] or "" for row in kept)
    translations = tuple(cells[english][row] or cells[text][row] or "" for row in kept) if english else None
    codes = gold.codes[kept]
    digest = hashlib.sha256()
    for row, code, own in zip(kept, codes, texts, strict=True):
        digest.update(f"{langs[row]}\0{code}\0{own}\n".encode("utf-8", "replace"))
    return TestSet(texts, tuple(langs[row] for row in kept), codes, translations, digest.hexdigest()[:16])
