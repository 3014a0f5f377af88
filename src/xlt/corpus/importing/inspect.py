"""What is odd about a staged file: rounded ids, repeated ids, dates that are none, retweets that are cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xlt.corpus.importing.staging import STAGED
from xlt.corpus.rejects import Reject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# An id with 16 digits or more no longer fits a spreadsheet's numbers; by chance one in a thousand ends in 000.
_LONG = r"\d{16,}"
_SUSPECT = 0.02
_SCIENTIFIC = r"\d+([.,]\d+)?[eE]\+?\d+"
_MADE = "left(sha256(concat_ws(chr(31), coalesce(text, ''), coalesce(author, ''), created_at::VARCHAR)), 24)"


@dataclass
class Findings:
    """What was found and done in one staged file."""

    notes: list[str] = field(default_factory=list)
    """Sentences for the user."""
    rejects: list[Reject] = field(default_factory=list)
    rows: int = 0
    """Posts in the file, before any was rejected or dropped."""
    skipped: int = 0


def inspect(con: DuckDBPyConnection, file: str, ids_expected: bool) -> Findings:
    """Reject what is no post, and mend ids; leave in `staged` rows with an id. Then `drop_repeats`.

    `ids_expected` is false for a table without any column of ids.
    """
    found = Findings()
    total, skipped, nameless, unread, textless = numbers(
        con,
        f"SELECT count(*), count(*) FILTER (skip), count(*) FILTER (NOT skip AND coalesce(id, '') = ''), "
        f"count(unread), count(*) FILTER (NOT skip AND text IS NULL) FROM {STAGED}",
    )
    found.rows, found.skipped = total - skipped, skipped
    if skipped:
        found.notes.append(f"Passed over, since no posts (notices, service messages): {plural(skipped, 'object')}.")
    if ids_expected and nameless:
        _reject_nameless(con, file, found)
    if skipped or (ids_expected and nameless):
        con.execute(f"DELETE FROM {STAGED} WHERE skip OR ({str(ids_expected).lower()} AND coalesce(id, '') = '')")
    if textless > nameless or (textless and not ids_expected):
        found.notes.append(textless_note(textless))
    if unread:
        example = con.execute(f"SELECT first(unread) FROM {STAGED} WHERE unread IS NOT NULL").fetchone()
        if example and example[0] is not None:
            found.notes.append(f"{plural(unread, 'date')} can't be right, such as {example[0]!r}; kept without a date.")
    if not ids_expected:
        _make_ids(con, "true")
        found.notes.append(
            "There is no column of ids, so each row got one made from its text, author and date; the same row in "
            "another file would get the same id. If there is such a column, name it with --id-column."
        )
    else:
        _rounded(con, found)
    return found


def plural(count: int, noun: str) -> str:
    """`1 post`, `2,000 posts`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def textless_note(count: int) -> str:
    """What is said of posts without text."""
    return f"Without text (pictures only, or removed), and kept: {plural(count, 'post')}."


def numbers(con: DuckDBPyConnection, query: str) -> tuple[int, ...]:
    """The whole numbers in a query's only row."""
    rows = con.execute(query).fetchall()
    return tuple(int(each or 0) for each in rows[0])


def _reject_nameless(con: DuckDBPyConnection, file: str, found: Findings) -> None:
    rows = con.execute(f"SELECT nr, failed, text FROM {STAGED} WHERE NOT skip AND coalesce(id, '') = '' ORDER BY nr")
    while batch := rows.fetchmany(10_000):
        for number, failed, words in batch:
            reason = f"an error of the API in place of a post: {failed}" if failed else "no id"
            found.rejects.append(Reject(file, number, reason, (words or "")[:1000]))


