"""The hand-labelled part of what is broken down: for each row its cell, gold, prediction, and how it was drawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.breakdown import Question
from xlt.corpus.dimensions import Key, dimension, shown
from xlt.corpus.draws import Draw
from xlt.corpus.filters import conditions
from xlt.corpus.gold import gold_of
from xlt.corpus.labelled import Labelled, Run
from xlt.errors import UsageError, XltError
from xlt.science import sampling

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class GoldRow:
    """A post or text with a hand label and a prediction."""

    keys: tuple[Key, ...]
    """Its cell, as a breakdown names it."""
    gold: str
    predicted: str | None
    stratum: str
    """Empty where nothing was drawn apart."""
    probability: float | None
    """Of being drawn; None where nobody knows."""
    text: str
    unit: str = ""
    """Of a corpus: the text's key, and the post where posts were drawn."""


@dataclass(frozen=True)
class GoldColumns:
    """Where a file holds what people said."""

    gold: str
    probability: str | None = None
    stratum: str | None = None
    text: str | None = None


def gold_in_files(con: DuckDBPyConnection, source: Labelled, question: Question, columns: GoldColumns) -> list[GoldRow]:
    """The rows of labelled files that have gold. Raises UsageError for a probability that is none."""
    gold = f"nullif(trim({duck.quote(columns.gold)}::VARCHAR), '')"
    chance = f"{duck.quote(columns.probability)}::VARCHAR" if columns.probability else "NULL"
    stratum = f"{duck.quote(columns.stratum)}::VARCHAR" if columns.stratum else "''"
    text = f"{duck.quote(columns.text)}::VARCHAR" if columns.text else "''"
    rows = _rows(con, source, question, source.relation, gold, stratum, chance, text, "''", [f"{gold} IS NOT NULL"], "")
    return [_checked(row, columns) for row in rows]


def _checked(row: tuple[GoldRow, str | None], columns: GoldColumns) -> GoldRow:
    found, given = row
    if columns.probability is None:
        return found
    try:
        probability = float(given or "")
    except ValueError:
        probability = 0.0
    if not 0 < probability <= 1:
        raise UsageError(
            f"A row with the gold label {found.gold!r} has the probability {given!r} in {columns.probability}; write "
            "the chance that the row had of being drawn, above 0 and at most 1."
        )
    return replace(found, probability=probability)


def gold_in_corpus(
    con: DuckDBPyConnection,
    source: Labelled,
    question: Question,
    task: str,
    draw: Draw | None,
    without: Collection[str] = (),
) -> tuple[list[GoldRow], list[str]]:
    """The gold of a draw, or of no draw at all, among what the question asks for; and sentences about the rest."""
    notes = define_sampled(con, task, draw, without)
    relation = f"{source.relation} JOIN sampled ON {OF_UNIT}"
    # In one order, always: sums of floats and resampling by a seed then give the same digits each time.
    once = (
        f"QUALIFY row_number() OVER (PARTITION BY s_key, s_post ORDER BY {source.columns.order}) = 1 "
        "ORDER BY s_key, s_post"
    )
    unit = "concat_ws(' ', s_key, s_post)"
    rows = _rows(con, source, question, relation, "s_label", "s_stratum", "s_chance", "text", unit, [], once)
    return [replace(row, probability=float(given) if given else None) for row, given in rows], notes


OF_UNIT = "s_key = text_key AND (s_post IS NULL OR s_post = id)"
"""SQL: whether a post is, or has the text of, a row of `sampled`."""


