"""Opens one file by a mapping: recognises the platform, and gives a relation of posts with the fields it needs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

from xlt.corpus.documents import Objects, checked_lines, first_objects, taken_apart
from xlt.corpus.duck import failed, quote, text
from xlt.corpus.importing.mapping import Column, Mapping, builtin, load
from xlt.corpus.importing.paths import PAGE, Field, Path, find, parse, rows_sql, to_sql
from xlt.corpus.readers import kind_of, open_file
from xlt.corpus.rejects import Reject
from xlt.corpus.unpack import check_size, open_bytes
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

POSTS = "posts"


@dataclass
class Source:
    """A file opened by a mapping."""

    mapping: Mapping
    relation: str
    """SQL that can stand after FROM; its rows are posts."""
    fields: dict[str, dict[str, Field]]
    """Where a path's source ("" for the post, "^", a lookup) has its fields."""
    names: list[str]
    """Names of the columns that the user can see in the file."""
    types: dict[str, str] = field(default_factory=dict)
    """DuckDB's type of each column, of Parquet."""
    rejects: list[Reject] = field(default_factory=list)
    skipped: int = 0
    """Objects that are no posts by the mapping: notices, service messages."""
    number: str | None = None
    """SQL of a post's number in the file, from 1, where the relation knows it."""
    empty_pages: int = 0

    def sql(self, path: Path) -> str | None:
        """SQL of a path's value as text; None when the file has no such column."""
        return to_sql(path, self.fields.get(path.source, {}))


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
) -> Source:
    """Open a file by the named mapping, or by the one that recognises it. Raises XltError, UsageError.

    `wanted` are fields that the user asked for beside those of the mapping.
    """
    import duckdb

    check(path)
    try:
        if is_json(path):
            return _open_json(con, path, scratch, load(mapping) if mapping else None, list(wanted))
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


def recognise(objects: list[dict[str, Any]]) -> Mapping | None:
    """The built-in mapping whose fields most of these objects have; None when none fits."""
    best, hits = None, 0
    for mapping in builtin():
        if mapping.kind != "json":
            continue
        count = sum(_fits(mapping, each) for each in objects)
        if count > hits:
            best, hits = mapping, count
    return best


def _fits(mapping: Mapping, document: dict[str, Any]) -> bool:
    return all(any(find(path, document) is not None for path in each) for each in mapping.recognise)


def error_of(mapping: Mapping, document: dict[str, Any]) -> str | None:
    """What an API says when it gives an error in place of posts."""
    for path in mapping.errors:
        found = find(path, document)
        if isinstance(found, str) and found.strip():
            return found.strip()
    return None


def _open_json(con: DuckDBPyConnection, path: File, scratch: File, given: Mapping | None, wanted: list[str]) -> Source:
    first = first_objects(path)
    if not first:
        _refuse_html(path)
    mapping = given or recognise(first)
    if mapping is None:
        _refuse_errors(path, first)
        mapping = load("table")
    objects = _objects(con, path, scratch)
    if mapping.rows:
        return _open_pages(con, path, mapping, objects, wanted)
    fields, columns = _top_fields(mapping, first, wanted)
    names = list(dict.fromkeys(name for each in first for name in each))
    if mapping.kind == "table":
        fields = _Folded({name.casefold(): each for name, each in fields.items()})
    return Source(
        mapping, objects.typed(columns or {"text": "VARCHAR"}), {"": fields}, names, rejects=list(objects.rejects)
    )


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
        for path in _paths(mapping):
            if path.source == "":
                step = path.steps[0]
                deep = len(path.steps) > 1 or step.pick is not None
                wanted[step.name] = wanted.get(step.name, False) or deep
        wanted.update({name: False for name in asked if name not in wanted})
    fields = {name: Field(quote(name), json=deep) for name, deep in wanted.items()}
    return fields, {name: "JSON" if deep else "VARCHAR" for name, deep in wanted.items()}


def _paths(mapping: Mapping) -> list[Path]:
    columns: list[Column] = [*mapping.columns.values(), *mapping.extra.values()]
    found = [path for column in columns for value in column for path in value.paths]
    found += [*mapping.skip, *mapping.need, *(lookup.on for lookup in mapping.lookups.values())]
    # Of pages the errors stand on the page, and are looked for there.
    return found if mapping.rows else [*found, *mapping.errors]


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
    elif _suffix(path) != ".js" and _first_sign(path) == "[":
        objects = Objects(path, "array")
        try:
            row = con.execute(f"SELECT bool_and(json_type(json) = 'OBJECT') FROM {objects.raw()}").fetchone()
            if row and row[0]:
                return objects
        except duckdb.Error:
            pass
    return taken_apart(path, scratch)


def _first_sign(path: File) -> str:
    with open_bytes(path) as raw:
        return raw.read(4096).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")[:1]


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


def _refuse_html(path: File) -> None:
    if _first_sign(path) == "<":
        raise XltError(f"{path} holds a web page (HTML), not tweets; the download failed: fetch it again.")


