"""Brings the staged rows into the corpus: new ones are added, changed ones updated, the rest left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus.importing.staging import STAGED
from xlt.corpus.schema import TWEETS, text_key, words_key

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = tuple(name for name in TWEETS if name not in ("id", "platform", "lang", "lang_confidence", "source"))
"""What a file can give beside the id; the language is detected later."""


@dataclass(frozen=True)
class Merged:
    """What came of a file's rows."""

    added: int
    changed: int
    reworded: int
    """Of the changed ones, those whose text is another."""
    forgotten: int
    """Rows left out because their erasure was asked for."""
    textless: int = 0
    """Of a file that was not staged, the posts without text; of others `inspect` has said it."""


def merge(con: DuckDBPyConnection, source: int, key_of_id: str) -> Merged:
    """Merge `staged` into `tweets`. Call inside a transaction. `key_of_id` is SQL of a forgotten post's mark.

    A value that the file does not give leaves the one that is known: a table of ids and texts empties nothing.
    """
    forgotten = _leave_forgotten(con, key_of_id)
    before = _count(con, "SELECT count(*) FROM tweets")
    present = staged_columns(con)
    columns = [name for name in COLUMNS if name in present]
    names = ", ".join(("id", "platform", *columns))
    if before == 0:
        con.execute(f"INSERT INTO tweets ({names}, source) SELECT {names}, {source} FROM {STAGED}")
        return Merged(_count(con, "SELECT count(*) FROM tweets"), 0, 0, forgotten)
    same = "t.platform = s.platform AND t.id = s.id"
    reworded = _count(con, f"SELECT count(*) FROM tweets t JOIN {STAGED} s ON {same} WHERE t.text <> s.text")
    given = [name for name in columns if name != "text_key"]
    differs = " OR ".join(
        f"(s.{name} IS NOT NULL AND {_plain(name, 't')} IS DISTINCT FROM {_plain(name, 's')})" for name in given
    )
    updates = ", ".join(f"{name} = coalesce(s.{name}, t.{name})" for name in given)
    # The words are what the file gives and what was known.
    quoted = "coalesce(s.quoted_text, t.quoted_text)" if "quoted_text" in present else "t.quoted_text"
    updates += f", text_key = {words_key('coalesce(s.text, t.text)', quoted)}"
    # Another text is in another language, until it is detected anew.
    stale = "s.text IS NOT NULL AND s.text IS DISTINCT FROM t.text"
    detected = ", ".join(
        f"{name} = CASE WHEN {stale} THEN NULL ELSE t.{name} END" for name in ("lang", "lang_confidence")
    )
    values = ", ".join(f"s.{name}" for name in ("id", "platform", *columns))
    touched = _count(
        con,
        f"MERGE INTO tweets t USING {STAGED} s ON {same} "
        f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {updates}, {detected}, source = {source} "
        f"WHEN NOT MATCHED THEN INSERT ({names}, source) VALUES ({values}, {source})",
    )
    added = _count(con, "SELECT count(*) FROM tweets") - before
    return Merged(added, touched - added, reworded, forgotten)


def staged_columns(con: DuckDBPyConnection) -> set[str]:
    """The columns that `staged` has."""
    return {str(row[0]) for row in con.execute(f"DESCRIBE {STAGED}").fetchall()}


def _plain(name: str, table: str) -> str:
    return f"{table}.{name}::VARCHAR" if name == "extra" else f"{table}.{name}"


def _count(con: DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row else 0


def _leave_forgotten(con: DuckDBPyConnection, key_of_id: str) -> int:
    if not _count(con, "SELECT count(*) FROM forgotten"):
        return 0
    return _count(con, f"DELETE FROM {STAGED} WHERE {key_of_id} IN (SELECT mark FROM forgotten)")


def complete_retweets(con: DuckDBPyConnection) -> tuple[int, int]:
    """Give retweets that their file cuts (`RT @user: …`) the full text of their post, where it is known.

    Returns how many were completed and how many remain cut. Call before `merge`.
    """
    present = staged_columns(con)
    if "retweet_of" not in present:
        return 0, 0
    key = words_key("o.text", f"{STAGED}.quoted_text") if "quoted_text" in present else text_key("o.text")
    cut = "text LIKE 'RT @%' AND retweet_of IS NOT NULL"
    waiting = _count(con, f"SELECT count(*) FROM {STAGED} WHERE {cut}")
    if not waiting:
        return 0, 0
    done = 0
    for table in (STAGED, "tweets"):
        done += _count(
            con,
            f"UPDATE {STAGED} SET text = o.text, text_key = {key} FROM (SELECT platform, id, text FROM "
            f"{table} WHERE text IS NOT NULL AND retweet_of IS NULL) o WHERE {STAGED}.retweet_of = o.id "
            f"AND {STAGED}.platform = o.platform AND {STAGED}.text LIKE 'RT @%'",
        )
    return done, _count(con, f"SELECT count(*) FROM {STAGED} WHERE {cut} AND (text LIKE '%…' OR text LIKE '%...')")
