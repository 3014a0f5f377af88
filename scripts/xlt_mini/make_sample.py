"""Writes the demo corpus `models/sample/sample.parquet`: our own tweets with invented dates, authors and retweets.

`python scripts/xlt_mini/make_sample.py [FILE]`. Always the same for the same tweets. Gold labels stand only at
tweets that xlt-mini was not trained on; `split` says which those are.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "src")]

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from xlt.tasks.load import load_task  # noqa: E402
from xlt_mini.split import split  # noqa: E402
from xlt_mini.tweets import Tweet  # noqa: E402

SAMPLE = ROOT / "models" / "sample" / "sample.parquet"
SEED = 7
HELDOUT, TRAIN = 1000, 1200
"""Distinct tweets of each side."""
LABELLED = 550
RETWEETS = 0.4
"""Share of rows that repeat another row."""
START, END = datetime(2022, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
BURSTS = 5
"""Days on which much is said about migration; talk fades over the following days."""
AUTHORS = 1400
COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("lang", pa.string()),
        ("created_at", pa.timestamp("ms", tz="UTC")),
        ("country", pa.string()),
        ("retweet_of", pa.string()),
        ("author", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("group_id", pa.string()),
    ]
)


def draw(tweets: list[Tweet], count: int, rng: random.Random) -> list[Tweet]:
    """`count` tweets, each language and label in proportion."""
    strata: defaultdict[tuple[str, str], list[Tweet]] = defaultdict(list)
    for tweet in tweets:
        strata[tweet.lang, tweet.label].append(tweet)
    ranked: list[tuple[float, int, Tweet]] = []
    for number, found in enumerate(strata.values()):
        rng.shuffle(found)
        ranked += [((place + rng.random()) / len(found), number, tweet) for place, tweet in enumerate(found)]
    return [tweet for *_, tweet in sorted(ranked, key=lambda entry: entry[:2])[:count]]


def rows() -> list[dict[str, object]]:
    """The sample's rows in the order of time."""
    rng = random.Random(SEED)
    names = {label.short: label.name for label in load_task("immigration").labels}
    sides = split()
    heldout = draw(sides.heldout, HELDOUT, rng)
    chosen = [(tweet, "heldout") for tweet in heldout] + [(t, "train") for t in draw(sides.train, TRAIN, rng)]
    labelled = {(tweet.lang, tweet.line) for tweet in draw(heldout, LABELLED, rng)}
    days = (END - START).days
    bursts = [START + timedelta(days=rng.uniform(20, days - 20)) for _ in range(BURSTS)]
    made: list[dict[str, object]] = []
    for number, (tweet, side) in enumerate(chosen):
        made.append(
            {
                "key": number,
                "text": tweet.text,
                "lang": tweet.lang,
                "created_at": _moment(tweet, bursts, rng),
                "country": tweet.country or None,
                "of": None,
                "author": _author(rng),
                "label": names[tweet.label] if (tweet.lang, tweet.line) in labelled else None,
                "split": side,
                # Translations of one text: who learns from some of them must not be tested on others.
                "group_id": tweet.group or None,
            }
        )
    made += _retweets(made, rng)
    made.sort(key=lambda row: (row["created_at"], row["key"]))
    ids = {row["key"]: f"x{place:06d}" for place, row in enumerate(made, start=1)}
    return [
        {**{name: row.get(name) for name in COLUMNS.names}, "id": ids[row["key"]], "retweet_of": ids.get(row["of"])}
        for row in made
    ]


def _retweets(originals: list[dict[str, object]], rng: random.Random) -> list[dict[str, object]]:
    """Few tweets are repeated often, most never (Pareto); repeats come within hours, and carry the same label."""
    weights = [rng.paretovariate(1.1) - 1 for _ in originals]
    count = round(len(originals) * RETWEETS / (1 - RETWEETS))
    made: list[dict[str, object]] = []
    for number, source in enumerate(rng.choices(originals, [min(w, 60) for w in weights], k=count)):
        moment = source["created_at"]
        assert isinstance(moment, datetime)
        author = _author(rng)
        while author == source["author"]:
            author = _author(rng)
        made.append(
            {
                **source,
                "key": len(originals) + number,
                "of": source["key"],
                "created_at": moment + timedelta(seconds=round(60 + rng.expovariate(1 / 28_000))),
                "country": source["country"] if rng.random() < 0.6 else None,
                "author": author,
            }
        )
    return made


def _moment(tweet: Tweet, bursts: list[datetime], rng: random.Random) -> datetime:
    """A second in the two years: half of the tweets on migration follow a burst; most people write by day."""
    if tweet.label != "unrelated" and rng.random() < 0.5:
        day = rng.choice(bursts) + timedelta(days=rng.expovariate(1 / 5))
    else:
        day = START + timedelta(days=rng.uniform(0, (END - START).days - 3))
    hour = min(23, max(0, round(rng.gauss(16, 4.5))))
    return day.replace(hour=hour, minute=rng.randrange(60), second=rng.randrange(60), microsecond=0)


def _author(rng: random.Random) -> str:
    """An invented number; a few authors write much."""
    return (
        f"a{min(int(10 * rng.paretovariate(1.0)), AUTHORS):04d}"
        if rng.random() < 0.3
        else f"a{rng.randrange(AUTHORS):04d}"
    )


def write(path: Path = SAMPLE) -> pa.Table:
    """Write the sample and return it."""
    table = pa.Table.from_pylist(rows(), schema=COLUMNS)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=19)
    return table


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    table = write(target)
    print(f"{target}: {table.num_rows} rows, {target.stat().st_size:,} bytes")
