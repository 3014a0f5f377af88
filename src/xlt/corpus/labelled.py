"""What can be broken down: the predictions of runs in a corpus, or a labelled file, under the same names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.dimensions import Columns, language_sql
from xlt.corpus.readers import find_column, open_file, union
from xlt.corpus.secret import ensure_key, hashed, key_path
from xlt.corpus.stage import LANG_COLUMNS, TEXT_COLUMNS
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AUTHOR_COLUMNS = ("author", "author_id", "user_id", "user", "username", "screen_name", "author_username")
DATE_COLUMNS = ("created_at", "date", "datetime", "timestamp", "time", "posted_at")
REPOST_COLUMNS = ("retweet_of", "retweeted_status_id", "is_retweet", "is_repost", "repost_of")
LABEL_COLUMNS = ("predicted", "label", "prediction")
# How X's older exports write a date.
_OLD_DATE = "%a %b %d %H:%M:%S %z %Y"
_POSTS = "(SELECT *, coalesce(lang, lang_tag, 'und') AS language FROM tweets)"
_OF_TWEETS = ("platform", "country", "place", "place_source", "conversation", "author", "source")


@dataclass(frozen=True)
class Run:
    """A run as the corpus records it."""

    id: str
    model: str
    task: str
    task_hash: str
    labels: tuple[str, ...]
    seen: tuple[str, ...]
    texts: int


@dataclass(frozen=True)
class Labelled:
    """Posts with labels, open on a connection."""

    relation: str
    """SQL that can stand after FROM, with the columns named in `columns`; posts without a label have null."""
    columns: Columns
    runs: tuple[Run, ...] = ()
    posts: str | None = None
    """The relation of all posts, labelled or not, when `relation` holds only those with a label."""


def known_runs(con: DuckDBPyConnection) -> tuple[Run, ...]:
    """Every run that the corpus has predictions of, the newest first."""
    rows = con.execute(
        "SELECT id, model, task, task_hash, labels, seen, texts FROM runs ORDER BY merged_at DESC, id DESC"
    ).fetchall()
    return tuple(Run(each[0], each[1], each[2], each[3], tuple(each[4]), tuple(each[5]), each[6]) for each in rows)


def find_runs(con: DuckDBPyConnection, wanted: Sequence[str] = ()) -> tuple[Run, ...]:
    """The runs of these ids or unique beginnings of ids, by default the newest. Raises UsageError, XltError."""
    return chosen(known_runs(con), wanted)


def chosen(runs: Sequence[Run], wanted: Sequence[str] = ()) -> tuple[Run, ...]:
    """`find_runs` among runs that are known already, the newest first."""
    if not runs:
        raise XltError("The corpus has no predictions yet; run xlt classify corpus first.")
    if not wanted:
        return (runs[0],)
    found: dict[str, Run] = {}
    for name in wanted:
        matches = [run for run in runs if run.id == name] or [run for run in runs if run.id.startswith(name)]
        if len(matches) != 1:
            wrong = f"{len(matches)} runs begin so" if matches else "there is no such run in the corpus"
            raise UsageError(f"--run {name}: {wrong}; there are {', '.join(run.id for run in runs)}.")
        found[matches[0].id] = matches[0]
    if len({run.task_hash for run in found.values()}) > 1:
        tasks = ", ".join(f"{run.id} ({run.task})" for run in found.values())
        raise UsageError(f"These runs answer different tasks and can't stand in one table: {tasks}.")
    return tuple(found.values())


def has_runs(con: DuckDBPyConnection) -> bool:
    """Whether the corpus has predictions of any run."""
    return con.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None


def define_labelled(con: DuckDBPyConnection, runs: Sequence[Run]) -> None:
    """Create the temporary view `labelled`: every column of `tweets`, `language`, and each run's predictions."""
    ids = ", ".join(duck.text(run.id) for run in runs)
    con.execute(
        "CREATE OR REPLACE TEMP VIEW labelled AS SELECT t.*, coalesce(t.lang, t.lang_tag, 'und') AS language, p.run, "
        f"p.label, p.confidence, p.p FROM tweets t JOIN predictions p ON p.text_key = t.text_key WHERE p.run IN ({ids})"
    )


def from_corpus(con: DuckDBPyConnection, runs: Sequence[Run]) -> Labelled:
    """The tweets of an open corpus with the predictions of these runs."""
    define_labelled(con, runs)
    return Labelled("labelled", corpus_columns(runs), tuple(runs), _POSTS)


def all_of_run(con: DuckDBPyConnection, run: Run) -> Labelled:
    """The tweets of an open corpus, with a label of this run or without: one reading counts both."""
    define_posts(con, run.id)
    return Labelled("posts", corpus_columns([run]), (run,))


def without_labels() -> Labelled:
    """The tweets of a corpus that no run has labelled yet."""
    return Labelled(_POSTS, replace(corpus_columns(()), label="NULL::VARCHAR", confidence=None, author=None))