def _refuse_errors(path: File, first: list[dict[str, Any]]) -> None:
    """Raise XltError when the objects are an API's errors and nothing else."""
    for mapping in builtin():
        for each in first:
            said = error_of(mapping, each)
            if said and not any(key.casefold() in ("text", "id", "id_str", "full_text") for key in each):
                raise XltError(f"{path} holds an error of the API in place of tweets ({said!r}); fetch it again.")
    if first and all(set(each) <= {"meta", "cursor", "posts", "feed", "data", "includes", "errors"} for each in first):
        raise XltError(f"{path} holds pages of an API without any post.")


def _open_pages(con: DuckDBPyConnection, path: File, mapping: Mapping, objects: Objects, asked: list[str]) -> Source:
    """Posts of pages, in a temporary table with what the mapping needs of each; its lookups in tables of their own."""
    source = Source(mapping, POSTS, {}, [], rejects=list(objects.rejects), number="p.nr")
    pages = f"(SELECT json AS page FROM {objects.raw()})"
    post = pages
    for depth, level in enumerate(mapping.rows):
        parent = "page" if depth == 0 else "post"
        post = f"(SELECT {parent} AS page, unnest({rows_sql(parent, level)}) AS post FROM {post})"
    by_source: dict[str, list[Path]] = {}
    for wanted in [*_paths(mapping), *map(parse, asked)]:
        by_source.setdefault(wanted.source, []).append(wanted)
    selected: list[str] = []
    for name, column in (("", "post"), (PAGE, "page")):
        source.fields[name] = {}
        tops = _tops(by_source.get(name, []))
        for number, (top, deep) in enumerate(tops.items()):
            alias = f"{column}_{number}"
            trail = text('$."' + top + '"')
            extract = "json_extract" if deep else "json_extract_string"
            selected.append(f"{extract}({column}, {trail}) AS {alias}")
            source.fields[name][top] = Field(f"p.{alias}", json=deep)
    con.execute(f"DROP TABLE IF EXISTS {POSTS}")
    con.execute(f"CREATE TEMP TABLE {POSTS} AS SELECT {', '.join(selected)}, row_number() OVER () AS nr FROM {post}")
    joins = "".join(_lookup(con, source, pages, mapping, name, by_source) for name in mapping.lookups)
    source.relation = f"{POSTS} p{joins}"
    _reject_pages(con, path, mapping, pages, source)
    return source


def _tops(paths: list[Path]) -> dict[str, bool]:
    """First fields of paths → whether something below them is asked for."""
    found: dict[str, bool] = {}
    for path in paths:
        deep = len(path.steps) > 1 or path.steps[0].pick is not None
        found[path.steps[0].name] = found.get(path.steps[0].name, False) or deep
    return found


def _lookup(
    con: DuckDBPyConnection,
    source: Source,
    pages: str,
    mapping: Mapping,
    name: str,
    by_source: dict[str, list[Path]],
) -> str:
    """Make a lookup's table (once per list and key: several lookups share it) and the join to it."""
    lookup = mapping.lookups[name]
    shared = [each for each in mapping.lookups.values() if (each.rows, each.key) == (lookup.rows, lookup.key)]
    table = f"lookup_{shared[0].name}"
    tops = _tops([path for each in shared for path in by_source.get(each.name, [])])
    if lookup is shared[0]:
        trail = "$." + ".".join(f'"{step.name}"' for step in lookup.key.steps)
        parts = [f"json_extract_string(found, {text(trail)}) AS key"]
        for number, (top, deep) in enumerate(tops.items()):
            extract = "json_extract" if deep else "json_extract_string"
            parts.append(f"last({extract}(found, {text('$.' + chr(34) + top + chr(34))})) AS v{number}")
        con.execute(f"DROP TABLE IF EXISTS {table}")
        con.execute(
            f"CREATE TEMP TABLE {table} AS SELECT {', '.join(parts)} FROM "
            f"(SELECT unnest({rows_sql('page', lookup.rows)}) AS found FROM {pages}) GROUP BY 1"
        )
    source.fields[name] = {top: Field(f"{quote(name)}.v{n}", json=deep) for n, (top, deep) in enumerate(tops.items())}
    on = source.sql(lookup.on)
    return f" LEFT JOIN {table} AS {quote(name)} ON {quote(name)}.key = {on}"


def _reject_pages(con: DuckDBPyConnection, path: File, mapping: Mapping, pages: str, source: Source) -> None:
    """Pages that hold an error of the API, or nothing that the mapping knows, are said with their place."""
    empty = rows_sql("page", mapping.rows[0])
    lookups = {lookup.rows.steps[0].name for lookup in mapping.lookups.values()}
    bare = con.execute(
        f"SELECT number, page FROM (SELECT row_number() OVER () AS number, page FROM {pages}) WHERE {empty} IS NULL "
        "ORDER BY number"
    ).fetchall()
    from xlt.corpus.unpack import loads

    for number, page in bare:
        document = loads(page)
        said = error_of(mapping, document)
        if said:
            source.rejects.append(
                Reject(str(path), number, f"an error of the API in place of posts: {said}", page[:1000])
            )
        elif not lookups & set(document) and "meta" not in document:
            source.rejects.append(Reject(str(path), number, "no posts in this object", page[:1000]))
        else:
            source.empty_pages += 1
