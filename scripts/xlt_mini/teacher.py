"""Character n-grams with logistic regression: the baseline of the card, and the teacher of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xlt_mini.rows import Floats, Row


class Ngrams:
    """TF-IDF of character 2- to 5-grams within words, multinomial logistic regression."""

    def __init__(
        self, rows: Sequence[Row], weights: Floats | None = None, inverse_penalty: float = 6.0, iterations: int = 60
    ) -> None:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        self._features: Any = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
        matrix = self._features.fit_transform([row.text for row in rows])
        self._model: Any = LogisticRegression(C=inverse_penalty, max_iter=iterations, tol=1e-3)
        # One thread: on these small products several only wait for one another.
        with warnings.catch_warnings(), threadpool_limits(1):
            # Cut short on purpose: later steps no longer change a label.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(matrix, [row.label for row in rows], sample_weight=weights)

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Probabilities, (texts, labels)."""
        out: Floats = self._model.predict_proba(self._features.transform(texts))
        return out


class Teachers:
    """One n-gram model per fold, each ignorant of the rows that it is asked about."""

    def __init__(self, rows: Sequence[Row], weights: Floats, folds: int = 5) -> None:
        self._folds = folds
        parts = np.array([row.fold(folds) for row in rows])
        self._models = [
            Ngrams([row for row, p in zip(rows, parts, strict=True) if p != k], weights[parts != k])
            for k in range(folds)
        ]

    def __call__(self, texts: Sequence[str], sources: Sequence[Row]) -> Floats:
        """Probabilities of texts made from `sources`, from the model that has not seen the source."""
        parts = np.array([row.fold(self._folds) for row in sources])
        out = np.zeros((len(texts), 0))
        for fold in range(self._folds):
            at = np.flatnonzero(parts == fold)
            if len(at):
                got = self._models[fold]([texts[int(i)] for i in at])
                if not out.size:
                    out = np.zeros((len(texts), got.shape[1]))
                out[at] = got
        return out
