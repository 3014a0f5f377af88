"""Texts with labels that people gave: from files that hold them, or from the corpus's gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from xlt.corpus import duck, gate
from xlt.corpus.gold import settle, uncodable
from xlt.corpus.labelled import AUTHOR_COLUMNS
from xlt.corpus.readers import Reject, find_column, open_file
from xlt.corpus.rounds import words_sql
from xlt.corpus.stage import LANG_COLUMNS, TEXT_COLUMNS
from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.tasks.spec import Words

LABEL_COLUMNS = ("label", "gold_label", "gold", "label_name", "class", "annotation")
ID_COLUMNS = ("id", "tweet_id", "id_str", "status_id")
GROUP_COLUMNS = ("group_id", "group", "family")
ORIGINAL_COLUMNS = ("retweet_of", "retweeted_status_id", "repost_of")
SIDE_COLUMNS = ("split",)

Side = Literal["", "train", "dev", "test"]
_SIDES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "development": "dev",
    "test": "test",
    "testing": "test",
    "estimate": "test",
}


@dataclass(frozen=True)
class Coded:
    """One row: a text and its label, both as they stand there."""

    text: str
    label: str
    lang: str
    """As it stands there; empty where there is none."""
    row: int
    """From 1, rows that can't be read not counted; 0 in a corpus."""
    file: str
    id: str = ""
    group: str = ""
    author: str = ""
    original: str = ""
    """The id of the post that this reposts."""
    side: Side = ""
    """What the row is meant for where the data says so. `test` is for measuring alone."""


@dataclass
class CodedRows:
    """What was read."""

    rows: list[Coded] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    """What was looked for (text, label, lang, author, group, side) → the column it was found in."""
    left: Counter[str] = field(default_factory=Counter)
    """Of a corpus: texts with gold that gives no label to learn from, by reason."""


@dataclass(frozen=True)
class CodedColumns:
    """The columns that were named on the command line; None: found by name."""

    text: str | None = None
    label: str | None = None
    lang: str | None = None
    author: str | None = None
    group: str | None = None
    encoding: str = "utf-8"


def read_coded(files: Sequence[Path], given: CodedColumns) -> CodedRows:
    """The labelled rows of some files; a row without text or label goes to the rejects.

    Raises UsageError when a file has no column of texts or labels, XltError when it can't be read.
    """
    found = CodedRows()
    with TemporaryDirectory(prefix="xlt-coded-") as scratch, duck.job(Path(scratch)) as con:
        for path in files:
            readable = open_file(con, path, Path(scratch), given.encoding)
            found.rejects += readable.rejects
            columns = _columns(path, readable.columns, given)
            for what, column in columns.items():
                if column:
                    found.columns.setdefault(what, column)
            parts = [f"{duck.quote(column)}::VARCHAR" if column else "NULL" for column in columns.values()]
            try:
                rows = con.execute(f"SELECT {', '.join(parts)} FROM {readable.relation}").fetchall()
            except Exception as error:
                raise duck.failed(f"{path} can't be read", error, "check that it is whole") from None
            for number, row in enumerate(rows, start=1):
                _take(found, str(path), number, dict(zip(columns, (each or "" for each in row), strict=True)))
    return found


def _columns(path: Path, names: list[str], given: CodedColumns) -> dict[str, str | None]:
    columns = {
        "text": find_column(names, given.text, TEXT_COLUMNS, "--text-column"),
        "label": find_column(names, given.label, LABEL_COLUMNS, "--label-column"),
        "lang": find_column(names, given.lang, LANG_COLUMNS, "--lang-column"),
        "id": find_column(names, None, ID_COLUMNS, ""),
        "group": find_column(names, given.group, GROUP_COLUMNS, "--group-column"),
        "author": find_column(names, given.author, AUTHOR_COLUMNS, "--author-column"),
        "original": find_column(names, None, ORIGINAL_COLUMNS, ""),
        "side": find_column(names, None, SIDE_COLUMNS, ""),
    }
    for what, candidates in (("text", TEXT_COLUMNS), ("label", LABEL_COLUMNS)):
        if columns[what] is None:
            raise UsageError(
                f"{path} has no column of {what}s: xlt looks for {', '.join(candidates)}, and there are "
                f"{', '.join(names)}; name it with --{what}-column."
            )
    return columns


