"""Files of JSON objects as relations: JSONL, lists, single documents, with what can't be read set aside.

`readers` turns plain ones into typed columns; `importing` takes nested ones apart by a mapping.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.corpus.duck import text
from xlt.corpus.rejects import Reject
from xlt.corpus.unpack import Cut, documents, dumps, loads, open_bytes
from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB's buffers are sixteen times as large, one per thread.
LONGEST_LINE = 4 * 1024 * 1024
# A page of an API can be longer; DuckDB then reads with fewer threads.
LONGEST_OBJECT = 64 * 1024 * 1024
# A control character never stands in valid JSON, so it can be the separator that never separates.
_NO_SEPARATOR = "chr(1)"
_BLANK = " \t\r\n"


class NoPosts(XltError):
    """A file that is as it should be, and empty: the last page of a search, say."""


@dataclass
class Objects:
    """A file of JSON objects that DuckDB can read as it is."""

    path: Path
    layout: str
    """newline_delimited or array."""
    rejects: list[Reject] = field(default_factory=list)
    longest: int = LONGEST_LINE

    def raw(self) -> str:
        """A relation with one column, `json`: one row per object."""
        return f"read_json_objects({text(self.path)}, format={text(self.layout)}, maximum_object_size={self.longest})"

    def typed(self, columns: dict[str, str]) -> str:
        """A relation with these fields of the objects: name → DuckDB's type. Fields that are not there are null."""
        listed = "{" + ", ".join(f"{text(name)}: {text(kind)}" for name, kind in columns.items()) + "}"
        return (
            f"read_json({text(self.path)}, format={text(self.layout)}, columns={listed}, "
            f"maximum_object_size={self.longest})"
        )


def lines(path: Path, encoding: str = "utf-8", mixed: bool = False) -> str:
    """A relation of a text file's lines, blank ones included, in one column `line`.

    `mixed`: the file may end lines in several ways, as a CSV with CRLF does when a tweet in it holds a line feed. Good
    for the first line; a lone CR further down could cost one.
    """
    return (
        f"read_csv({text(path)}, columns={{'line': 'VARCHAR'}}, delim={_NO_SEPARATOR}, quote='', escape='', "
        f"header=false, auto_detect=false, max_line_size={LONGEST_LINE}, encoding={text(encoding)}"
        f"{', strict_mode=false' if mixed else ''})"
    )


def checked_lines(con: DuckDBPyConnection, path: Path, scratch: Path) -> Objects:
    """A JSONL file whose bad lines are set aside: the good ones go to a copy in `scratch` where there are any.

    Raises XltError when no line is good.
    """
    # Parsing once tells most; a value that is no object is found by its first sign.
    wrong = f"line IS NOT NULL AND ltrim(line, {text(_BLANK)}) <> '' AND "
    wrong += f"(NOT json_valid(line) OR left(ltrim(line, {text(_BLANK)}), 1) <> '{{')"
    if con.execute(f"SELECT count(*) FROM {lines(path)} WHERE {wrong}").fetchall() == [(0,)]:
        return Objects(path, "newline_delimited")
    numbered = f"(SELECT row_number() OVER () AS number, line FROM {lines(path)})"
    bad = con.execute(f"SELECT number, line FROM {numbered} WHERE {wrong} ORDER BY number").fetchall()
    repaired, rejects = _repair(path, bad)
    good = scratch / f"{path.name}.good.jsonl"
    with good.open("w", encoding="utf-8", newline="\n") as out:
        for line in _merged(con, numbered, repaired, {number for number, _ in bad}):
            out.write(line + "\n")
    if good.stat().st_size == 0:
        raise XltError(f"{path} holds no valid line of JSON; the first is wrong because: {rejects[0].reason}.")
    return Objects(good, "newline_delimited", rejects)


def _merged(con: DuckDBPyConnection, numbered: str, repaired: dict[int, str], bad: set[int]) -> Iterator[str]:
    result = con.execute(f"SELECT number, line FROM {numbered} WHERE trim(coalesce(line, '')) <> '' ORDER BY number")
    while rows := result.fetchmany(10_000):
        for number, line in rows:
            if number in repaired:
                yield repaired[number]
            elif number not in bad:
                yield line


