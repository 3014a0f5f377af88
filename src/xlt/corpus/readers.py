"""Reads files of tweets (Parquet, CSV, TSV, JSONL, JSON) as relations, and writes down what can't be read.

Nothing is guessed that could change a value: every cell of a CSV stays text, quotes follow RFC 4180, a row that
breaks the rules goes to the rejects with its place and the reason.
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from xlt.corpus.documents import LONGEST_LINE, checked_lines, lines
from xlt.corpus.duck import failed, quote, sentence, text
from xlt.corpus.rejects import Reject as Reject
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Kind = Literal["parquet", "csv", "tsv", "jsonl", "json"]
KINDS: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
PACKED = {".gz", ".zst"}


@dataclass
class Readable:
    """A file opened for reading: a SQL relation and what was rejected so far."""

    relation: str
    """SQL that can stand after FROM."""
    columns: list[str]
    rejects: list[Reject] = field(default_factory=list)


def kind_of(path: Path) -> Kind:
    """The kind of a file by its name. Raises UsageError for one that xlt does not read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    kind = KINDS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise UsageError(f"{path} is of no kind that xlt reads: .parquet, .csv, .tsv, .jsonl, .json (also .gz, .zst).")
    return kind


def open_file(con: DuckDBPyConnection, path: Path, scratch: Path, encoding: str = "utf-8") -> Readable:
    """Open one file. `scratch` is a folder for repaired copies. Raises XltError when it can't be read at all."""
    import duckdb

    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file, or a pattern such as '{path}/*.parquet'.")
    if not path.exists():
        raise UsageError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise XltError(f"{path} is empty.")
    kind = kind_of(path)
    try:
        if kind == "parquet":
            return _parquet(con, path)
        if kind in ("csv", "tsv"):
            return _table(con, path, kind, encoding)
        return _jsonl(con, path, scratch) if kind == "jsonl" else _json(con, path)
    except duckdb.Error as error:
        raise failed(f"{path} can't be read", error, "check that it is whole, or export it again") from None


def _columns(con: DuckDBPyConnection, relation: str) -> list[str]:
    return [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]


def _parquet(con: DuckDBPyConnection, path: Path) -> Readable:
    relation = f"read_parquet({text(path)})"
    return Readable(relation, _columns(con, relation))


def _table(con: DuckDBPyConnection, path: Path, kind: Kind, encoding: str) -> Readable:
    names, delimiter = _header(con, path, kind, encoding)
    readable = _delimited(con, path, names, delimiter, '"', encoding)
    if kind == "tsv" and any("quote" in reject.reason for reject in readable.rejects):
        # Many TSV files know no quotes: a tweet that begins with one is then not a broken field.
        bare = _delimited(con, path, names, delimiter, "", encoding)
        readable = min((readable, bare), key=lambda each: len(each.rejects))
    return readable


def _header(con: DuckDBPyConnection, path: Path, kind: Kind, encoding: str) -> tuple[list[str], str]:
    try:
        row = con.execute(
            f"SELECT line FROM {lines(path, encoding, mixed=True)} WHERE line IS NOT NULL LIMIT 1"
        ).fetchone()
    except Exception as error:
        if "nicode" in str(error) or "utf-8" in str(error):
            raise _not_utf8(path) from None
        raise
    if row is None:
        raise XltError(f"{path} holds no line.")
    line = str(row[0]).lstrip("\ufeff")
    delimiters = ["\t"] if kind == "tsv" else [",", ";", "\t", "|"]
    delimiter = max(delimiters, key=lambda each: len(next(csv.reader([line], delimiter=each))))
    names = next(csv.reader([line], delimiter=delimiter))
    unique: list[str] = []
    for position, raw in enumerate(names, start=1):
        name = raw.strip() or f"column{position}"
        while name.casefold() in (other.casefold() for other in unique):
            name += "_"
        unique.append(name)
    return unique, delimiter


def _delimited(
    con: DuckDBPyConnection, path: Path, names: list[str], delimiter: str, quoting: str, encoding: str
) -> Readable:
    columns = "{" + ", ".join(f"{text(name)}: 'VARCHAR'" for name in names) + "}"
    options = (
        f"columns={columns}, auto_detect=false, header=true, delim={text(delimiter)}, quote={text(quoting)}, "
        f"escape={text(quoting)}, max_line_size={LONGEST_LINE}, encoding={text(encoding)}"
    )
    # store_rejects, never ignore_errors alone: with that DuckDB 2.0 also drops good rows near a broken quote.
    scan = f"read_csv({text(path)}, {options}, store_rejects=true, rejects_table='bad_rows', rejects_scan='bad_scans')"
    for table in ("bad_rows", "bad_scans"):
        con.execute(f"DROP TABLE IF EXISTS {table}")
    con.execute(f"SELECT count(*) FROM (SELECT * FROM {scan} OFFSET 0)").fetchall()
    # One row can break several rules; the first is reason enough.
    bad = con.execute(
        "SELECT line, first(error_message ORDER BY byte_position), first(error_type::VARCHAR ORDER BY byte_position), "
        "first(csv_line) FROM bad_rows GROUP BY line ORDER BY line"
    ).fetchall()
    if any(problem == "INVALID ENCODING" for _, _, problem, _ in bad):
        raise _not_utf8(path)
    rejects = [
        Reject(str(path), line, f"{reason} ({problem.lower()})", row or "") for line, reason, problem, row in bad
    ]
    return Readable(scan, names, rejects)


