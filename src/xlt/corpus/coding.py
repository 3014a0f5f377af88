"""Hand coding: what a coder is to code next, labels as they are given, and how far everybody is.

Labels are rows that are added, never changed: a coder's newest row counts, an adjudicator's settles the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from xlt.corpus.draws import Draw

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Role = Literal["coder", "adjudicator"]
CodedFrom = Literal["original", "translation"]


@dataclass(frozen=True)
class Coding:
    """One label that a person gave."""

    text_key: str
    task: str
    label: str | None
    """None: uncodable or skipped for good; `note` says why."""
    coder: str
    draw: str | None = None
    tweet_id: str | None = None
    codebook: str | None = None
    note: str | None = None
    role: Role = "coder"
    coded_from: CodedFrom | None = None
    competence: str | None = None
    """How well the coder reads the language, in the coder's own words or a scale's."""
    blind: bool | None = None
    """Whether the model's label was hidden."""


@dataclass(frozen=True)
class Change:
    """A label given, or one taken back."""

    coding: Coding
    at: datetime
    """When it was given, in UTC; no coder gives two labels of a text at the same time."""
    taken_back: bool = False


@dataclass(frozen=True)
class Voice:
    """A coder's newest word on a text."""

    coder: str
    role: str
    label: str | None
    note: str | None
    coded_at: datetime


@dataclass(frozen=True)
class Item:
    """A text to be coded."""

    text_key: str
    tweet_id: str | None
    position: int
    stratum: str
    text: str
    quoted_text: str | None
    lang: str
    created_at: datetime | None
    posts: int
    """Posts in the corpus with this text."""
    coders: tuple[str, ...]
    """Who is to code it; empty: anyone."""
    voices: tuple[Voice, ...]

    def by(self, coder: str, role: str = "coder") -> Voice | None:
        """What this coder said, if anything."""
        return next((each for each in self.voices if each.coder == coder and each.role == role), None)


def items(con: DuckDBPyConnection, draw: Draw) -> list[Item]:
    """Everything that was drawn, in the order in which it is to be coded, with what was said of it."""
    voices: dict[str, list[Voice]] = {}
    for key, *voice in con.execute(
        "SELECT text_key::VARCHAR, coder, coalesce(role, 'coder'), label, note, coded_at FROM gold "
        "WHERE draw = $draw AND task = $task QUALIFY row_number() OVER "
        "(PARTITION BY text_key, coder, coalesce(role, 'coder') ORDER BY coded_at DESC) = 1 ORDER BY coded_at, coder",
        {"draw": draw.id, "task": draw.task},
    ).fetchall():
        voices.setdefault(key, []).append(Voice(*voice))
    rows = con.execute(
        "SELECT d.text_key::VARCHAR, d.tweet_id, d.position, d.stratum, t.text, t.quoted_text, t.language, "
        "t.created_at, t.posts, d.coders FROM drawn d JOIN (SELECT text_key, any_value(text) AS text, "
        "arg_min(quoted_text, id) AS quoted_text, min(coalesce(lang, lang_tag, 'und')) AS language, "
        "min(created_at) AS created_at, count(*) AS posts FROM tweets SEMI JOIN drawn USING (text_key) "
        "GROUP BY text_key) t ON t.text_key = d.text_key WHERE d.draw = ? ORDER BY d.position",
        [draw.id],
    ).fetchall()
    return [
        Item(
            text_key=row[0],
            tweet_id=row[1],
            position=row[2],
            stratum=row[3],
            text=row[4],
            quoted_text=row[5],
            lang=row[6],
            created_at=row[7],
            posts=row[8],
            coders=tuple(row[9] or ()),
            voices=tuple(voices.get(row[0], ())),
        )
        for row in rows
    ]


def queue(found: Sequence[Item], coder: str) -> list[Item]:
    """What the coder has still to code: those given to the coder or to nobody, in order."""
    return [each for each in found if (not each.coders or coder in each.coders) and each.by(coder) is None]


def split(found: Sequence[Item]) -> list[Item]:
    """What coders disagree on and no adjudicator has settled."""
    return [
        each
        for each in found
        if len({voice.label for voice in each.voices if voice.role == "coder"}) > 1
        and not any(voice.role == "adjudicator" for voice in each.voices)
    ]