def _repair(path: Path, bad: list[tuple[int, str]]) -> tuple[dict[int, str], list[Reject]]:
    """Lone surrogates are no valid JSON for DuckDB but common in tweets: they become U+FFFD, the rest is rejected."""
    repaired: dict[int, str] = {}
    rejects: list[Reject] = []
    for number, line in bad:
        try:
            row = loads(line)
        except ValueError as error:
            rejects.append(Reject(str(path), number, f"no valid JSON: {error}", line[:1000]))
            continue
        if isinstance(row, dict):
            repaired[number] = dumps(row)
        else:
            rejects.append(Reject(str(path), number, "not a JSON object", line[:1000]))
    return repaired, rejects


def taken_apart(path: Path, scratch: Path) -> Objects:
    """Any JSON written anew as JSONL in `scratch`, object by object. Raises XltError when there is no object."""
    rejects: list[Reject] = []
    longest = LONGEST_LINE
    written = 0
    good = scratch / f"{path.name}.objects.jsonl"
    with good.open("w", encoding="utf-8", newline="\n") as out:
        try:
            for number, found in enumerate(documents(path), start=1):
                if not isinstance(found, dict):
                    rejects.append(Reject(str(path), number, "not a JSON object", dumps(found)[:1000]))
                    continue
                packed = dumps(found)
                longest = max(longest, len(packed.encode()) + 1024)
                out.write(packed + "\n")
                written += 1
        except Cut as cut:
            rejects.append(Reject(str(path), cut.line, f"no valid JSON from here on: {cut.reason}"))
    if not written and not rejects:
        raise NoPosts(f"{path} holds no post: its list is empty.")
    if not written:
        reason = f": {rejects[0].reason}, line {rejects[0].line}" if rejects else ""
        raise XltError(f"{path} can't be read as JSON{reason}; it must hold objects, or a list of them.")
    if longest > LONGEST_OBJECT:
        raise XltError(
            f"{path} holds an object of {longest / 1e6:,.0f} MB, and xlt reads objects of up to "
            f"{LONGEST_OBJECT / 1e6:,.0f} MB; split it into one object per tweet."
        )
    return Objects(good, "newline_delimited", rejects, longest)


def line_by_line(path: Path, scratch: Path) -> Objects:
    """A JSONL file that DuckDB can't read as text (bytes that are no UTF-8, lines of megabytes), written anew.

    Raises XltError when no line is good.
    """
    rejects: list[Reject] = []
    longest = LONGEST_LINE
    good = scratch / f"{path.name}.good.jsonl"
    with open_bytes(path) as raw, good.open("w", encoding="utf-8", newline="\n") as out:
        number = 0
        while line := raw.readline(LONGEST_OBJECT):
            number += 1
            reason = "" if line.endswith(b"\n") or len(line) < LONGEST_OBJECT else "too long"
            while reason and (rest := raw.readline(LONGEST_OBJECT)) and not rest.endswith(b"\n"):
                pass
            text_of_line = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
            if not text_of_line and not reason:
                continue
            try:
                row = None if reason else loads(text_of_line)
            except ValueError as error:
                reason = f"no valid JSON: {error}"
            if not reason and isinstance(row, dict):
                packed = dumps(row)
                longest = max(longest, len(packed.encode()) + 1024)
                out.write(packed + "\n")
            else:
                rejects.append(Reject(str(path), number, reason or "not a JSON object", text_of_line[:1000]))
    if good.stat().st_size == 0:
        first = rejects[0].reason if rejects else "it is empty"
        raise XltError(f"{path} holds no valid line of JSON; the first is wrong because: {first}.")
    return Objects(good, "newline_delimited", rejects, longest)


def first_objects(path: Path, most: int = 200) -> list[dict[str, Any]]:
    """The first objects of a file, as far as they can be read: enough to tell what it is."""
    found: list[dict[str, Any]] = []
    reading = documents(path)
    try:
        found.extend(each for each in islice(reading, most) if isinstance(each, dict))
    except Cut:
        found = found or _first_lines(path, most)
    finally:
        reading.close()
    return found


def _first_lines(path: Path, most: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with open_bytes(path) as raw:
        for line in islice(raw, most):
            try:
                row = loads(line.decode("utf-8", "replace"))
            except ValueError:
                continue
            if isinstance(row, dict):
                found.append(row)
    return found