def _take(found: CodedRows, file: str, number: int, row: dict[str, str]) -> None:
    text = row.pop("text")
    row = {what: value.strip() for what, value in row.items()}
    if missing := [what for what, value in (("text", text), ("label", row["label"])) if not value.strip()]:
        found.rejects.append(Reject(file, number, f"no {' and no '.join(missing)} in this row", text))
        return
    side = _SIDES.get(row.pop("side").casefold(), "")
    found.rows.append(Coded(text, **row, row=number, file=file, side=side))


def read_gold(corpus: Path, tasks: Sequence[str], coded: Words = "own") -> CodedRows:
    """The gold labels of a corpus for any of these tasks, one per text; `coded` says which words of a post are it.

    Coders are heard with their newest label, and settled as `xlt.corpus.gold.settle` does it. A text on which they are
    split, or which they or an adjudicator hold uncodable, is left aside. Texts drawn to estimate shares come out with
    the side `test`, those drawn as dev with `dev`, whoever else coded them.
    """
    found = CodedRows()
    with gate.opened(corpus) as con:
        # One language, author and id per text: those of its first post by id.
        rows = con.execute(
            f"""
            WITH mine AS (SELECT * FROM gold WHERE list_contains($tasks, task)),
            sides AS (
                SELECT text_key, bool_or(purpose = 'estimate') AS test, bool_or(purpose = 'dev') AS dev
                FROM (SELECT text_key, draw FROM mine UNION SELECT text_key, draw FROM drawn) g
                JOIN draws d ON d.id = g.draw AND list_contains($tasks, d.task) GROUP BY text_key
            ),
            last_words AS (
                SELECT * FROM mine QUALIFY row_number() OVER (
                    PARTITION BY text_key, coder, coalesce(role, 'coder')
                    ORDER BY coded_at DESC, label IS NULL, label) = 1
            ),
            posts AS (
                SELECT text_key, arg_min({words_sql(coded)}, id) AS text, min(id) AS id, arg_min(author, id) AS author,
                       arg_min(coalesce(lang, lang_tag, 'und'), id) AS lang
                FROM tweets WHERE text_key IN (SELECT text_key FROM mine) GROUP BY text_key
            )
            SELECT p.text, p.id, p.lang, p.author,
                   CASE WHEN s.test THEN 'test' WHEN s.dev THEN 'dev' ELSE '' END AS side,
                   list({{'label': w.label, 'role': coalesce(w.role, 'coder')}} ORDER BY w.coded_at, w.coder) AS words
            FROM posts p JOIN last_words w ON w.text_key = p.text_key LEFT JOIN sides s ON s.text_key = p.text_key
            WHERE p.text IS NOT NULL GROUP BY ALL ORDER BY p.id
            """,
            {"tasks": list(tasks)},
        ).fetchall()
    for text, name, lang, author, side, words in rows:
        voices = [(word["label"], word["role"]) for word in words]
        label = settle(voices)
        if uncodable(voices):
            found.left["held uncodable"] += 1
        elif label is None:
            found.left["coders are split"] += 1
        else:
            lang = "" if lang == "und" else lang
            found.rows.append(Coded(text, label, lang, 0, str(corpus), name, author=author or "", side=side))
    found.columns = {"text": "text", "label": "label", "lang": "lang", "author": "author"}
    return found


def gold_tasks(corpus: Path) -> dict[str, int]:
    """Task → texts with a gold label in the corpus."""
    with gate.opened(corpus) as con:
        rows = con.execute(
            "SELECT task, count(DISTINCT text_key) FROM gold WHERE label IS NOT NULL GROUP BY task ORDER BY task"
        ).fetchall()
    return {str(task): int(texts) for task, texts in rows}
