"""A run over the corpus grows in rounds: each scores the distinct texts that no complete round before it has.

A round is a folder `rounds/NNN` of the run with `round.json` (written last, when all is staged), the join from the
keys of raw texts to those of normalised ones, the texts while they are needed, and the shards.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.corpus import duck, gate
from xlt.corpus.normal import untouched
from xlt.corpus.stage import JOIN, TEXTS, Selection, Staged, conditions, write_texts
from xlt.disk import write_json
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Words

# With what Python and Parquet take beside it, under 1 GB for 10M tweets.
MEMORY = "600MB"
FOLDER, RECORD, SHARDS = "rounds", "round.json", "shards"
LANGUAGE = "coalesce(lang, lang_tag, 'und')"


@dataclass(frozen=True)
class Round:
    """One round of a run; it is there only when it was staged whole."""

    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """What `round.json` holds."""
        path = self.folder / RECORD
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise XltError(f"{path} can't be read: {error}; remove {self.folder} and classify again.") from None
        return found

    @property
    def staged(self) -> Staged:
        """What was staged."""
        found = self.record["staged"]
        return Staged(**{**found, "columns": tuple(found["columns"])})

    @property
    def shards(self) -> list[Path]:
        """The shards that are there."""
        return sorted(path for path in (self.folder / SHARDS).glob("*.parquet") if not path.name.startswith("."))

    @property
    def complete(self) -> bool:
        """Whether every block has its shard."""
        return len(self.shards) == self.staged.blocks

    @property
    def merged(self) -> str | None:
        """The id of the corpus that has this round's predictions."""
        found = self.record.get("merged")
        return str(found) if found else None

    def asked(self, selection: Selection) -> bool:
        """Whether this round is for these tweets."""
        return bool(self.record["selection"] == described(selection))

    def close(self, corpus: str) -> None:
        """Write down that the corpus with this id has the predictions, and remove what only the work needed."""
        write_json(self.folder / RECORD, {**self.record, "merged": corpus})
        (self.folder / TEXTS).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)


def rounds(run: Path) -> list[Round]:
    """The rounds of a run, the oldest first."""
    return [Round(path.parent) for path in sorted((run / FOLDER).glob(f"*/{RECORD}"))]


def described(selection: Selection) -> dict[str, Any]:
    """What makes two commands ask for the same tweets."""
    return {"langs": list(selection.langs), "where": selection.where, "limit": selection.limit}


def unfinished(run: Path, selection: Selection) -> Round | None:
    """The round that an earlier command with this selection began and did not finish."""
    return next((each for each in rounds(run) if each.asked(selection) and not each.complete), None)


def words_sql(coded: Words) -> str:
    """SQL for the words of a post that a task codes; null where it has none."""
    quote = "'> ' || replace(quoted_text, chr(10), chr(10) || '> ')"
    both = f"(CASE WHEN quoted_text IS NULL THEN text ELSE text || chr(10) || {quote} END)"
    return {"own": "text", "quoted": "quoted_text", "own and quoted": both}[coded]


def selected(selection: Selection) -> str:
    """SQL for the selected tweets, in a corpus that is open; can stand after FROM."""
    return f"(SELECT rowid AS number, * FROM tweets{conditions(selection, LANGUAGE)})"


def stage_round(
    run: Path, selection: Selection, normalise: Callable[[str], str], coded: Words = "own"
) -> tuple[Round | None, Staged]:
    """Stage the texts that are new; no round when there are none. The corpus is open only while they are copied out.

    `coded` says which words of a post are its text.

    Raises XltError, UsageError.
    """
    for path in (run / FOLDER).glob("*"):
        if not (path / RECORD).exists():
            # Staging that was cut short.
            shutil.rmtree(path, ignore_errors=True)
    before = [each for each in rounds(run) if each.complete]
    number = max((int(path.name) for path in (run / FOLDER).glob("*") if path.name.isdecimal()), default=0) + 1
    folder = run / FOLDER / f"{number:03d}"
    staged = stage(selection, folder, normalise, before, coded)
    if not (folder / JOIN).exists():
        shutil.rmtree(folder, ignore_errors=True)
        return None, staged
    write_json(folder / RECORD, {"selection": described(selection), "staged": asdict(staged), "merged": None})
    return Round(folder), staged


