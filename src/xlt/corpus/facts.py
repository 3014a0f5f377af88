"""What a corpus is made of, for reports: languages, dates, files, hand labels. No text, no author."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class LanguageFacts:
    """The posts of one language, or of all."""

    lang: str
    posts: int
    texts: int
    """Distinct ones."""
    reposts: int
    authors: int
    first: datetime | None
    last: datetime | None
    gold: int
    """Distinct texts that people gave a label of the task."""


@dataclass(frozen=True)
class FileFacts:
    """One import."""

    file: str
    sha256: str
    mapping: str
    imported_at: datetime
    rows: int
    added: int
    rejected: int


def languages(con: DuckDBPyConnection, task: str) -> list[LanguageFacts]:
    """Every language, the commonest first, and `all`; the detected language, or the tag where none was detected."""
    rows = con.execute(
        "WITH coded AS (SELECT DISTINCT text_key FROM gold WHERE task = $task AND label IS NOT NULL) "
        "SELECT coalesce(coalesce(lang, lang_tag, 'und'), 'und') AS language, count(*), count(DISTINCT t.text_key), "
        "count(retweet_of), count(DISTINCT author), min(created_at), max(created_at), "
        "count(DISTINCT c.text_key) FROM tweets t LEFT JOIN coded c ON c.text_key = t.text_key "
        "GROUP BY GROUPING SETS ((language), ()) ORDER BY grouping(language), 2 DESC, 1",
        {"task": task},
    ).fetchall()
    found = [LanguageFacts(row[0] or "all", row[1], row[2], row[3], row[4], row[5], row[6], row[7]) for row in rows]
    return found[:1] if len(found) == 1 and not found[0].posts else found


def files(con: DuckDBPyConnection) -> list[FileFacts]:
    """Every import, in order."""
    rows = con.execute(
        "SELECT file, sha256, mapping, imported_at, rows, added, rejected FROM imports ORDER BY imported_at, id"
    ).fetchall()
    return [FileFacts(row[0], row[1], row[2], row[3], row[4], row[5], row[6]) for row in rows]
