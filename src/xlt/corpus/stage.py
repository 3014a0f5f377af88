"""Puts what a run needs into its folder: the rows as they came, the distinct texts in blocks, and how they join.

After staging the source is not read again, so it may change or be standard input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.dimensions import language_sql
from xlt.corpus.normal import untouched
from xlt.corpus.readers import Readable, Reject, find_column, open_file, select_list, union
from xlt.disk import write_text
from xlt.errors import UsageError, XltError
from xlt.languages import spellings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Words

TEXT_COLUMNS = ("text", "full_text", "tweet", "tweet_text", "content", "body", "message")
QUOTED_COLUMNS = ("quoted_text", "quoted_status_text", "quoted_tweet")
LANG_COLUMNS = ("lang", "language", "lang_code", "tweet_lang", "langue", "idioma")
ROWS, JOIN, TEXTS = "rows.parquet", "join.parquet", "texts.parquet"
BLOCK_TEXTS = 512
_FETCH = 50_000


@dataclass(frozen=True)
class Selection:
    """Which rows of which files a run is about."""

    files: tuple[Path, ...]
    text_column: str | None = None
    lang_column: str | None = None
    langs: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None
    encoding: str = "utf-8"
    corpus: Path | None = None
    """A corpus file instead of files; its columns are those of the table `tweets`."""


@dataclass(frozen=True)
class Staged:
    """What was put into the run folder; written to its plan."""

    rows: int
    without_text: int
    distinct: int
    blocks: int
    rejected: int
    text_column: str
    lang_column: str | None
    columns: tuple[str, ...]
    known: int = 0
    """Of a corpus: distinct texts that an earlier command of this run has classified; not among `distinct`."""


def text_key(normalised: str) -> bytes:
    """The first 128 bits of SHA-256 of a normalised text: its identity in every table."""
    return hashlib.sha256(normalised.encode()).digest()[:16]


def block_of(key: bytes, blocks: int) -> int:
    """The block of a text: by its key alone, so that it does not depend on order or machine."""
    return int.from_bytes(key[:8], "big") % blocks


def stage(selection: Selection, folder: Path, normalise: Callable[[str], str], coded: Words = "own") -> Staged:
    """Write rows, join, texts and rejects.jsonl into `folder`. Raises XltError, UsageError.

    Texts are de-duplicated after normalisation. `blocks` is 0 when there is nothing to classify. `coded` says which
    words of a post are its text, where no column is named.
    """
    if coded == "own and quoted" and not selection.text_column:
        raise UsageError(
            "The task codes a post's own words and those that it quotes, which a file keeps in two columns: xlt import "
            "the file and classify the corpus, or name one column with --text-column."
        )
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    import duckdb

    with duck.job(scratch) as con:
        readables = [open_file(con, path, scratch, selection.encoding) for path in selection.files]
        columns = list(dict.fromkeys(name for each in readables for name in each.columns))
        text_column = _text_column(columns, selection, QUOTED_COLUMNS if coded == "quoted" else TEXT_COLUMNS)
        lang_column = find_column(columns, selection.lang_column, LANG_COLUMNS, "--lang-column")
        try:
            rows = _write_rows(con, readables, columns, text_column, lang_column, selection, folder / ROWS)
            if rows == 0:
                raise _nothing_selected(con, readables, lang_column, selection)
        except duckdb.Error as error:
            raise _query_error(selection, error) from None
        try:
            distinct, blocks = write_texts(
                con, _copy_texts(con, text_column, lang_column, folder, normalise), folder, normalise
            )
            empty = _without_text(con, text_column, folder)
        except duckdb.Error as error:
            raise duck.failed("The texts can't be prepared", error, "run the same command again") from None
    rejects = [reject for each in readables for reject in each.rejects]
    _write_rejects(folder / "rejects.jsonl", rejects, selection, empty)
    for leftover in scratch.iterdir():
        leftover.unlink()
    return Staged(
        rows, len(empty), distinct, blocks, len(rejects) + len(empty), text_column, lang_column, tuple(columns)
    )


def read_block(folder: Path, block: int) -> tuple[list[bytes], list[str]]:
    """Keys and normalised texts of one block, in the order of their keys."""
    with duck.job(folder / "scratch") as con:
        rows = con.execute(
            f"SELECT key, text FROM read_parquet({duck.text(folder / TEXTS)}) WHERE block = {int(block)} ORDER BY key"
        ).fetchall()
    return [key for key, _ in rows], [text for _, text in rows]


def sample_texts(folder: Path, count: int) -> list[str]:
    """The first texts of the first blocks: as good as random, since blocks are drawn by hash."""
    with duck.job(folder / "scratch") as con:
        rows = con.execute(
            f"SELECT text FROM read_parquet({duck.text(folder / TEXTS)}) ORDER BY block, key LIMIT {int(count)}"
        ).fetchall()
    return [text for (text,) in rows]


def count_texts(folder: Path, blocks: Sequence[int]) -> int:
    """How many distinct texts these blocks hold."""
    if not blocks:
        return 0
    with duck.job(folder / "scratch") as con:
        row = con.execute(
            f"SELECT count(*) FROM read_parquet({duck.text(folder / TEXTS)}) WHERE block IN (SELECT unnest(?))",
            [list(blocks)],
        ).fetchone()
    return int(row[0]) if row else 0


def _text_column(columns: list[str], selection: Selection, candidates: tuple[str, ...]) -> str:
    found = find_column(columns, selection.text_column, candidates, "--text-column")
    if found is None:
        raise UsageError(
            f"No column holds the text: xlt looks for {', '.join(candidates)}, and there are {', '.join(columns)}; "
            "name it with --text-column."
        )
    return found


def _write_rows(
    con: DuckDBPyConnection,
    readables: Sequence[Readable],
    columns: list[str],
    text_column: str,
    lang_column: str | None,
    selection: Selection,
    target: Path,
) -> int:
    if selection.langs and lang_column is None:
        raise UsageError(
            f"--langs needs a column with the language, and there are {', '.join(columns)}; name it with --lang-column."
        )
    language = duck.quote(lang_column) if lang_column else "NULL"
    query = f"SELECT {select_list(columns)} FROM {union(list(readables))}{conditions(selection, language)}"
    query = f"SELECT * REPLACE ({duck.quote(text_column)}::VARCHAR AS {duck.quote(text_column)}) FROM ({query})"
    con.execute(f"COPY ({query}) TO {duck.text(target)} (FORMAT parquet, COMPRESSION zstd)")
    row = con.execute(f"SELECT count(*) FROM read_parquet({duck.text(target)})").fetchone()
    return int(row[0]) if row else 0


def conditions(selection: Selection, language: str) -> str:
    """The WHERE and LIMIT of a selection; `language` is the SQL of a row's language."""
    found: list[str] = []
    if selection.langs:
        tags = [tag for lang in selection.langs for tag in spellings(lang)]
        bare = f"lower(regexp_extract({language}::VARCHAR, '^[A-Za-z]*'))"
        found.append(f"{bare} IN ({', '.join(duck.text(tag) for tag in tags)})")
    if selection.where:
        found.append(f"({selection.where}\n)")
    sql = " WHERE " + " AND ".join(found) if found else ""
    return sql if selection.limit is None else f"{sql} LIMIT {int(selection.limit)}"


