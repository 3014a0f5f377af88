"""The baselines of a study."""

from __future__ import annotations

import numpy as np
import pytest

from xlt.errors import XltError
from xlt.study.baselines import commonest, ngrams


def test_ngrams_learn_letters() -> None:
    train = ["walls walls", "more walls", "bridges now", "build bridges"]
    found = ngrams(train, [1, 1, 3, 3], ["walls!", "bridges!"], 4)
    assert found.shape == (2, 4)
    assert found.argmax(axis=1).tolist() == [1, 3]
    assert not found[:, [0, 2]].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert ngrams(train, [1, 1, 3, 3], [], 4).shape == (0, 4)


def test_the_commonest_label_and_ties() -> None:
    found = commonest([2, 2, 1], 3, 4)
    np.testing.assert_allclose(found, np.tile([0, 1 / 3, 2 / 3, 0], (3, 1)), rtol=1e-6)
    assert commonest([3, 1], 1, 4).argmax() == 1


def test_nothing_to_learn_from_is_a_sentence() -> None:
    with pytest.raises(XltError, match="two labels"):
        ngrams(["a", "b"], [1, 1], ["c"], 4)
    with pytest.raises(XltError, match="training texts"):
        commonest([], 1, 4)