def stage(
    selection: Selection,
    folder: Path,
    normalise: Callable[[str], str],
    before: Sequence[Round] = (),
    coded: Words = "own",
) -> Staged:
    """Write JOIN and TEXTS of the selected texts that the rounds `before` don't have; no file when there are none."""
    import duckdb

    assert selection.corpus is not None
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    copied = scratch / "copied.parquet"
    with gate.opened(selection.corpus, memory=MEMORY) as con:
        try:
            rows, without_text, fresh, distinct = _copy_out(
                con, selection, before, copied, untouched(normalise), words_sql(coded)
            )
        except duckdb.Error as error:
            raise _query_error(selection, error) from None
    if not fresh:
        return Staged(rows, without_text, 0, 0, 0, "text", "lang", (), distinct)
    known = [path for each in before for path in each.shards]
    with duck.job(scratch, MEMORY) as con:
        try:
            keys = f"SELECT key FROM {parquet(known)}" if known else None
            to_score, blocks = write_texts(con, copied, folder, normalise, keys)
        except duckdb.Error as error:
            raise duck.failed("The texts can't be prepared", error, "run the same command again") from None
    shutil.rmtree(scratch, ignore_errors=True)
    return Staged(rows, without_text, to_score, blocks, 0, "text", "lang", (), distinct - fresh)


def parquet(paths: Sequence[Path]) -> str:
    """One relation of several Parquet files."""
    return f"read_parquet([{', '.join(duck.text(path) for path in paths)}])"


def _copy_out(
    con: DuckDBPyConnection, selection: Selection, before: Sequence[Round], target: Path, normal: str, words: str
) -> tuple[int, int, int, int]:
    """Rows, rows without text, distinct texts that are new (written to `target`), distinct texts."""
    # Posts without a key have no words of their own; those that are coded may be missing all the same.
    wordless = "text_key IS NULL" if words == "text" else f"(text_key IS NULL OR {words} IS NULL)"
    counts = con.execute(
        f"SELECT count(*), count(*) FILTER ({wordless}), count(DISTINCT text_key) FILTER (NOT {wordless}) "
        f"FROM {selected(selection)}"
    ).fetchone()
    rows, without_text, distinct = counts or (0, 0, 0)
    if rows == 0:
        raise _nothing_selected(con, selection)
    new = f"SELECT number, text_key, {wordless} AS wordless FROM {selected(selection)} s"
    if before:
        joins = parquet([each.folder / JOIN for each in before])
        new += f" ANTI JOIN (SELECT raw::UUID AS known FROM {joins}) k ON s.text_key = k.known"
    # By row number first: the texts themselves would not fit beside the keys.
    firsts = f"SELECT min(number) AS number FROM ({new}) WHERE NOT wordless GROUP BY text_key"
    con.execute(
        f"COPY (SELECT *, {normal} AS normal FROM (SELECT text_key::VARCHAR AS raw, {words} AS text, {LANGUAGE} AS "
        f"language FROM tweets t SEMI JOIN ({firsts}) f ON t.rowid = f.number)) "
        f"TO {duck.text(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    written = con.execute(f"SELECT count(*) FROM read_parquet({duck.text(target)})").fetchone()
    return int(rows), int(without_text), int(written[0]) if written else 0, int(distinct)


def _nothing_selected(con: DuckDBPyConnection, selection: Selection) -> XltError:
    if not con.execute("SELECT 1 FROM tweets LIMIT 1").fetchone():
        return XltError(f"The corpus {selection.corpus} holds no tweets yet; import some with xlt import FILE.")
    if selection.langs:
        found = con.execute(
            f"SELECT {LANGUAGE} AS tag, count(*) FROM tweets GROUP BY tag ORDER BY 2 DESC, 1 LIMIT 12"
        ).fetchall()
        there = ", ".join(f"{tag} ({count:,})" for tag, count in found)
        return UsageError(
            f"--langs {','.join(selection.langs)}{' with --where' if selection.where else ''}: no tweet of the corpus "
            f"fits; its languages are {there}."
        )
    if selection.where:
        return UsageError(f"--where {selection.where!r} holds for no tweet of the corpus.")
    return UsageError("--limit 0 leaves no tweet.")


def _query_error(selection: Selection, error: Exception) -> XltError:
    if selection.where and type(error).__name__ in ("BinderException", "ParserException", "ConversionException"):
        return UsageError(
            f"--where {selection.where!r} is no condition on the columns of the corpus: {duck.sentence(error)}."
        )
    return duck.failed(f"The texts of {selection.corpus} can't be copied out", error, "run the same command again")