def corpus_columns(runs: Sequence[Run]) -> Columns:
    """Where a corpus keeps what a breakdown of these runs asks for."""
    # A run that does not say what its model was tuned on has seen and not seen nothing.
    known = " ".join(
        f"WHEN run = {duck.text(run.id)} THEN CASE WHEN language = 'und' THEN NULL WHEN language IN "
        f"({', '.join(duck.text(lang) for lang in run.seen)}) THEN 'seen' ELSE 'unseen' END"
        for run in runs
        if run.seen
    )
    seen = f"(CASE {known} END)" if known else "NULL"
    named = [("run", "run"), ("tag", "lang_tag"), ("detected", "lang"), ("seen", seen)]
    return Columns(
        label="label",
        text="text_key",
        order="id",
        body="text",
        confidence="confidence",
        lang="language",
        author="author",
        created_at="created_at",
        repost="(retweet_of IS NOT NULL)",
        named=(*named, *((name, name) for name in _OF_TWEETS)),
    )


def define_posts(con: DuckDBPyConnection, run: str | None) -> None:
    """Create the temporary view `posts`: every post, labelled or not, with `number` (its row in the file), `language`,
    and the run's `run`, `label`, `confidence` and `p`, null where it has none."""
    wanted = "NULL" if run is None else duck.text(run)
    con.execute(
        "CREATE OR REPLACE TEMP VIEW posts AS SELECT t.rowid AS number, t.*, coalesce(t.lang, t.lang_tag, 'und') AS "
        "language, p.run, p.label, p.confidence, p.p FROM tweets t LEFT JOIN (SELECT * FROM predictions WHERE run = "
        f"{wanted}) p ON p.text_key = t.text_key"
    )


def authors_as_kept(con: DuckDBPyConnection, workspace: Path, authors: Sequence[str]) -> tuple[str, ...]:
    """The authors as given, and the hashes under which this workspace's imports keep them on each platform."""
    if not key_path(workspace).exists():
        return tuple(authors)
    key = ensure_key(workspace)
    platforms = [str(row[0]) for row in con.execute("SELECT DISTINCT platform FROM tweets ORDER BY 1").fetchall()]
    hashes = (hashed(key, f"{platform}:{author}") for platform in platforms for author in authors)
    return (*authors, *hashes)


@dataclass(frozen=True)
class FileColumns:
    """The columns of a labelled file that were named on the command line."""

    label: str | None = None
    text: str | None = None
    lang: str | None = None
    author: str | None = None
    date: str | None = None
    encoding: str = "utf-8"


def from_files(con: DuckDBPyConnection, files: Sequence[Path], given: FileColumns, scratch: Path) -> Labelled:
    """Files written by `xlt classify`, or any with a column of labels. Raises UsageError, XltError."""
    readables = [open_file(con, path, scratch, given.encoding) for path in files]
    rejects = [reject for each in readables for reject in each.rejects]
    if rejects:
        first = rejects[0]
        raise XltError(
            f"{first.file}, line {first.line}: {first.reason}; mend the file first: shares of a part of it mislead."
        )
    names = list(dict.fromkeys(name for each in readables for name in each.columns))
    label = find_column(names, given.label, LABEL_COLUMNS, "--label-column")
    if label is None:
        raise UsageError(
            f"{files[0]} has no column of labels: xlt looks for {', '.join(LABEL_COLUMNS)}, and there are "
            f"{', '.join(names)}; classify it first (xlt classify {files[0]}), or name the column with --label-column."
        )
    text = find_column(names, given.text, TEXT_COLUMNS, "--text-column")
    lang = find_column(names, given.lang, LANG_COLUMNS, "--lang-column")
    author = find_column(names, given.author, AUTHOR_COLUMNS, "--author-column")
    created = find_column(names, given.date, DATE_COLUMNS, "--date-column")
    repost = find_column(names, None, REPOST_COLUMNS, "")
    columns = Columns(
        label=f"{duck.quote(label)}::VARCHAR",
        text=f"md5_number({duck.quote(text)}::VARCHAR)" if text else None,
        order=duck.quote(text) if text else duck.quote(label),
        lang=language_sql(duck.quote(lang)) if lang else None,
        body=f"{duck.quote(text)}::VARCHAR" if text else None,
        confidence=next((f"TRY_CAST({duck.quote(name)} AS FLOAT)" for name in names if name == "confidence"), None),
        author=f"nullif({duck.quote(author)}::VARCHAR, '')" if author else None,
        created_at=_moment(duck.quote(created)) if created else None,
        repost=_repeats(repost, text),
        named=tuple((name, duck.quote(name)) for name in names),
    )
    con.execute("SET TimeZone = 'UTC'")
    return Labelled(union(readables), columns)


def _moment(column: str) -> str:
    """A date in UTC: what has no zone of its own is taken as UTC."""
    written = f"{column}::VARCHAR"
    moment = f"coalesce(TRY_CAST({written} AS TIMESTAMPTZ), try_strptime({written}, {duck.text(_OLD_DATE)}))"
    return f"timezone('UTC', {moment})"


def _repeats(column: str | None, text: str | None) -> str | None:
    if column is not None:
        said = f"lower(trim({duck.quote(column)}::VARCHAR))"
        return f"(coalesce({said}, '') NOT IN ('', 'false', '0', 'no', 'nan', 'none', 'null'))"
    return f"starts_with({duck.quote(text)}::VARCHAR, 'RT @')" if text else None


def run_record(con: DuckDBPyConnection, run: str) -> dict[str, object]:
    """The whole record of a run. Raises XltError when the corpus has it not."""
    row = con.execute("SELECT record FROM runs WHERE id = ?", [run]).fetchone()
    if row is None:
        raise XltError(f"The corpus has no run {run}.")
    record: dict[str, object] = json.loads(row[0])
    return record
