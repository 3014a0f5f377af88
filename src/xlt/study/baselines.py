"""What every tuned model must beat: character n-grams with logistic regression, and the commonest label."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xlt.errors import XltError

Probabilities = npt.NDArray[np.float32]
INVERSE_PENALTY = 6.0
ITERATIONS = 200


def ngrams(train: Sequence[str], labels: Sequence[int], texts: Sequence[str], of: int) -> Probabilities:
    """Probabilities for `texts`, (texts, of): TF-IDF of character 2- to 5-grams within words, logistic regression.

    `labels` are indices into a task of `of` labels; a label that no training text has gets 0. Raises XltError for one
    class only.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    known = sorted(set(labels))
    if len(known) < 2:
        raise XltError("n-grams need training texts of two labels or more.")
    features = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2 if len(train) > 200 else 1
    )
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=ITERATIONS, tol=1e-3)
    # One thread: on products this small several only wait for one another, and the last bits stay the same.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features.fit_transform(train), labels)
    out = np.zeros((len(texts), of), np.float32)
    if len(texts):
        out[:, known] = model.predict_proba(features.transform(texts))
    return out


def commonest(labels: Sequence[int], texts: int, of: int) -> Probabilities:
    """The shares of the training labels for every text, (texts, of); ties go to the first label of the task."""
    if not labels:
        raise XltError("The commonest label needs training texts.")
    found = Counter(labels)
    shares = np.array([found[label] / len(labels) for label in range(of)], np.float32)
    return np.tile(shares, (texts, 1))
