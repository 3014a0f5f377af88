"""Opens one file by a mapping: recognises the platform, and gives a relation of posts with the fields it needs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from xlt.corpus.documents import Objects, checked_lines, first_objects, line_by_line, taken_apart
from xlt.corpus.duck import failed, quote, text
from xlt.corpus.importing.mapping import Mapping, builtin, load
from xlt.corpus.importing.pages import open_pages
from xlt.corpus.importing.paths import Field
from xlt.corpus.importing.recognise import first_sign, recognise, refuse_errors, refuse_html
from xlt.corpus.importing.source import Source, paths_of
from xlt.corpus.readers import kind_of, open_file
from xlt.corpus.unpack import check_size, open_bytes
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def is_json(path: File) -> bool:
    """Whether the file holds JSON, by its name."""
    return _suffix(path) == ".js" or kind_of(path) in ("json", "jsonl")


def _suffix(path: File) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def check(path: File) -> None:
    """Raise UsageError or XltError for a file that can't be imported whatever it holds."""
    if not path.exists():
        raise UsageError(f"There is no file {path}.")
    if _suffix(path) != ".js":
        kind_of(path)
    if path.stat().st_size == 0:
        raise XltError(f"{path} is empty.")
    check_size(path)


def open_source(
    con: DuckDBPyConnection,
    path: File,
    scratch: File,
    mapping: str | None,
    encoding: str = "utf-8",
    wanted: Iterable[str] = (),
    checked: bool = True,
) -> Source:
    """Open a file by the named mapping, or by the one that recognises it. Raises XltError, UsageError.

    `wanted` are fields that the user asked for beside those of the mapping. Not `checked`, lines of JSON are taken for
    good (`Source.unchecked`); DuckDB fails at the first that is not.
    """
    import duckdb

    check(path)
    try:
        if is_json(path):
            return _open_json(con, path, scratch, load(mapping) if mapping else None, list(wanted), checked)
        readable = open_file(con, path, scratch, encoding)
        chosen = load(mapping) if mapping else _by_columns(readable.columns)
        described = con.execute(f"DESCRIBE SELECT * FROM {readable.relation}").fetchall()
        types = {row[0]: row[1] for row in described}
        if not _mapped_by_names(chosen):
            raise UsageError(f"The mapping {chosen.name} is for JSON, and {path} is a table; use another --mapping.")
        fields = {name.casefold(): _table_field(name, types[name]) for name in readable.columns}
        relation, number = readable.relation, None
        if kind_of(path) == "parquet":
            relation, number = f"read_parquet({text(path)}, file_row_number=true)", "file_row_number + 1"
        return Source(chosen, relation, {"": _Folded(fields)}, readable.columns, types, readable.rejects, number=number)
    except duckdb.Error as error:
        raise failed(f"{path} can't be read", error, "check that it is whole, or export it again") from None


class _Folded(dict[str, Field]):
    """Columns of a table: case does not count in their names."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.casefold(), default)


def _table_field(name: str, kind: str) -> Field:
    nested = kind.startswith(("STRUCT", "MAP")) or kind.endswith("[]") or kind == "JSON"
    if nested:
        return Field(quote(name) if kind == "JSON" else f"to_json({quote(name)})", json=True)
    return Field(quote(name) if kind == "VARCHAR" else f"{quote(name)}::VARCHAR")


def _mapped_by_names(mapping: Mapping) -> bool:
    return not mapping.rows and not mapping.lookups


def _by_columns(columns: Iterable[str]) -> Mapping:
    folded = {name.casefold() for name in columns}
    for mapping in builtin():
        wanted = mapping.recognise
        if mapping.kind == "table" and all(
            any(path.steps[0].name.casefold() in folded for path in each) for each in wanted
        ):
            return mapping
    return load("table")


def _open_json(
    con: DuckDBPyConnection, path: File, scratch: File, given: Mapping | None, wanted: list[str], checked: bool
) -> Source:
    first = first_objects(path)
    if not first:
        refuse_html(path)
    mapping = given or recognise(first)
    if mapping is None:
        refuse_errors(path, first)
        mapping = load("table")
    unchecked = not checked and not mapping.rows and _suffix(path) != ".js" and _line_by_line(path)
    objects = Objects(path, "newline_delimited") if unchecked else _objects(con, path, scratch)
    if mapping.rows:
        return open_pages(con, path, mapping, objects, wanted)
    fields, columns = _top_fields(mapping, first, wanted)
    names = list(dict.fromkeys(name for each in first for name in each))
    if mapping.kind == "table":
        fields = _Folded({name.casefold(): each for name, each in fields.items()})
    relation = objects.typed(columns or {"text": "VARCHAR"})
    return Source(mapping, relation, {"": fields}, names, rejects=list(objects.rejects), unchecked=unchecked)


def _top_fields(
    mapping: Mapping, first: list[dict[str, Any]], asked: list[str]
) -> tuple[dict[str, Field], dict[str, str]]:
    """The fields at the top of the objects that the mapping asks for, each as text or, when it is nested, as JSON."""
    if mapping.kind == "table":
        nested: dict[str, bool] = {}
        for each in first:
            for name, value in each.items():
                nested[name] = nested.get(name, False) or isinstance(value, (dict, list))
        # DuckDB's fields can't differ by case alone, nor have no name.
        unique = {name.casefold(): name for name in reversed(nested)}
        wanted = {name: nested[name] for name in nested if name and unique[name.casefold()] == name}
    else:
        wanted = {}
        for path in paths_of(mapping):
            if path.source == "":
                step = path.steps[0]
                deep = len(path.steps) > 1 or step.pick is not None
                wanted[step.name] = wanted.get(step.name, False) or deep
        wanted.update({name: False for name in asked if name not in wanted})
    fields = {name: Field(quote(name), json=deep) for name, deep in wanted.items()}
    return fields, {name: "JSON" if deep else "VARCHAR" for name, deep in wanted.items()}


def _objects(con: DuckDBPyConnection, path: File, scratch: File) -> Objects:
    """The file as DuckDB can read it: as it is when it is good, else its good part written anew."""
    import duckdb

    lined = _suffix(path) != ".js" and _line_by_line(path)
    if lined:
        try:
            return checked_lines(con, path, scratch)
        except duckdb.Error as error:
            if "ine size" not in str(error) and "nicode" not in str(error) and "utf" not in str(error).lower():
                raise
            return line_by_line(path, scratch)
    elif _suffix(path) != ".js" and first_sign(path) == "[":
        objects = Objects(path, "array")
        try:
            if con.execute(f"SELECT bool_and(json_type(json) = 'OBJECT') FROM {objects.raw()}").fetchall() == [(True,)]:
                return objects
        except duckdb.Error:
            pass
    return taken_apart(path, scratch)


def _line_by_line(path: File) -> bool:
    """Whether the file is one object per line, whatever its name says: a .json file often is.

    Told by the first two lines: a broken line among good ones is for the rejects, a document over many lines is not.
    """
    from xlt.corpus.unpack import loads

    whole = tried = 0
    with open_bytes(path) as raw:
        for line in raw:
            if not line.strip():
                continue
            tried += 1
            with suppress(ValueError):
                whole += isinstance(loads(line.decode("utf-8-sig", "replace")), dict)
            if whole or tried == 20:
                break
    return whole > 0
