"""Takes a script of SQL apart: its statements, and the one where the cursor stands. Broken SQL too."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Statement:
    """One statement of a script, without the semicolon and the comments around it."""

    sql: str
    start: int
    """Where it begins in the script, in characters."""
    end: int
    """Where it ends; its semicolon, if it has one, comes after that."""


def tokens(script: str) -> list[tuple[int, int, str]]:
    """Begin and end (in characters) of what can be told apart by looks, and its kind.

    Kinds: `keyword`, `string`, `number` and `comment`.
    """
    import duckdb

    kinds = {
        duckdb.token_type.keyword: "keyword",
        duckdb.token_type.string_const: "string",
        duckdb.token_type.numeric_const: "number",
        duckdb.token_type.comment: "comment",
    }
    packed = _SURROGATE.sub("\ufffd", script).encode()
    parts = duckdb.tokenize(packed.decode())
    ends = [*(position for position, _ in parts[1:]), len(packed)]
    found: list[tuple[int, int, str]] = []
    at = place = 0
    for (position, kind), end in zip(parts, ends, strict=False):
        # Bytes to characters, piece by piece.
        place += len(packed[at:position].decode())
        length = len(packed[position:end].decode())
        at, begins = end, place
        place += length
        if kind in kinds:
            found.append((begins, begins + len(script[begins:place].rstrip()), kinds[kind]))
    return found


def statements(script: str) -> list[Statement]:
    """The statements of a script in order. Semicolons inside quotes and comments part nothing."""
    import duckdb

    # DuckDB counts in UTF-8 bytes, and takes no lone surrogates.
    packed = _SURROGATE.sub("\ufffd", script).encode()
    found: list[Statement] = []
    start: int | None = None
    tokens = duckdb.tokenize(packed.decode())
    ends = [*(position for position, _ in tokens[1:]), len(packed)]
    last = 0

    def close() -> None:
        if start is not None:
            begins, stops = len(packed[:start].decode()), len(packed[:last].decode())
            sql = script[begins:stops].rstrip()
            if sql:
                found.append(Statement(sql, begins, begins + len(sql)))

    for (position, kind), end in zip(tokens, ends, strict=False):
        if kind == duckdb.token_type.comment:
            continue
        if kind == duckdb.token_type.operator and packed[position : position + 1] == b";":
            close()
            start = None
            continue
        if start is None:
            start = position
        last = end
    close()
    return found


def statement_at(script: str, cursor: int) -> Statement | None:
    """The statement in which the cursor (in characters) stands: else the one before it, else the one after it."""
    found = statements(script)
    before = [each for each in found if each.start <= cursor]
    if not before:
        return found[0] if found else None
    last = before[-1]
    at = found.index(last)
    if cursor <= last.end + 1 or at + 1 == len(found):
        return last
    # Between two: the one on whose line the cursor is, else the next one, as in a comment above it.
    line_end = script.find("\n", last.end)
    return last if line_end == -1 or cursor <= line_end else found[at + 1]
