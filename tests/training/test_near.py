"""Near-duplicates: what is stripped, MinHash against exact Jaccard, and that no pair above the threshold is missed."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.made import text
from xlt.training.near import AGREE, SIZE, clusters, exact_key, signatures, similar_pairs, stripped


def shingles(bare: str) -> set[str]:
    return {bare[i : i + 5] for i in range(max(1, len(bare) - 4))}


@pytest.mark.parametrize(
    "other",
    [
        "RT @someone: The border is closed again, they say",
        "rt the border is closed again, they say",
        "@a @b The border   is closed again, they say https://t.co/abc",
        "THE BORDER IS CLOSED AGAIN, THEY SAY www.example.org/x",
        "RT @a: RT @b: The border is closed\nagain, they say",
        "Ｔhe border is closed again, they say",
    ],
)
def test_repeats_are_stripped_to_the_same(other: str) -> None:
    assert stripped(other) == stripped("The border is closed again, they say")


def test_what_is_no_mark_stays() -> None:
    assert stripped("art is long &amp; life short") == "art is long & life short"
    assert stripped("write to me@example.org") == "write to me@example.org"
    assert stripped("rts are no endorsement") == "rts are no endorsement"


def test_a_text_without_words_is_like_nothing() -> None:
    assert exact_key(stripped("@user https://t.co/x 🎉!")) == b""
    assert exact_key("ok") != b""


def test_no_texts_and_very_short_ones() -> None:
    assert signatures([]).shape == (0, SIZE)
    assert similar_pairs(signatures([])).shape == (0, 2)
    short = signatures(["a", "a", "b", "", "𝒳𝒴"])
    assert similar_pairs(short).tolist() == [[0, 1]]


def test_a_signature_does_not_depend_on_the_others() -> None:
    texts = [text(number) for number in range(50)]
    together = signatures(texts)
    assert all((signatures([each])[0] == together[here]).all() for here, each in enumerate(texts))


def test_the_estimate_is_that_of_exact_shingles() -> None:
    base = "".join(text(number) for number in range(4))
    pairs = [(base, base[:cut] + text(cut) * 2) for cut in range(40, 256, 3)]
    estimated = (signatures([a for a, _ in pairs]) == signatures([b for _, b in pairs])).mean(axis=1)
    exact = np.array([len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b)) for a, b in pairs])
    # A standard error of at most .044, and no bias.
    assert abs((estimated - exact).mean()) < 0.02
    assert np.abs(estimated - exact).max() < 0.18


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_pair_above_the_threshold_is_missed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**16, (12, SIZE), np.uint16)
    # Copies with some numbers changed, around the 25 that may be.
    signed = np.concatenate([base, base.copy(), base.copy()])
    for row in signed[12:]:
        places = rng.choice(SIZE, int(rng.integers(15, 35)), replace=False)
        row[places] = rng.integers(0, 2**16, len(places), np.uint16)
    agree = (signed[:, None] == signed[None]).sum(axis=2)
    wanted = {(i, j) for i, j in np.argwhere(agree >= AGREE).tolist() if i < j}
    assert {(i, j) for i, j in similar_pairs(signed).tolist()} == wanted
    across = {(i, j) for i, j in similar_pairs(signed[:12], signed[12:]).tolist()}
    assert across == {(i, j - 12) for i, j in wanted if i < 12 <= j}


def test_a_crowd_of_likes_is_joined_without_all_pairs() -> None:
    crowd = np.repeat(signatures([text(1)]), 3_000, axis=0)
    pairs = similar_pairs(crowd)
    assert len(pairs) < 400_000
    assert set(clusters(3_000, pairs).tolist()) == {0}


def test_clusters_are_chained_over_pairs_and_marks() -> None:
    found = clusters(6, np.array([[0, 1]]), [["", "x", "x", "", "", ""], ["", "", "y", "y", "", ""]]).tolist()
    assert found[0] == found[1] == found[2] == found[3]
    assert len(set(found)) == 3


def test_the_papers_test_texts_that_recur_in_train(shared_data: Path) -> None:
    def read(name: str) -> list[dict[str, str]]:
        with (shared_data / "immigration" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    train, test = read("train.csv"), read("test.csv")
    bare = [stripped(row["text"]) for row in train], [stripped(row["text"]) for row in test]
    found = {j for _, j in similar_pairs(signatures(bare[0]), signatures(bare[1])).tolist()}
    # Against exact Jaccard of all pairs.
    having: defaultdict[str, list[int]] = defaultdict(list)
    sets = [shingles(each) for each in bare[0]]
    for here, own in enumerate(sets):
        for shingle in own:
            having[shingle].append(here)
    exact: set[int] = set()
    for here, each in enumerate(bare[1]):
        own = shingles(each)
        shared: defaultdict[int, int] = defaultdict(int)
        for shingle in own:
            for there in having[shingle]:
                shared[there] += 1
        if any(count >= 0.8 * (len(own) + len(sets[there]) - count) for there, count in shared.items()):
            exact.add(here)
    assert found == exact
    assert len(found) == 37
    assert sum(test[here]["lang"] == "en" for here in found) == 29
