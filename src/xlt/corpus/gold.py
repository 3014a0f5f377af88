"""The gold of a corpus: one label for each text that people coded, and how it was drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


PICKED = "picked"
"""The draw of labels whose posts somebody chose. Such posts stand for no others: the labels are for training alone."""


@dataclass(frozen=True)
class Settled:
    """A text with the label that its coders came to."""

    key: str
    """Its text key."""
    text: str
    lang: str
    label: str
    draw: str | None
    purpose: str | None
    """Of the draw; None for labels that came with the data."""
    stratum: str | None
    probability: float | None
    """Of being drawn; None where nobody knows."""


@dataclass(frozen=True)
class Gold:
    """What a corpus knows by hand."""

    rows: tuple[Settled, ...]
    split: int
    """Texts left out because their coders disagree, two labels have as many voices, and nobody settled it."""


def gold_of(con: DuckDBPyConnection, task: str, purposes: Sequence[str | None]) -> Gold:
    """The gold of a task in an open corpus, of draws for these purposes; None stands for labels without a draw.

    A coder's newest word counts, be it that a text can't be coded. An adjudicator's outweighs all others; without one
    the label with most voices wins.
    """
    rows = con.execute(
        "WITH newest AS (SELECT * FROM gold WHERE task = $task QUALIFY row_number() OVER "
        "(PARTITION BY text_key, draw, coder, coalesce(role, 'coder') ORDER BY coded_at DESC, label) = 1) "
        "SELECT g.text_key::VARCHAR, t.text, t.language, g.label, coalesce(g.role, 'coder'), "
        f"g.draw, CASE WHEN g.draw = '{PICKED}' THEN 'train' ELSE d.purpose END, n.stratum, n.probability "
        "FROM newest g "
        "JOIN (SELECT text_key, min(text) AS text, min(coalesce(lang, lang_tag, 'und')) AS language FROM tweets "
        "SEMI JOIN gold USING (text_key) GROUP BY text_key) t ON t.text_key = g.text_key "
        "LEFT JOIN draws d ON d.id = g.draw "
        "LEFT JOIN (SELECT draw, text_key, min(stratum) AS stratum, max(probability) AS probability FROM drawn "
        "GROUP BY draw, text_key) n ON n.draw = g.draw AND n.text_key = g.text_key "
        "ORDER BY g.text_key, g.draw, g.coded_at, g.coder, g.role, g.label",
        {"task": task},
    ).fetchall()
    of_text: dict[tuple[str, str | None], list[tuple[str, ...]]] = {}
    for row in rows:
        if row[6] in purposes:
            of_text.setdefault((row[0], row[5] if row[6] else None), []).append(row)
    settled: list[Settled] = []
    split = 0
    for coded in of_text.values():
        voices = [(row[3], row[4]) for row in coded]
        if uncodable(voices):
            continue
        label = settle(voices)
        if label is None:
            split += 1
            continue
        key, text, lang, *_ = coded[0]
        draw, purpose, stratum, probability = coded[0][5:]
        settled.append(
            Settled(key, text, lang, label, draw, purpose, stratum, None if probability is None else float(probability))
        )
    return Gold(tuple(settled), split)


def uncodable(voices: Sequence[tuple[str | None, str]]) -> bool:
    """Whether (label, role) voices, the newest last, hold that a text can't be coded: all, or the last adjudicator."""
    final = [label for label, role in voices if role == "adjudicator"]
    return all(label is None for label, _ in voices) or (bool(final) and final[-1] is None)


def settle(voices: Sequence[tuple[str | None, str]]) -> str | None:
    """The label of (label, role) voices: the adjudicator's, or that of most; None where they are split or silent."""
    labels = [(label, role) for label, role in voices if label is not None]
    final = [label for label, role in labels if role == "adjudicator"]
    counted = Counter(final or [label for label, _ in labels]).most_common(2)
    return counted[0][0] if counted and [count for _, count in counted].count(counted[0][1]) == 1 else None


def predictions_of(con: DuckDBPyConnection, run: str, keys: Sequence[str]) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Text key → label and probabilities, in the order of the run's labels, of the texts that the run has."""
    rows = con.execute(
        "SELECT text_key::VARCHAR, label, p FROM predictions WHERE run = ? AND text_key IN "
        "(SELECT unnest(?::VARCHAR[])::UUID)",
        [run, list(keys)],
    ).fetchall()
    return {key: (label, tuple(p)) for key, label, p in rows}


def mix_of(con: DuckDBPyConnection, run: str, labels: Sequence[str]) -> dict[tuple[str, int], float]:
    """(language, position of the predicted label) → distinct texts of the corpus that a run labelled so."""
    rows = con.execute(
        "SELECT t.language, p.label, count(*) FROM predictions p JOIN (SELECT text_key, min(coalesce(lang, lang_tag, "
        "'und')) AS language FROM tweets GROUP BY text_key) t ON t.text_key = p.text_key WHERE p.run = ? GROUP BY ALL",
        [run],
    ).fetchall()
    return {(lang, list(labels).index(label)): float(count) for lang, label, count in rows if label in labels}