def _make_ids(con: DuckDBPyConnection, which: str) -> None:
    """Give rows ids made from what they hold; equal rows are told apart by counting them."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE made AS SELECT nr, 'made-' || {_MADE} || '-' || "
        f"row_number() OVER (PARTITION BY {_MADE} ORDER BY nr) AS id FROM {STAGED} WHERE {which}"
    )
    con.execute(f"UPDATE {STAGED} SET id = made.id FROM made WHERE {STAGED}.nr = made.nr")
    con.execute("DROP TABLE made")


def _rounded(con: DuckDBPyConnection, found: Findings) -> None:
    """Ids that a spreadsheet has rounded: 1.54E+18, 1540000000000000000.0, or too many that end in 000."""
    if numbers(con, f"SELECT count(*) FROM {STAGED} WHERE contains(id, '.0')")[0]:
        con.execute(
            f"UPDATE {STAGED} SET id = regexp_extract(id, '^(\\d+)\\.0+$', 1) WHERE regexp_full_match(id, '\\d+\\.0+')"
        )
    scientific, long, zeros = _long_ids(con, STAGED)
    if scientific:
        which = f"regexp_full_match(id, '{_SCIENTIFIC}')"
        row = con.execute(f"SELECT first(id) FROM {STAGED} WHERE {which}").fetchone()
        example = row[0] if row else ""
        _make_ids(con, which)
        found.notes.append(
            f"{plural(scientific, 'id')} rounded by a spreadsheet (such as {example}) name no post any more; these "
            "rows got ids made from their text, author and date. Export again with the ids as text, if you can."
        )
    if _suspicious(long, zeros):
        which = (
            f"id LIKE '%000' AND id IN (SELECT id FROM {STAGED} WHERE length(id) >= 16 AND id LIKE '%000' GROUP BY id "
            "HAVING count(DISTINCT text_key) > 1)"
        )
        clashing = numbers(con, f"SELECT count(*) FROM {STAGED} WHERE {which}")[0]
        if clashing:
            _make_ids(con, which)
        found.notes.append(
            f"{zeros:,} of {long:,} long ids end in 000: a spreadsheet has probably rounded them, so they may not name "
            "the posts that they came with."
            + (
                f" {clashing:,} stood for several texts; these rows got ids made from what they hold."
                if clashing
                else ""
            )
        )


def _long_ids(con: DuckDBPyConnection, table: str) -> tuple[int, ...]:
    """How many ids are in a spreadsheet's notation, how many are long, and how many of these end in 000."""
    # Cheap tests first: a regular expression over each of ten million ids takes seconds.
    scientific, zeros = numbers(
        con,
        f"SELECT count(*) FILTER (contains(lower(id), 'e') AND regexp_full_match(id, '{_SCIENTIFIC}')), "
        f"count(*) FILTER (id LIKE '%000' AND regexp_full_match(id, '{_LONG}')) FROM {table}",
    )
    long = numbers(con, f"SELECT count(*) FROM {table} WHERE regexp_full_match(id, '{_LONG}')")[0] if zeros else 0
    return scientific, long, zeros


def _suspicious(long: int, zeros: int) -> bool:
    return zeros >= 3 and zeros > _SUSPECT * long


def rounded_ids(con: DuckDBPyConnection, table: str) -> bool:
    """Whether ids in a table look as if a spreadsheet had rounded or reshaped them."""
    scientific, long, zeros = _long_ids(con, table)
    pointed = numbers(con, f"SELECT count(*) FROM {table} WHERE contains(id, '.0')")[0]
    return bool(scientific or pointed or _suspicious(long, zeros))


def drop_repeats(con: DuckDBPyConnection) -> list[str]:
    """Leave each id once in `staged`: the later row wins. Returns what there is to say about it."""
    total, distinct = numbers(con, f"SELECT count(*), count(DISTINCT id) FROM {STAGED}")
    if total == distinct:
        return []
    differing, example = con.execute(
        f"SELECT count(*), min(id) FROM (SELECT id FROM {STAGED} GROUP BY id "
        "HAVING count(DISTINCT coalesce(text_key::VARCHAR, '')) > 1)"
    ).fetchone() or (0, "")
    con.execute(f"DELETE FROM {STAGED} WHERE nr NOT IN (SELECT max(nr) FROM {STAGED} GROUP BY id)")
    notes = [f"{plural(total - distinct, 'row')} repeated an id of this file; the last of each id is kept."]
    if differing:
        notes.append(
            f"{plural(differing, 'id')} with different texts, such as {example}; the text that comes last is kept."
        )
    return notes
