"""Fills in the language of the corpus's tweets: a step of its own, in rounds, so that it can be stopped at any time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from xlt import __version__
from xlt.corpus import gate
from xlt.errors import Interrupted
from xlt.languages.detect import check_candidates, detect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Posts per round: some seconds of work that a stop can lose.
ROUND = 200_000
PATIENCE = 60.0


@dataclass(frozen=True)
class Language:
    """What was found of one language in the whole corpus."""

    code: str
    posts: int
    confidence: float
    """Mean over posts."""
    tagged: int
    """Posts that the platform gave a language."""
    agreed: int
    """Of those, the ones where it is the same."""


@dataclass(frozen=True)
class Detected:
    """What a detection did."""

    posts: int
    """Posts whose language was filled in now."""
    seconds: float
    languages: list[Language]
    """Of all posts that have a language, the most frequent first."""


def detect_languages(
    corpus: Path,
    candidates: Sequence[str] | None = None,
    again: bool = False,
    heard: Callable[[int, int, float], None] = lambda done, total, seconds: None,
) -> Detected:
    """Find the language of every tweet that has none yet (`again`: of all).

    The corpus is closed while texts are looked at. `heard(done, total, seconds)` is called after each round, in posts.
    Raises UsageError; Interrupted when the user stops it (what was found is kept).
    """
    codes = check_candidates(candidates)
    begun = time.perf_counter()
    with gate.opened(corpus, write=True, patience=PATIENCE) as con:
        total = _begin(con, codes, again)
    done = 0
    try:
        while True:
            with gate.opened(corpus, patience=PATIENCE) as con:
                texts = _unknown(con)
            if not texts:
                break
            found = detect([text for _, text in texts], codes)
            with gate.opened(corpus, write=True, patience=PATIENCE) as con:
                done += _fill(con, [key for key, _ in texts], found)
            heard(done, total, time.perf_counter() - begun)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped; {done:,} posts have their language, and xlt detect goes on with the others."
        ) from None
    with gate.opened(corpus, patience=PATIENCE) as con:
        return Detected(done, time.perf_counter() - begun, languages_of(con))


def _begin(con: DuckDBPyConnection, codes: Sequence[str], again: bool) -> int:
    """Write down what detects; forget what was found if that was asked for; how many posts have to be looked at."""
    con.execute("BEGIN")
    if again:
        con.execute("UPDATE tweets SET lang = NULL, lang_confidence = NULL WHERE lang IS NOT NULL")
    con.execute("UPDATE tweets SET lang = 'und', lang_confidence = 0 WHERE lang IS NULL AND text_key IS NULL")
    how = {"candidates": list(codes), "py3langid": version("py3langid"), "xlt": __version__}
    con.execute("DELETE FROM meta WHERE key = 'detection'")
    con.execute("INSERT INTO meta VALUES ('detection', ?)", [json.dumps(how)])
    con.execute("COMMIT")
    row = con.execute("SELECT count(*) FROM tweets WHERE lang IS NULL").fetchone()
    return int(row[0]) if row else 0


def _unknown(con: DuckDBPyConnection) -> list[tuple[str, str]]:
    """Keys and texts of the next posts, each text once."""
    return con.execute(
        "SELECT text_key::VARCHAR, coalesce(any_value(text), '') FROM (SELECT text_key, text FROM tweets "
        f"WHERE lang IS NULL AND text_key IS NOT NULL LIMIT {ROUND}) GROUP BY text_key"
    ).fetchall()


def _fill(con: DuckDBPyConnection, keys: Sequence[str], found: Sequence[tuple[str, float]]) -> int:
    """Write what was found to every post that has one of the texts; how many posts those were."""
    import pyarrow as pa

    table = pa.table(
        {
            "text_key": pa.array(keys, pa.string()),
            "lang": pa.array([code for code, _ in found], pa.string()),
            "lang_confidence": pa.array([confidence for _, confidence in found], pa.float32()),
        }
    )
    con.register("found", table)
    try:
        row = con.execute(
            "UPDATE tweets SET lang = f.lang, lang_confidence = f.lang_confidence "
            "FROM (SELECT text_key::UUID AS text_key, lang, lang_confidence FROM found) f "
            "WHERE tweets.text_key = f.text_key AND tweets.lang IS NULL"
        ).fetchone()
    finally:
        con.unregister("found")
    return int(row[0]) if row else 0


def languages_of(con: DuckDBPyConnection) -> list[Language]:
    """The detected languages of an open corpus."""
    rows = con.execute(
        "SELECT lang, count(*), avg(lang_confidence), count(*) FILTER (WHERE lang_tag <> 'und'), "
        "count(*) FILTER (WHERE lang_tag = lang AND lang_tag <> 'und') FROM tweets WHERE lang IS NOT NULL "
        "GROUP BY lang ORDER BY 2 DESC, 1"
    ).fetchall()
    return [Language(*row) for row in rows]


def undetected(con: DuckDBPyConnection) -> tuple[int, int]:
    """Posts of an open corpus without a detected language, and all posts."""
    row = con.execute("SELECT count(*) - count(lang), count(*) FROM tweets").fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