def _not_utf8(path: Path) -> XltError:
    line = _first_bad_line(path)
    return XltError(
        f"{path}{f', line {line}' if line else ''}: the text is not UTF-8; say what it is (often --encoding latin-1 or "
        "--encoding windows-1252), or save it as UTF-8."
    )


def _first_bad_line(path: Path) -> int | None:
    """DuckDB checks whole buffers, so we look for the line ourselves; None for a packed file that we can't open."""
    if path.suffix.lower() == ".zst":
        return None
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None


def _jsonl(con: DuckDBPyConnection, path: Path, scratch: Path) -> Readable:
    objects = checked_lines(con, path, scratch)
    return _objects(con, objects.path, "newline_delimited", objects.rejects)


def _json(con: DuckDBPyConnection, path: Path) -> Readable:
    try:
        return _objects(con, path, "auto")
    except Exception as error:
        raise XltError(f"{path} can't be read as JSON: {sentence(error)}; it must be a list of objects.") from None


def _objects(con: DuckDBPyConnection, path: Path, layout: str, rejects: list[Reject] | None = None) -> Readable:
    """Typed by all objects of the file, not the first ones; a string stays a string even when it looks like a date."""
    objects = f"read_json_objects({text(path)}, format={text(layout)}, maximum_object_size={LONGEST_LINE})"
    row = con.execute(f"SELECT json_group_structure(json) FROM {objects}").fetchone()
    structure = json.loads(row[0]) if row and row[0] else None
    if not isinstance(structure, dict) or not structure:
        raise XltError(f"{path} holds no JSON object; xlt reads one object per tweet.")
    first = con.execute(f"SELECT json FROM {objects} WHERE json_type(json) = 'OBJECT' LIMIT 1").fetchone()
    # The structure comes from several threads in any order; the first object has the order that people see.
    names = [name for name in (json.loads(first[0]) if first else {}) if name in structure]
    names += sorted(name for name in structure if name not in names)
    types = {name: _column_type(structure[name]) for name in names}
    types |= dict.fromkeys(_too_long(con, objects, types), "VARCHAR")
    columns = "{" + ", ".join(f"{text(name)}: {text(kind)}" for name, kind in types.items()) + "}"
    relation = f"read_json({text(path)}, format={text(layout)}, columns={columns}, maximum_object_size={LONGEST_LINE})"
    return Readable(relation, list(types), rejects or [])


def _too_long(con: DuckDBPyConnection, objects: str, types: dict[str, str]) -> list[str]:
    """Columns of fractions with a whole number that a fraction can't hold: an id, which must stay as it is."""
    doubles = [name for name, kind in types.items() if kind == "DOUBLE"]
    if not doubles:
        return []
    pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in doubles]
    long = ", ".join(f"bool_or(regexp_full_match(json ->> {text(each)}, '-?\\d{{16,}}'))" for each in pointers)
    found = con.execute(f"SELECT {long} FROM {objects}").fetchall()[0]
    return [name for name, one in zip(doubles, found, strict=True) if one]


def _column_type(structure: object) -> str:
    """Scalars as DuckDB found them; lists, objects and columns without any value stay JSON."""
    return structure if isinstance(structure, str) and structure != "NULL" else "JSON"


def union(readables: list[Readable]) -> str:
    """One relation of several files; columns that a file lacks are null."""
    parts = [f"SELECT * FROM {each.relation}" for each in readables]
    return "(" + " UNION ALL BY NAME ".join(parts) + ")"


def find_column(columns: list[str], wanted: str | None, candidates: tuple[str, ...], option: str) -> str | None:
    """The column asked for, or the first candidate that is there (case does not count), or None.

    Raises UsageError, listing the columns, when the one asked for is missing.
    """
    folded = {name.casefold(): name for name in reversed(columns)}
    if wanted is not None:
        if wanted.casefold() not in folded:
            raise UsageError(f"{option} {wanted}: there is no such column; there are {', '.join(columns)}.")
        return folded[wanted.casefold()]
    return next((folded[name] for name in candidates if name in folded), None)


def select_list(columns: list[str]) -> str:
    """Column names for SELECT."""
    return ", ".join(quote(name) for name in columns)