def _nothing_selected(
    con: DuckDBPyConnection, readables: Sequence[Readable], lang_column: str | None, selection: Selection
) -> XltError:
    """No row is left: say which condition was too narrow, before an output of no rows replaces an older one."""
    names = ", ".join(str(path) for path in selection.files[:3])
    if selection.langs and lang_column:
        found = con.execute(
            f"SELECT {duck.quote(lang_column)}::VARCHAR AS tag, count(*) FROM {union(list(readables))} "
            "GROUP BY tag ORDER BY 2 DESC, 1 LIMIT 12"
        ).fetchall()
        there = ", ".join(f"{tag or 'no language'} ({count:,})" for tag, count in found)
        asked = ",".join(selection.langs)
        return UsageError(
            f"--langs {asked}{' with --where' if selection.where else ''}: no row of {names} fits; its "
            f"languages are {there}."
        )
    if selection.where:
        return UsageError(f"--where {selection.where!r} holds for no row of {names}.")
    if selection.limit == 0:
        return UsageError("--limit 0 leaves no row.")
    return XltError(f"{names} has columns but no row that can be read.")


def _query_error(selection: Selection, error: Exception) -> XltError:
    names = ", ".join(str(path) for path in selection.files[:3])
    reason = duck.sentence(error)
    if selection.where and type(error).__name__ in ("BinderException", "ParserException", "ConversionException"):
        return UsageError(f"--where {selection.where!r} is no condition on the columns of {names}: {reason}.")
    return duck.failed(f"{names} can't be read", error, "check that it is whole, or export it again")


