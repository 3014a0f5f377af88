"""Our own tweets: valid files, families kept together, nothing held out among what is learnt from."""

from __future__ import annotations

from collections import Counter

import pytest

from xlt_mini.split import HELD_OUT, own_tweets, shingles, split, tweet_families
from xlt_mini.tweets import LABELS, LANGUAGES, Tweet


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_sixty_tweets_of_every_label(lang: str) -> None:
    counts = Counter(tweet.label for tweet in own_tweets([lang]))
    assert min(counts[label] for label in LABELS) >= 60


def test_every_tweet_is_on_one_side_and_a_fixed_one() -> None:
    sides = split()
    keys = [(tweet.lang, tweet.line) for side in (sides.learn, sides.dev, sides.heldout) for tweet in side]
    assert len(keys) == len(set(keys)) == len(own_tweets())
    assert split() == sides


def test_no_translation_or_near_duplicate_of_a_held_out_tweet_is_learnt() -> None:
    sides = split()
    everything = [*sides.train, *sides.heldout]
    family = tweet_families(everything)
    assert not set(family[: len(sides.train)]) & set(family[len(sides.train) :])
    assert not {t.group for t in sides.train if t.group} & {t.group for t in sides.heldout}
    assert not {t.text.casefold() for t in sides.train} & {t.text.casefold() for t in sides.heldout}


def test_every_language_and_label_loses_about_the_same_share() -> None:
    sides = split()
    held = Counter((tweet.lang, tweet.label) for tweet in sides.heldout)
    for key, count in Counter((tweet.lang, tweet.label) for tweet in own_tweets()).items():
        assert abs(held[key] / count - HELD_OUT) < 0.08, key


def test_a_near_duplicate_joins_the_family() -> None:
    def tweet(text: str, line: int, lang: str = "en", group: str = "") -> Tweet:
        return Tweet(lang, "pro", group, "", text, line)

    found = tweet_families(
        [
            tweet("Let them stay, they are our neighbours and our friends", 2),
            tweet("@user LET THEM STAY!! they are our neighbours and our friends 😀", 3),
            tweet("Lass sie bleiben", 4, "de", "s001"),
            tweet("Que se queden", 5, "es", "s001"),
            tweet("What a goal last night", 6),
        ]
    )
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found == [0, 0, 2, 2, 4]
    assert shingles("A") == shingles("a!")
