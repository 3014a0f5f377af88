"""Decides which of our tweets xlt-mini learns from, which choose its settings, and which it never sees.

Everything works on families: translations of one text, and near-duplicates, stay on one side. A family's side is
drawn from a hash of its texts, language by language and label by label, so that it changes little when tweets are
added.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from xlt_mini.tweets import LANGUAGES, Tweet, read

SEED = "xlt-mini-1"
HELD_OUT = 0.18
"""Share of each language and label that the shipped model never learns from; the labelled rows of the sample."""
DEV = 0.2
"""Share of the rest that chooses settings; the shipped weights learn from it again in the end."""
NEAR = 0.5
"""Texts that share this part of their character 5-grams (Jaccard) count as one."""


@dataclass(frozen=True)
class Split:
    """Our own tweets by side: `learn` and `dev` together train the shipped model."""

    learn: list[Tweet]
    dev: list[Tweet]
    heldout: list[Tweet]

    @property
    def train(self) -> list[Tweet]:
        """What the shipped model is trained on."""
        return [*self.learn, *self.dev]


def shingles(text: str, size: int = 5) -> frozenset[str]:
    """Character n-grams of the text without case, handles, links and punctuation."""
    bare = re.sub(r"@\w+|https?://\S+", " ", unicodedata.normalize("NFKC", text).casefold())
    bare = " ".join(re.findall(r"\w+", bare))
    return frozenset(bare[i : i + size] for i in range(max(1, len(bare) - size + 1)))


def near_pairs(texts: Sequence[str], threshold: float = NEAR) -> list[tuple[int, int]]:
    """Pairs of positions whose texts are near-duplicates."""
    sets = [shingles(text) for text in texts]
    having: defaultdict[str, list[int]] = defaultdict(list)
    pairs: list[tuple[int, int]] = []
    for here, own in enumerate(sets):
        shared: defaultdict[int, int] = defaultdict(int)
        for shingle in own:
            for there in having[shingle]:
                shared[there] += 1
            having[shingle].append(here)
        pairs += [
            (there, here)
            for there, count in shared.items()
            if count >= threshold * (len(own) + len(sets[there]) - count)
        ]
    return pairs


def families(texts: Sequence[str], groups: Sequence[str] = ()) -> list[int]:
    """The position of each text's first relative: members of one group and near-duplicates are relatives, chained."""
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    joined = [(first.setdefault(group, i), i) for i, group in enumerate(groups) if group]
    # The lower root wins, so that the order of the pairs does not matter.
    for a, b in [*joined, *near_pairs(texts)]:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(i) for i in range(len(texts))]


def tweet_families(tweets: Sequence[Tweet]) -> list[int]:
    """`families` of tweets: translations of one text belong together."""
    return families([tweet.text for tweet in tweets], [tweet.group for tweet in tweets])


def own_tweets(langs: Sequence[str] = LANGUAGES) -> list[Tweet]:
    """All tweets of the given languages, in the order of their files."""
    return [tweet for lang in langs for tweet in read(lang)]


def split(tweets: Sequence[Tweet] | None = None) -> Split:
    """Our tweets on their three sides; always the same for the same files."""
    rows = own_tweets() if tweets is None else list(tweets)
    members: defaultdict[int, list[Tweet]] = defaultdict(list)
    for number, tweet in zip(tweet_families(rows), rows, strict=True):
        members[number].append(tweet)
    # Families over several languages form strata of their own, so that each label loses the same share of them.
    strata: defaultdict[tuple[str, str], list[tuple[str, list[Tweet]]]] = defaultdict(list)
    for family in members.values():
        langs = {tweet.lang for tweet in family}
        key = min(_digest(tweet.group or f"{tweet.lang} {tweet.text}") for tweet in family)
        strata[langs.pop() if len(langs) == 1 else "shared", family[0].label].append((key, family))
    sides: tuple[list[Tweet], list[Tweet], list[Tweet]] = ([], [], [])
    for found in strata.values():
        ordered = [family for _, family in sorted(found, key=lambda pair: pair[0])]
        total = sum(len(family) for family in ordered)
        bounds = (HELD_OUT * total, (HELD_OUT + (1 - HELD_OUT) * DEV) * total)
        done = 0
        for family in ordered:
            sides[0 if done < bounds[0] else 1 if done < bounds[1] else 2].extend(family)
            done += len(family)
    heldout, dev, learn = (sorted(side, key=lambda tweet: (tweet.lang, tweet.line)) for side in sides)
    return Split(learn, dev, heldout)


def _digest(text: str) -> str:
    return hashlib.sha256(f"{SEED} {text}".encode()).hexdigest()