def write_texts(
    con: DuckDBPyConnection,
    copied: Path,
    folder: Path,
    normalise: Callable[[str], str],
    known: str | None = None,
) -> tuple[int, int]:
    """Write JOIN and TEXTS: names of raw texts with the key of what they become, and distinct keys in blocks.

    `copied` holds raw texts, each once, with a name (`raw`), a language (of any post that has it: for telling how far a
    run is, no more), and whether the text is its own normal form (`normal`).
    `known` is a query of keys that need no scoring. A text of which nothing is left has no key. Returns how many texts
    are to be scored, and blocks.
    """
    source = f"read_parquet({duck.text(copied)})"
    keyed = folder / "scratch" / "keyed.parquet"
    _normalised(con, f"SELECT raw, text, language FROM {source} WHERE NOT normal", keyed, normalise)
    source = (
        f"(SELECT raw, unhex(left(sha256(text), 32)) AS key, text, language FROM {source} WHERE normal UNION ALL "
        f"SELECT raw, key, text, language FROM read_parquet({duck.text(keyed)}))"
    )
    con.execute(f"COPY (SELECT raw, key FROM {source}) TO {duck.text(folder / JOIN)} (FORMAT parquet)")
    fresh = f"(SELECT * FROM {source} WHERE key IS NOT NULL)"
    if known:
        fresh = f"(SELECT f.* FROM {fresh} f ANTI JOIN ({known}) k ON f.key = k.key)"
    row = con.execute(f"SELECT count(DISTINCT key) FROM {fresh}").fetchone()
    distinct = int(row[0]) if row else 0
    blocks = -(-distinct // block_texts(distinct))
    # The first eight bytes of the key, as `block_of` reads them.
    number = "('0x' || left(hex(key), 16))::UBIGINT"
    con.execute(
        f"COPY (SELECT key, any_value(text) AS text, ({number} % {max(blocks, 1)})::INTEGER AS block, "
        f"min(language) AS language FROM {fresh} GROUP BY key ORDER BY block, key) TO {duck.text(folder / TEXTS)} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 16384)"
    )
    return distinct, blocks


def _normalised(con: DuckDBPyConnection, query: str, target: Path, normalise: Callable[[str], str]) -> None:
    """Normalise the texts of a query and write them with their keys."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema({"raw": pa.string(), "key": pa.binary(16), "text": pa.string(), "language": pa.string()})
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in con.sql(query).to_arrow_reader(_FETCH):
            final = [normalise(raw) or None for raw in batch.column("text").to_pylist()]
            keys = pa.array([each and text_key(each) for each in final], pa.binary(16))
            columns = [batch.column("raw"), keys, pa.array(final, pa.string()), batch.column("language")]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def block_texts(distinct: int) -> int:
    """Texts per block, from the number of distinct texts alone: the plan must not depend on the machine.

    Small blocks lose little when a slow machine is interrupted; large ones keep the number of files in bounds.
    """
    if distinct <= 500_000:
        return BLOCK_TEXTS
    return 4 * BLOCK_TEXTS if distinct <= 4_000_000 else 16 * BLOCK_TEXTS


def _copy_texts(
    con: DuckDBPyConnection, text_column: str, lang_column: str | None, folder: Path, normalise: Callable[[str], str]
) -> Path:
    """The distinct texts of the staged rows, as `write_texts` wants them."""
    target = folder / "scratch" / "copied.parquet"
    text = duck.quote(text_column)
    language = f"min({language_sql(duck.quote(lang_column))})" if lang_column else "'und'"
    distinct = f"SELECT {text} AS text, {language} AS language FROM read_parquet({duck.text(folder / ROWS)}) "
    distinct += f"WHERE {text} IS NOT NULL GROUP BY {text}"
    con.execute(
        f"COPY (SELECT md5(text) AS raw, text, language, {untouched(normalise)} AS normal FROM ({distinct})) "
        f"TO {duck.text(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    return target


def _without_text(con: DuckDBPyConnection, text_column: str, folder: Path) -> list[int]:
    """Row numbers (from 1) that have no text to classify."""
    text = duck.quote(text_column)
    rows = con.execute(
        f"SELECT r.file_row_number + 1 FROM read_parquet({duck.text(folder / ROWS)}, file_row_number=true) r "
        f"ANTI JOIN (SELECT raw FROM read_parquet({duck.text(folder / JOIN)}) WHERE key IS NOT NULL) j "
        f"ON md5(r.{text}) = j.raw ORDER BY 1"
    ).fetchall()
    return [number for (number,) in rows]


def _write_rejects(path: Path, rejects: list[Reject], selection: Selection, empty: list[int]) -> None:
    source = ", ".join(str(file) for file in selection.files)
    lines = [reject.as_json() for reject in rejects]
    lines += [Reject(source, number, "no text in this row").as_json() for number in empty]
    write_text(path, "".join(line + "\n" for line in lines))