def define_sampled(con: DuckDBPyConnection, task: str, draw: Draw | None, without: Collection[str] = ()) -> list[str]:
    """Create the temporary table `sampled`: the coded units of a draw (or texts coded without one), each with label,
    stratum and chance. Text keys in `without` count as not coded. Returns sentences about what is left out.

    Where coding stopped early, chances are those of the coded part, stratum by stratum.
    """
    gold = gold_of(con, task, ("estimate",) if draw else (None,))
    settled = {row.key: row for row in gold.rows if draw is None or row.draw == draw.id}
    settled = {key: row for key, row in settled.items() if key not in without}
    notes = []
    if gold.split:
        notes.append(f"{gold.split:,} texts are left out: their coders are split and nobody has settled them.")
    entries: list[tuple[str, str | None, str, str, str | None]]
    if draw is None:
        entries = [(key, None, row.label, "", None) for key, row in settled.items()]
    else:
        units = con.execute(
            "SELECT text_key::VARCHAR, tweet_id, stratum, probability, position FROM drawn WHERE draw = ? "
            "ORDER BY text_key, tweet_id",
            [draw.id],
        ).fetchall()
        drawn = [sampling.Drawn(f"{key} {post}", stratum, chance, at) for key, post, stratum, chance, at in units]
        chances = sampling.coded_probabilities(drawn, {f"{key} {post}" for key, post, *_ in units if key in settled})
        if len(chances) < len(units):
            notes.append(
                f"{len(chances):,} of the {len(units):,} that were drawn are coded; they stand for the rest of their "
                "stratum, as a random part."
            )
        # A stratum holds 1 / probability times what was drawn of it; of one with nothing coded nothing is known.
        reached = {stratum for key, _, stratum, *_ in units if key in settled}
        covered = round(sum(1 / unit.probability for unit in drawn if unit.stratum in reached))
        if reached and covered < draw.frame_size:
            notes.append(
                f"{draw.frame_size - covered:,} of the {draw.frame_size:,} {draw.unit} that could have been drawn are "
                "in strata of which nothing is coded; the classifier is taken to err there as it does elsewhere."
            )
        entries = [
            (key, post, settled[key].label, stratum, repr(chances[f"{key} {post}"]))
            for key, post, stratum, *_ in units
            if key in settled
        ]
    # Lists, not executemany: that takes milliseconds a row.
    con.execute(
        "CREATE OR REPLACE TEMP TABLE sampled AS SELECT unnest(?::VARCHAR[])::UUID AS s_key, unnest(?::VARCHAR[]) AS "
        "s_post, unnest(?::VARCHAR[]) AS s_label, unnest(?::VARCHAR[]) AS s_stratum, unnest(?::VARCHAR[]) AS s_chance",
        [[entry[at] for entry in entries] for at in range(5)],
    )
    return notes


def _rows(
    con: DuckDBPyConnection,
    source: Labelled,
    question: Question,
    relation: str,
    gold: str,
    stratum: str,
    chance: str,
    text: str,
    unit: str,
    extra: list[str],
    once: str,
) -> list[tuple[GoldRow, str | None]]:
    """Gold rows without their probability, and that as it was given."""
    dimensions = [dimension(name, source.columns, question.zone) for name in question.by]
    keys = "".join(f"{each.sql} AS k{position}, " for position, each in enumerate(dimensions))
    found, params = conditions(source.columns, question)
    where = " AND ".join([*found, *extra])
    with duck.sentences("The gold labels can't be read", "check the columns that are named"):
        rows = con.execute(
            f"SELECT {keys}{gold}, {source.columns.label}, {stratum}, {chance}, {text}, {unit} FROM {relation}"
            f"{f' WHERE {where}' if where else ''} {once}",
            params,
        ).fetchall()
    at = len(dimensions)
    return [
        (
            GoldRow(
                tuple(shown(value, each) for value, each in zip(row[:at], dimensions, strict=True)),
                row[at],
                row[at + 1],
                row[at + 2] or "",
                None,
                row[at + 4] or "",
                row[at + 5],
            ),
            row[at + 3],
        )
        for row in rows
    ]


def in_frame(question: Question, draw: Draw, run: Run) -> Question:
    """The question about what could have been drawn, in the unit that was drawn.

    Raises XltError when the frame hangs on the labels of another run.
    """
    if draw.run not in (None, run.id) and any(word in draw.frame for word in ("confidence", "label")):
        raise XltError(
            f"The draw {draw.id} chose by the labels of the run {draw.run}, so it can't correct those of {run.id}; "
            f"name that run with --run {draw.run}, or draw anew."
        )
    moment = f"TIMESTAMP {duck.text(draw.created_at.isoformat(sep=' '))}"
    task = duck.text(draw.task)
    frame = (
        f"({draw.frame}\n) AND text_key NOT IN (SELECT d.text_key FROM drawn d JOIN draws o ON o.id = d.draw "
        f"WHERE o.task = {task} AND o.created_at < {moment}) AND text_key NOT IN (SELECT text_key FROM gold "
        f"WHERE task = {task} AND coded_at < {moment} AND draw IS DISTINCT FROM {duck.text(draw.id)})"
    )
    where = f"{frame} AND ({question.where}\n)" if question.where else frame
    return replace(question, where=where, unit="texts" if draw.unit == "texts" else "posts")