def code(con: DuckDBPyConnection, codings: Sequence[Coding]) -> list[datetime]:
    """Add labels, all or nothing; the times under which they stand."""
    now = datetime.now(UTC).replace(tzinfo=None)
    # A microsecond apart, so that the newest of several stays the newest.
    changes = [Change(each, now + timedelta(microseconds=at)) for at, each in enumerate(codings)]
    change(con, changes)
    return [each.at for each in changes]


def change(con: DuckDBPyConnection, changes: Sequence[Change]) -> None:
    """Add and take back labels, all or nothing; what was done before is not done twice.

    A label whose text was erased from the corpus since it was given is left out.
    """
    last = _last(changes)
    con.execute("BEGIN")
    con.execute(
        "DELETE FROM gold WHERE (text_key, task, coder, coded_at) IN (SELECT (unnest(?::VARCHAR[])::UUID, "
        "unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::TIMESTAMP[])))",
        [[key[at] for key in last] for at in range(4)],
    )
    gone = _gone(con, [each.coding for each in last.values()])
    rows = [
        [
            each.coding.text_key, each.coding.tweet_id, each.coding.task, each.coding.label, each.coding.coder, each.at,
            each.coding.codebook, each.coding.draw, each.coding.note, each.coding.role, each.coding.coded_from,
            each.coding.competence, each.coding.blind,
        ]
        for each in last.values()
        if not each.taken_back and each.coding.text_key not in gone
    ]  # fmt: skip
    if rows:
        con.executemany(
            "INSERT INTO gold (text_key, tweet_id, task, label, coder, coded_at, codebook, draw, note, role, "
            "coded_from, competence, blind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    con.execute("COMMIT")


def standing(changes: Sequence[Change]) -> int:
    """How many labels are given and not taken back."""
    return sum(not each.taken_back for each in _last(changes).values())


def _last(changes: Sequence[Change]) -> dict[tuple[str, str, str, datetime], Change]:
    return {(each.coding.text_key, each.coding.task, each.coding.coder, each.at): each for each in changes}


def _gone(con: DuckDBPyConnection, codings: Sequence[Coding]) -> set[str]:
    """Keys that no draw and no post has any more."""
    asked = [[each.draw for each in codings], [each.text_key for each in codings]]
    rows = con.execute(
        "SELECT key::VARCHAR FROM (SELECT unnest(?::VARCHAR[]) AS draw, unnest(?::VARCHAR[])::UUID AS key) "
        "WHERE draw IS NULL OR (draw, key) NOT IN (SELECT (draw, text_key) FROM drawn)",
        asked,
    ).fetchall()
    keys = sorted({row[0] for row in rows})
    if not keys:
        # Posts are many more than what was drawn of them.
        return set()
    there = con.execute(
        "SELECT text_key::VARCHAR FROM tweets WHERE text_key IN (SELECT unnest(?::VARCHAR[])::UUID)", [keys]
    )
    return set(keys) - {row[0] for row in there.fetchall()}


def coders(con: DuckDBPyConnection, task: str) -> list[str]:
    """Everybody who has coded for a task, or is to code, by name."""
    rows = con.execute(
        "SELECT coder FROM gold WHERE task = $task AND draw IS NOT NULL UNION SELECT unnest(drawn.coders) FROM drawn "
        "JOIN draws ON draws.id = drawn.draw WHERE draws.task = $task ORDER BY 1",
        {"task": task},
    ).fetchall()
    return [row[0] for row in rows]


def ratings(con: DuckDBPyConnection, task: str, draw: str | None = None) -> list[tuple[str, str, str, str | None]]:
    """(text key, coder, label, language) of every coder's newest label, those of adjudicators and blanks left out.

    All of the task's gold, or that of one draw.
    """
    rows = con.execute(
        "SELECT g.text_key::VARCHAR, g.coder, g.label, t.language FROM (SELECT * FROM gold WHERE task = $task AND "
        "($draw IS NULL OR draw = $draw) AND coalesce(role, 'coder') = 'coder' QUALIFY row_number() OVER "
        "(PARTITION BY text_key, coder ORDER BY coded_at DESC, label) = 1) g LEFT JOIN "
        "(SELECT text_key, min(coalesce(lang, lang_tag, 'und')) AS language FROM tweets "
        "SEMI JOIN gold USING (text_key) GROUP BY text_key) t ON t.text_key = g.text_key "
        "WHERE g.label IS NOT NULL ORDER BY ALL",
        {"task": task, "draw": draw},
    ).fetchall()
    return [(row[0], row[1], row[2], row[3]) for row in rows]
