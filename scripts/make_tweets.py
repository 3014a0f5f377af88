"""Makes any number of tweets that look like real ones in what costs time: lengths, languages, reposts, authors, dates.

    python scripts/make_tweets.py --rows 10_000_000 --seed 1 /tmp/tweets.parquet

The words are those of xlt-mini's own tweets, shuffled, so the texts mean nothing. The same seed makes the same rows
with the same version of numpy.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from xlt_mini.tweets import read

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 250_000
MIX = {
    "en": 38,
    "es": 16,
    "pt": 9,
    "ar": 8,
    "tr": 6,
    "fr": 5,
    "id": 5,
    "de": 4,
    "it": 3,
    "hi": 2,
    "ko": 2,
    "pl": 1,
    "hu": 1,
}
COUNTRIES = {"en": "US", "es": "MX", "pt": "BR", "ar": "EG", "tr": "TR", "fr": "FR", "id": "ID", "de": "DE", "it": "IT"}
COUNTRIES |= {"hi": "IN", "ko": "KR", "pl": "PL", "hu": "HU"}
REPOSTS = 0.6
FIRST_ID = 1_500_000_000_000_000_000
START, DAYS = np.datetime64("2023-01-01T00:00:00"), 1000


class Maker:
    """Rows in chunks; originals of all chunks so far can be reposted."""

    def __init__(self, rows: int, seed: int) -> None:
        self._rows = rows
        self._python = random.Random(seed)
        self._numpy = np.random.default_rng(seed)
        self._authors = max(10, rows // 6)
        self._words = {lang: [tweet.text.split() for tweet in read(lang)] for lang in MIX}
        self._tags = {
            lang: sorted({w for words in each for w in words if w[0] == "#"}) for lang, each in self._words.items()
        }
        # What can be reposted: the row number, the language and the text of every fourth original.
        self._known: list[tuple[int, int, str]] = []

    def chunks(self) -> Iterator[pa.Table]:
        """All rows, at most CHUNK at a time."""
        for first in range(0, self._rows, CHUNK):
            yield self._chunk(first, min(CHUNK, self._rows - first))

    def _text(self, lang: str) -> str:
        pick = self._python
        words = self._words[lang]
        one, two = pick.choice(words), pick.choice(words)
        cut = pick.randrange(len(one) + 1)
        text = " ".join((*one[:cut], *two[-pick.randint(2, 24) :]))
        if self._tags[lang] and pick.random() < 0.2:
            text += " " + pick.choice(self._tags[lang])
        # A number that makes it one of its kind, as links do in real tweets.
        return f"{text[:270]} {pick.randrange(10**7)}"

    def _chunk(self, first: int, count: int) -> pa.Table:
        import pyarrow as pa

        draw = self._numpy
        names = list(MIX)
        chances = np.array(list(MIX.values()), np.float64)
        lang = draw.choice(len(names), count, p=chances / chances.sum())
        repost = draw.random(count) < REPOSTS
        # The newest and the luckiest are reposted most: a power of a uniform number piles up at the end of the list.
        luck = 1 - draw.random(count) ** 4
        texts: list[str] = []
        of: list[str | None] = []
        for row in range(count):
            if repost[row] and self._known:
                number, code, text = self._known[int(luck[row] * len(self._known)) - 1]
                lang[row] = code
                texts.append(text)
                of.append(str(FIRST_ID + number * 7919))
            else:
                text = self._text(names[lang[row]])
                texts.append(text)
                of.append(None)
                if row % 4 == 0:
                    self._known.append((first + row, int(lang[row]), text))
        return pa.table(self._columns(first, count, lang, texts, of))

    def _columns(self, first: int, count: int, lang: Any, texts: list[str], of: list[str | None]) -> dict[str, Any]:
        import pyarrow as pa

        draw = self._numpy
        names = list(MIX)
        # Log-uniform: the most active hundredth of the authors write more than half of everything.
        author = np.floor(self._authors ** draw.random(count)).astype(np.int64)
        wrong, unknown = draw.random(count) < 0.03, draw.random(count) < 0.05
        tags = np.where(wrong, draw.integers(0, len(names), count), lang)
        tag = ["und" if missing else names[code] for code, missing in zip(tags, unknown, strict=True)]
        placed = draw.random(count) < 0.15
        moment = START + (draw.random(count) * DAYS * 86_400).astype("timedelta64[s]")
        return {
            "id": pa.array([str(FIRST_ID + (first + row) * 7919) for row in range(count)]),
            "text": pa.array(texts),
            "lang": pa.array(tag),
            "created_at": pa.array(moment, pa.timestamp("s")),
            "author_id": pa.array([str(10_000_000 + each * 31) for each in author.tolist()]),
            "retweet_of": pa.array(of, pa.string()),
            "country": pa.array(
                [COUNTRIES[names[code]] if there else None for code, there in zip(lang, placed, strict=True)]
            ),
            "retweet_count": pa.array(draw.zipf(2.0, count).clip(max=100_000) - 1),
        }


def make(path: Path, rows: int, seed: int) -> None:
    """Write a Parquet file of `rows` tweets."""
    import pyarrow.parquet as pq

    writer = None
    for table in Maker(rows, seed).chunks():
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    """Read the command line and make the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    make(options.output, options.rows, options.seed)


if __name__ == "__main__":
    main()
