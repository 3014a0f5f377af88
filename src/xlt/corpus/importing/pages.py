"""Posts that stand on pages, with what belongs to them elsewhere on the page (users, places, quoted posts)."""

from __future__ import annotations

from pathlib import Path as File
from typing import TYPE_CHECKING

from xlt.corpus.documents import Objects
from xlt.corpus.duck import quote, text
from xlt.corpus.importing.mapping import Mapping
from xlt.corpus.importing.paths import PAGE, Field, Path, parse, rows_sql
from xlt.corpus.importing.recognise import error_of
from xlt.corpus.importing.source import POSTS, Source, paths_of
from xlt.corpus.rejects import Reject
from xlt.corpus.unpack import loads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def open_pages(con: DuckDBPyConnection, path: File, mapping: Mapping, objects: Objects, asked: list[str]) -> Source:
    """Posts of pages, in a temporary table with what the mapping needs of each; its lookups in tables of their own."""
    source = Source(mapping, POSTS, {}, [], rejects=list(objects.rejects), number="p.nr")
    pages = f"(SELECT json AS page FROM {objects.raw()})"
    post = pages
    for depth, level in enumerate(mapping.rows):
        parent = "page" if depth == 0 else "post"
        post = f"(SELECT {parent} AS page, unnest({rows_sql(parent, level)}) AS post FROM {post})"
    by_source: dict[str, list[Path]] = {}
    for wanted in [*paths_of(mapping), *map(parse, asked)]:
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
