"""What could be meant where the cursor stands in a piece of SQL: tables, columns, functions, keywords."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.statements import statement_at

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WORD = re.compile(r"[^\W\d]\w*$")
_QUALIFIED = re.compile(r"([^\W\d]\w*)\.(\w*)$")
_TABLE_COMES = re.compile(r"\b(?:from|join|describe|summarize|into|table)\s+(?:[\w\s,.\"]*,\s*)?\w*$", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:from|join|,)\s*(\w+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
# Those that a query is written with come first; the others are there too.
_KEYWORDS = (
    "SELECT FROM WHERE GROUP BY ORDER LIMIT JOIN LEFT USING ON AS AND OR NOT IN LIKE ILIKE BETWEEN IS NULL DISTINCT "
    "CASE WHEN THEN ELSE END HAVING UNION ALL WITH FILTER OVER PARTITION ASC DESC SUMMARIZE DESCRIBE EXPLAIN PIVOT"
)
_FUNCTIONS = (
    "count sum avg min max round coalesce nullif length lower upper date_trunc strftime any_value median quantile_cont "
    "row_number contains regexp_matches regexp_extract starts_with list_contains unnest string_agg greatest least"
)
_USUAL = tuple(_KEYWORDS.split())


@dataclass(frozen=True)
class Candidate:
    """One thing that could be meant."""

    text: str
    """What is put in place of the word."""
    kind: str
    """`table`, `column`, `function`, `keyword` or `parameter`."""
    about: str = ""
    """A column's type and table."""


@dataclass(frozen=True)
class Words:
    """What a corpus's SQL knows."""

    tables: dict[str, tuple[tuple[str, str], ...]]
    """Table or view → (column, type)."""
    functions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = _USUAL
    parameters: tuple[str, ...] = ("run", "task")
    reserved: frozenset[str] = frozenset(_USUAL)
    """Keywords, in capitals, that can't be meant as a name, and the usual ones."""


def words(con: DuckDBPyConnection) -> Words:
    """Ask an open corpus; `queries.prepare` adds the views of a run before."""
    rows = con.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE NOT internal AND table_name <> 'meta' ORDER BY table_name, column_index"
    ).fetchall()
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        tables.setdefault(str(table), []).append((str(column), str(kind)))
    named = con.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE regexp_full_match(function_name, '[a-z]\\w*') "
        "AND NOT starts_with(function_name, '__') ORDER BY 1"
    ).fetchall()
    functions = [str(name) for (name,) in named]
    listed = con.execute("SELECT upper(keyword_name), keyword_category FROM duckdb_keywords()").fetchall()
    return Words(
        {name: tuple(columns) for name, columns in tables.items()},
        tuple(dict.fromkeys([*(name for name in _FUNCTIONS.split() if name in functions), *functions])),
        tuple(dict.fromkeys([*_USUAL, *(str(word) for word, _ in listed)])),
        reserved=frozenset([*_USUAL, *(str(word) for word, category in listed if category == "reserved")]),
    )


def word_before(script: str, cursor: int) -> str:
    """The part of a word left of the cursor, which a candidate replaces; empty where there is none."""
    match = _WORD.search(script[:cursor])
    return match.group() if match else ""


def complete(known: Words, script: str, cursor: int, most: int = 50) -> list[Candidate]:
    """Candidates for the word that ends at the cursor (in characters), the likeliest first.

    After `table.` or an alias its columns; after FROM and JOIN tables; else columns of the tables that the statement
    names, then tables, functions and keywords. Without a word only the first two give anything.
    """
    before = script[:cursor]
    statement = statement_at(script, cursor)
    names = _tables_named(known, statement.sql if statement else "")
    if match := _QUALIFIED.search(before):
        table = names.get(match.group(1).casefold())
        return _beginning(match.group(2), _columns(known, [table] if table else []), most)
    word = word_before(script, cursor)
    if before[: len(before) - len(word)].endswith("$"):
        return _beginning(word, [Candidate(name, "parameter") for name in known.parameters], most)
    tables = [Candidate(_spelt(name), "table", f"{len(columns)} columns") for name, columns in known.tables.items()]
    if _TABLE_COMES.search(before):
        return _beginning(word, tables, most)
    if not word:
        return []
    own = list(dict.fromkeys(names.values()))
    columns = _columns(known, own or list(known.tables))
    keywords = [Candidate(each, "keyword") for each in known.keywords]
    functions = [Candidate(f"{each}(", "function") for each in known.functions]
    usual = keywords[: len(_USUAL)]
    return _beginning(word, [*columns, *usual, *tables, *functions, *keywords], most)


def _columns(known: Words, tables: Iterable[str]) -> list[Candidate]:
    return [
        Candidate(_spelt(column), "column", f"{kind.lower()} · {table}")
        for table in tables
        for column, kind in known.tables.get(table, ())
    ]


def _tables_named(known: Words, sql: str) -> dict[str, str]:
    """Names and aliases in a statement → tables."""
    folded = {name.casefold(): name for name in known.tables}
    found: dict[str, str] = {}
    for name, alias in _NAMED.findall(sql):
        table = folded.get(name.casefold())
        if table:
            found[name.casefold()] = table
            if alias:
                found[alias.casefold()] = table
    return found


def _spelt(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]\w*", name) else duck.quote(name)


def _beginning(word: str, candidates: Iterable[Candidate], most: int) -> list[Candidate]:
    """Those that begin with the word, each text once; nothing that is already written whole."""
    folded = word.casefold()
    found: dict[str, Candidate] = {}
    for each in candidates:
        text = each.text.strip('"').casefold()
        if text.startswith(folded) and each.text.casefold() not in found:
            found[each.text.casefold()] = each
        if len(found) >= most:
            break
    chosen = list(found.values())
    return [] if [each.text.casefold() for each in chosen] == [folded] else chosen
