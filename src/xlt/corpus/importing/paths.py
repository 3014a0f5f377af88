"""Paths into a post, as mapping files write them, and the SQL that follows them.

user.id_str                          a field of a field
langs[0]                             the first of a list
text[]                               every element that is text, or has a `text`, put together
text_entities[].text                 every element's field, put together
referenced_tweets[type=quoted].id    the first element whose field has this value
^.id                                 from the page that the post stands on
author:location                      from the lookup `author` of the mapping
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xlt.corpus.duck import text

_STEP = re.compile(r"(?P<name>[^.\[\]=:^]+)(?:\[(?P<pick>[^\[\]]*)\])?")
PAGE = "^"


@dataclass(frozen=True)
class Step:
    """One field; `pick` says which elements when it is a list: "" all, "0" by position, "type=quoted" by value."""

    name: str
    pick: str | None = None


@dataclass(frozen=True)
class Path:
    """Where a value is. `source` is empty for the post itself, `^` for its page, else a lookup's name."""

    source: str
    steps: tuple[Step, ...]
    spelt: str


@dataclass(frozen=True)
class Field:
    """A column to start from: its SQL, and whether it holds JSON or plain text."""

    sql: str
    json: bool = False


def parse(spelt: str) -> Path:
    """A path from its spelling. Raises ValueError saying what is wrong with it."""
    source, rest = "", spelt.strip()
    if rest.startswith(PAGE + "."):
        source, rest = PAGE, rest[2:]
    elif match := re.match(r"([a-z_]+):(?!/)(.+)", rest):
        source, rest = match.group(1), match.group(2)
    steps = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            raise ValueError(f"the path {spelt!r} can't be read at {rest[position:]!r}")
        pick = match.group("pick")
        if pick and not (pick.isdecimal() or re.fullmatch(r"[^=]+=[^=]*", pick)):
            raise ValueError(f"the path {spelt!r} has [{pick}]; write [], [0] or [field=value]")
        steps.append(Step(match.group("name").strip(), pick))
        position = match.end()
        if position < len(rest):
            if rest[position] != ".":
                raise ValueError(f"the path {spelt!r} can't be read at {rest[position:]!r}")
            position += 1
            if position == len(rest):
                raise ValueError(f"the path {spelt!r} ends in a point")
    if not steps:
        raise ValueError(f"the path {spelt!r} is empty")
    return Path(source, tuple(steps), spelt)


def parse_any(spelt: str) -> tuple[Path, ...]:
    """Alternatives: `full_text|text`."""
    return tuple(parse(part) for part in spelt.split("|"))


def find(path: Path, document: object) -> object:
    """What the path leads to in a parsed object, or None. A lone object counts as a list of one."""
    found = document
    for step in path.steps:
        found = found.get(step.name) if isinstance(found, dict) else None
        if step.pick is not None and found is not None:
            elements = found if isinstance(found, list) else [found]
            if "=" in step.pick:
                name, _, value = step.pick.partition("=")
                elements = [each for each in elements if isinstance(each, dict) and str(each.get(name)) == value]
            number = int(step.pick) if step.pick.isdecimal() else 0
            found = elements[number] if number < len(elements) else None
    return found


def to_sql(path: Path, fields: Mapping[str, Field]) -> str | None:
    """SQL for the value as text, or None when the first field is not among `fields`."""
    first, *rest = path.steps
    field = fields.get(first.name)
    if field is None:
        return None
    if not rest and first.pick is None:
        plain = f"(CASE WHEN json_type({field.sql}) NOT IN ('ARRAY', 'OBJECT') THEN {field.sql} ->> '$' END)"
        return plain if field.json else field.sql
    json = field.sql if field.json else f"(CASE WHEN json_valid({field.sql}) THEN {field.sql}::JSON END)"
    return _walk(json, [Step("", first.pick), *rest])


def _walk(json: str, steps: list[Step]) -> str:
    """Text at the end of the steps that lead on from a JSON value."""
    trail = "$"
    for number, step in enumerate(steps):
        if step.name:
            trail += "." + _key(step.name)
        if step.pick is None:
            continue
        if step.pick.isdecimal():
            trail += f"[{step.pick}]"
            continue
        elements = f"json_extract({json}, {text(trail + '[*]')})"
        rest = steps[number + 1 :]
        if step.pick:
            name, _, value = step.pick.partition("=")
            found = f"list_filter({elements}, lambda e: (e ->> {text('$.' + _key(name))}) = {text(value)})[1]"
            return _walk(found, rest) if rest else f"({found} ->> '$')"
        if not rest:
            return f"array_to_string(list_transform({elements}, lambda e: coalesce(e ->> '$.text', e ->> '$')), '')"
        return f"array_to_string(list_transform({elements}, lambda e: {_walk('e', rest)}), '')"
    return f"json_extract_string({json}, {text(trail)})"


def _key(name: str) -> str:
    return '"' + name.replace('"', "") + '"'


def rows_sql(document: str, path: Path) -> str:
    """SQL of the list of objects under a path such as `data[]`; a single object counts as a list of one."""
    trail = "$" + "".join("." + _key(step.name) for step in path.steps)
    at = f"json_extract({document}, {text(trail)})"
    many = f"json_extract({document}, {text(trail + '[*]')})"
    return f"(CASE json_type({at}) WHEN 'ARRAY' THEN {many} WHEN 'OBJECT' THEN [{at}] END)"
