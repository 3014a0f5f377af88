"""Erases posts on request: from the corpus, from run folders, from rejects, and for good (the file is rewritten)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck, gate, journal, store
from xlt.corpus.erase import Lost, Normalise, clean_lines, clean_run
from xlt.corpus.exports import known_exports
from xlt.corpus.importing import masks
from xlt.corpus.importing.files import REJECTS
from xlt.corpus.schema import text_key
from xlt.corpus.secret import ensure_key
from xlt.errors import UsageError, XltError
from xlt.locks import hold

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


# In the table meta: rows were deleted whose bytes may still be in the file.
_TRACES = "traces"


@dataclass
class Forgotten:
    """What was erased, and what may still hold it."""

    tweets: int = 0
    reposts: int = 0
    """Of `tweets`, reposts of the posts named: they carry the same text."""
    quoted: int = 0
    """Posts that quoted one: the quoted text was taken out."""
    predictions: int = 0
    gold: int = 0
    unknown: list[str] = field(default_factory=list)
    """Ids that the corpus did not hold; they are remembered all the same."""
    run_files: int = 0
    """Files of run folders, and of rejects, that were rewritten."""
    may_hold: list[Path] = field(default_factory=list)
    """Files outside: imported ones, exports and labelled files."""


def read_ids(given: Sequence[str]) -> list[str]:
    """Ids as they were typed, or the lines of files of ids (a first line `id` is a header). Raises UsageError."""
    found: dict[str, None] = {}
    for each in given:
        path = Path(each)
        if not path.is_file():
            if path.suffix.lower() in (".txt", ".csv"):
                raise UsageError(f"There is no file {path} of ids.")
            found[each.strip()] = None
            continue
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise XltError(f"{path} can't be read as a list of ids: {error}.") from None
        ids = [line.split(",")[0].strip().strip('"') for line in lines if line.strip()]
        found.update(dict.fromkeys(ids[1:] if ids and ids[0].casefold() in ("id", "tweet_id", "id_str") else ids))
    found.pop("", None)
    if not found:
        raise UsageError("Name the ids to erase, or a file with one id per line.")
    return list(found)


def forget(
    workspace: Path,
    corpus: Path,
    ids: Sequence[str],
    authors: Sequence[str] = (),
    platform: str | None = None,
    normalise_of: Callable[[str], Normalise | None] = lambda task: None,
) -> Forgotten:
    """Erase posts by id, and all posts of authors given by their ids on the platform.

    `normalise_of` gives a task's way to normalise texts, by the task's name: runs over files know texts by that.
    """
    key = ensure_key(workspace)
    ids = list(dict.fromkeys([*ids, *map(masks.masked_id_of, ids)]))
    runs = [path for path in sorted(store.runs_folder(corpus).glob("*")) if path.is_dir()]
    result = Forgotten()
    with ExitStack() as locks:
        for folder in runs:
            # A run that is being worked on, or a part of one, would write the texts again.
            for lock in sorted({folder / "run.lock", *folder.glob("*.lock")}):
                locks.enter_context(hold(lock, f"The run {folder}"))
        _forget(workspace, corpus, key, ids, authors, platform, normalise_of, runs, result)
    return result


def _forget(
    workspace: Path,
    corpus: Path,
    key: bytes,
    ids: Sequence[str],
    authors: Sequence[str],
    platform: str | None,
    normalise_of: Callable[[str], Normalise | None],
    runs: Sequence[Path],
    result: Forgotten,
) -> None:
    import duckdb

    with gate.opened(corpus, write=True) as con:
        masks.set_key(con, key)
        # Labels that wait beside the corpus are erased with the others.
        journal.take_in(con, corpus)
        try:
            con.execute("BEGIN")
            _choose(con, ids, authors, platform, result)
            lost = _lost(con)
            names = [row[0] for row in con.execute("SELECT DISTINCT id FROM gone").fetchall()]
            files = [Path(row[0]) for row in con.execute("SELECT DISTINCT file FROM imports").fetchall()]
            # The corpus last: killed before that, the same command finds the posts again and goes on.
            _clean(corpus, runs, files, set(names) | set(ids), lost, normalise_of, result)
            _erase(con, ids, platform, result)
            traces = con.execute("SELECT 1 FROM meta WHERE key = ?", [_TRACES]).fetchall()
            if not traces and (result.tweets or result.quoted):
                traces = con.execute("INSERT INTO meta VALUES (?, 'yes') RETURNING 1", [_TRACES]).fetchall()
            con.execute("COMMIT")
        except duckdb.Error as error:
            raise duck.failed("Nothing was erased", error, "run the same command again") from None
    if traces:
        try:
            gate.rewrite(corpus, store.STORAGE)
            with gate.opened(corpus, write=True) as con:
                con.execute("DELETE FROM meta WHERE key = ?", [_TRACES])
        except XltError as error:
            raise XltError(
                f"The posts are erased, but until the same command has run again the file may hold traces: {error}"
            ) from None
    outputs = [Path(each) for each in _outputs(corpus.parent / "runs")]
    result.may_hold = [path for path in dict.fromkeys([*files, *known_exports(workspace), *outputs]) if path.exists()]


def _clean(
    corpus: Path,
    runs: Sequence[Path],
    files: Sequence[Path],
    ids: set[str],
    lost: Lost,
    normalise_of: Callable[[str], Normalise | None],
    result: Forgotten,
) -> None:
    """Take the posts out of run folders and of files of rejects."""
    for folder in runs:
        result.run_files += clean_run(folder, lost, normalise_of)
    places = [path.with_name(path.name + REJECTS) for path in files]
    places += [corpus.parent / (path.name + REJECTS) for path in files]
    places += [*store.runs_folder(corpus).glob("*/rejects.jsonl"), *store.runs_folder(corpus).glob("stdin-*.jsonl")]
    for place in dict.fromkeys(places):
        result.run_files += clean_lines(place, ids, lost.texts)


def _choose(
    con: DuckDBPyConnection, ids: Sequence[str], authors: Sequence[str], platform: str | None, result: Forgotten
) -> None:
    """Fill `gone` (the posts to erase), `lonely` (keys of their words that no other post has) and `quoting`.

    `quoting` are posts that quote one of them, with the key that they have and the one of their own words alone.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest(?::VARCHAR[]) AS id", [list(ids)])
    con.execute("CREATE OR REPLACE TEMP TABLE writers AS SELECT unnest(?::VARCHAR[]) AS author", [list(authors)])
    of = f"AND t.platform = {duck.text(platform)}" if platform else ""
    hashed = masks.keyed("t.platform || ':' || w.author")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT DISTINCT t.platform, t.id, t.text, t.text_key FROM tweets t "
        f"WHERE (t.id IN (SELECT id FROM wanted) {of})"
    )
    if authors:
        con.execute(
            "INSERT INTO gone SELECT t.platform, t.id, t.text, t.text_key FROM tweets t "
            "JOIN (SELECT DISTINCT platform FROM tweets) p ON p.platform = t.platform JOIN writers w "
            f"ON t.author = w.author OR t.author = {hashed} WHERE true {of} "
            "AND (t.platform, t.id) NOT IN (SELECT (platform, id) FROM gone)"
        )
    known = {row[0] for row in con.execute("SELECT id FROM gone").fetchall()}
    result.unknown = [
        each for each in ids if not {each, masks.masked_id_of(each)} & known and masks.masked_id_of(each) == each
    ]
    con.execute(
        "INSERT INTO gone SELECT t.platform, t.id, t.text, t.text_key FROM tweets t "
        f"WHERE (t.retweet_of IN (SELECT id FROM wanted) {of} OR (t.platform, t.retweet_of) IN "
        "(SELECT (platform, id) FROM gone)) AND (t.platform, t.id) NOT IN (SELECT (platform, id) FROM gone)"
    )
    row = con.execute("SELECT count(*) FROM gone").fetchone()
    result.tweets = int(row[0]) if row else 0
    result.reposts = result.tweets - len(known)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE lonely AS SELECT DISTINCT g.text_key FROM gone g "
        "WHERE g.text_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tweets t WHERE t.text_key = g.text_key "
        "AND (t.platform, t.id) NOT IN (SELECT (platform, id) FROM gone))"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE quoting AS SELECT t.platform, t.id, t.text_key AS old, "
        f"{text_key('t.text')} AS new FROM tweets t WHERE t.quoted_text IS NOT NULL "
        "AND (t.platform, t.id) NOT IN (SELECT (platform, id) FROM gone) "
        f"AND ((t.platform, t.quote_of) IN (SELECT (platform, id) FROM gone) "
        f"OR (t.quote_of IN (SELECT id FROM wanted) {of}))"
    )


