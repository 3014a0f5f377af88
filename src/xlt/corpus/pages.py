"""Posts to look at: a page of lines for a list, and one post with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CUT = 400
"""Characters of a text that a line gets."""


@dataclass(frozen=True)
class Line:
    """A post in a list."""

    number: int
    """Its row in the file."""
    created_at: datetime | None
    """UTC."""
    language: str
    text: str | None
    """At most CUT characters."""
    label: str | None
    confidence: float | None


@dataclass(frozen=True)
class Hand:
    """A label that a person gave."""

    label: str | None
    coder: str
    coded_at: datetime
    note: str | None


@dataclass(frozen=True)
class Post:
    """One post."""

    number: int
    id: str
    platform: str
    text: str | None
    quoted_text: str | None
    created_at: datetime | None
    lang_tag: str | None
    lang: str | None
    lang_confidence: float | None
    author: str | None
    country: str | None
    place: str | None
    url: str | None
    retweet_of: str | None
    reply_to: str | None
    quote_of: str | None
    likes: int | None
    reposts: int | None
    times: int
    """Posts of the corpus with the same text, this one among them."""
    label: str | None
    confidence: float | None
    p: tuple[float, ...]
    """One per label of the run, in its order."""
    hands: tuple[Hand, ...]
    others: tuple[tuple[str, str, float], ...]
    """(run, label, confidence) of the other runs."""
    key: str | None = None
    """Of its text; None when it has none."""


def page(con: DuckDBPyConnection, numbers: Sequence[int], run: str | None) -> list[Line]:
    """The posts in these rows, in this order; a row that is gone is left out."""
    # In two steps: joined in one query, DuckDB reads all predictions for these few, at seven times the cost.
    rows = con.execute(
        f"SELECT rowid, text_key, created_at, coalesce(lang, lang_tag, 'und'), left(text, {CUT}) FROM tweets "
        "WHERE rowid IN (SELECT unnest(?::BIGINT[]))",
        [list(numbers)],
    ).fetchall()
    given: dict[Any, tuple[str, float]] = {}
    if run is not None:
        keys = [row[1] for row in rows if row[1] is not None]
        predicted = con.execute(
            "SELECT text_key, label, confidence FROM predictions WHERE run = ? AND text_key IN "
            "(SELECT unnest(?::UUID[]))",
            [run, keys],
        ).fetchall()
        given = {key: (label, confidence) for key, label, confidence in predicted}
    found = {
        number: Line(number, created_at, language, text, *given.get(key, (None, None)))
        for number, key, created_at, language, text in rows
    }
    return [found[number] for number in numbers if number in found]


_COLUMNS = (
    "id, platform, text, quoted_text, created_at, lang_tag, lang, lang_confidence, author, country, place, url, "
    "retweet_of, reply_to, quote_of, likes, reposts"
)


def post(con: DuckDBPyConnection, number: int, run: str | None) -> Post | None:
    """The post in this row; None when it is gone."""
    rows = con.execute(f"SELECT text_key, {_COLUMNS} FROM tweets WHERE rowid = ?", [number]).fetchall()
    if not rows:
        return None
    key, *values = rows[0]
    given = con.execute("SELECT run, label, confidence, p FROM predictions WHERE text_key = ?", [key]).fetchall()
    mine = next((each for each in given if each[0] == run), (run, None, None, ()))
    hands = con.execute(
        "SELECT label, coder, coded_at, note FROM gold WHERE text_key = ? AND (tweet_id IS NULL OR tweet_id = ?) "
        "ORDER BY coded_at",
        [key, values[0]],
    ).fetchall()
    times = con.execute("SELECT count(*) FROM tweets WHERE text_key = ?", [key]).fetchall()[0][0]
    others = tuple((each[0], each[1], each[2]) for each in given if each[0] != run)
    said = (*mine[1:3], tuple(mine[3]), tuple(Hand(*each) for each in hands), others)
    known: list[Any] = [number, *values, max(1, int(times)), *said, None if key is None else str(key)]
    return Post(*known)