def _lost(con: DuckDBPyConnection) -> Lost:
    """What must leave the run folders: texts of `gone` that no other post has, keys of `lonely`, and quotes."""
    texts = con.execute(
        "SELECT text FROM gone WHERE text IS NOT NULL EXCEPT "
        "SELECT t.text FROM tweets t JOIN gone g ON t.text = g.text "
        "WHERE (t.platform, t.id) NOT IN (SELECT (platform, id) FROM gone)"
    ).fetchall()
    keys = con.execute("SELECT text_key::VARCHAR FROM lonely").fetchall()
    requoted = con.execute("SELECT old::VARCHAR, new::VARCHAR FROM quoting WHERE old IS NOT NULL").fetchall()
    return Lost([row[0] for row in texts], [row[0] for row in keys], dict(requoted))


def _erase(con: DuckDBPyConnection, ids: Sequence[str], platform: str | None, result: Forgotten) -> None:
    def count(query: str) -> int:
        row = con.execute(query).fetchone()
        return int(row[0]) if row else 0

    mark = masks.keyed("platform || ':' || id")
    con.execute(
        f"INSERT INTO forgotten SELECT mark, now()::TIMESTAMP FROM (SELECT {mark} AS mark FROM gone) "
        "WHERE mark NOT IN (SELECT mark FROM forgotten)"
    )
    # Ids that are not here yet must not come with a later file either.
    platforms = f"(SELECT {duck.text(platform)} AS platform)" if platform else _PLATFORMS
    con.execute(
        f"INSERT INTO forgotten SELECT mark, now()::TIMESTAMP FROM (SELECT {mark} AS mark FROM wanted, {platforms} p "
        "WHERE id NOT IN (SELECT id FROM gone)) WHERE mark NOT IN (SELECT mark FROM forgotten)"
    )
    result.quoted = count(
        "UPDATE tweets SET quoted_text = NULL, text_key = q.new FROM quoting q "
        "WHERE tweets.platform = q.platform AND tweets.id = q.id"
    )
    for table in ("gold", "drawn"):
        con.execute(
            f"UPDATE {table} SET text_key = q.new FROM quoting q WHERE {table}.tweet_id = q.id "
            f"AND {table}.text_key = q.old"
        )
    # What a run says of their own words stands; what it says of the quoted ones goes with them.
    con.execute(
        "INSERT INTO predictions SELECT p.run, q.new, any_value(p.label), any_value(p.confidence), any_value(p.p) "
        "FROM predictions p JOIN (SELECT DISTINCT old, new FROM quoting) q ON p.text_key = q.old "
        "WHERE p.run IN (SELECT id FROM runs WHERE coalesce(record ->> '$.task.coded', 'own') = 'own') "
        "AND (p.run, q.new) NOT IN (SELECT (run, text_key) FROM predictions) GROUP BY p.run, q.new"
    )
    con.execute(
        "DELETE FROM predictions WHERE text_key IN (SELECT old FROM quoting) "
        "AND text_key NOT IN (SELECT text_key FROM tweets WHERE text_key IS NOT NULL)"
    )
    result.predictions = count("DELETE FROM predictions WHERE text_key IN (SELECT text_key FROM lonely)")
    result.gold = count(
        "DELETE FROM gold WHERE tweet_id IN (SELECT id FROM gone) OR text_key IN (SELECT text_key FROM lonely)"
    )
    con.execute(
        "DELETE FROM drawn WHERE tweet_id IN (SELECT id FROM gone) OR text_key IN (SELECT text_key FROM lonely)"
    )
    con.execute("DELETE FROM tweets WHERE (platform, id) IN (SELECT (platform, id) FROM gone)")


_PLATFORMS = (
    "(SELECT DISTINCT platform FROM (SELECT platform FROM tweets UNION ALL SELECT 'x' UNION ALL SELECT 'table'))"
)


def _outputs(runs: Path) -> list[str]:
    found = []
    for record in runs.glob("*/run.json"):
        try:
            output = json.loads(record.read_text(encoding="utf-8")).get("output")
        except (OSError, ValueError):
            continue
        if output:
            found.append(str(output))
    return found
