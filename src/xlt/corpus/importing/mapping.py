"""Mapping files: which field of a platform's export becomes which column of the corpus."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path as File
from typing import Any

from xlt.corpus.importing.paths import PAGE, Path, parse, parse_any
from xlt.corpus.schema import TWEETS
from xlt.errors import UsageError, XltError

BUILTIN = File(__file__).parents[1] / "mappings"
_MADE = ("platform", "text_key", "lang", "lang_confidence", "place_source", "extra", "source")
COLUMNS = (*(name for name in TWEETS if name not in _MADE), "handle", "profile")
"""Columns that a mapping can fill. `profile` is the place that the author's profile names; `handle` is kept only with
--keep-handles."""
_FORMS = ("plain", "escaped", "html")
_HANDLES = ("word", "dotted", "reddit")
_KNOWN = {
    "name",
    "title",
    "platform",
    "kind",
    "rows",
    "recognise",
    "skip",
    "need",
    "void",
    "errors",
    "text_form",
    "handles",
}
_KNOWN |= {"earliest", "id_form", "columns", "extra", "lookup"}


@dataclass(frozen=True)
class Value:
    """One way to make a column's value. Each slot is a list of paths of which the first that gives something counts."""

    slots: tuple[tuple[Path, ...], ...]
    template: str | None = None
    """Text with `{0}`, `{1}` … for the slots; null unless all of them give something."""
    join: str | None = None
    """What stands between the slots' texts; those that are empty are left out."""
    when: tuple[Path, ...] = ()
    """Only where one of these gives something."""

    @property
    def paths(self) -> list[Path]:
        """All paths of all slots."""
        return [*(path for slot in self.slots for path in slot), *self.when]


Column = tuple[Value, ...]
"""The first of the values that gives something."""


@dataclass(frozen=True)
class Lookup:
    """Other objects of the file: those under `rows` whose `key` equals the post's `on`."""

    name: str
    rows: Path
    key: Path
    on: Path


@dataclass(frozen=True)
class Mapping:
    """One platform's layout."""

    name: str
    title: str
    platform: str
    kind: str
    """json (posts are objects) or table (columns found by name)."""
    columns: dict[str, Column]
    rows: tuple[Path, ...] = ()
    """Lists to go down to reach the posts; none when each object is a post."""
    recognise: tuple[tuple[Path, ...], ...] = ()
    """Fields that a file of this kind has, seen from the document; of each tuple one is enough."""
    skip: tuple[Path, ...] = ()
    """An object with one of these is no post (a notice of deletion, a service message)."""
    need: tuple[Path, ...] = ()
    """An object that lacks one of these is no post."""
    errors: tuple[Path, ...] = ()
    """Where an error of the platform's API stands."""
    void: tuple[str, ...] = ()
    """Texts that stand for nothing, such as `[removed]`."""
    text_form: str = "plain"
    handles: str = "word"
    id_form: str = "plain"
    """`url`: ids are addresses that hold the author's name."""
    earliest: str = "1990-01-01"
    """Dates before this day are impossible."""
    extra: dict[str, Column] = field(default_factory=dict)
    lookups: dict[str, Lookup] = field(default_factory=dict)


def names() -> list[str]:
    """The mappings that ship with xlt."""
    return sorted(path.stem for path in BUILTIN.glob("*.toml"))


@lru_cache
def builtin() -> tuple[Mapping, ...]:
    """All mappings that ship with xlt; those that ask for most come first when a file is recognised."""
    found = [load(name) for name in names()]
    return tuple(sorted(found, key=lambda each: -len(each.recognise)))


def load(name: str) -> Mapping:
    """A built-in mapping by name, or a user's own by the path of its TOML file. Raises UsageError, XltError."""
    path = File(name)
    if path.suffix != ".toml":
        path = BUILTIN / f"{name}.toml"
        if not path.is_file():
            raise UsageError(f"There is no mapping {name!r}; there are {', '.join(names())}, or give a .toml file.")
    try:
        source = path.read_text(encoding="utf-8")
        return _mapping(tomllib.loads(source), path.stem)
    except FileNotFoundError:
        raise UsageError(f"There is no mapping file {name}.") from None
    except tomllib.TOMLDecodeError as error:
        raise XltError(f"The mapping {name} is no valid TOML: {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise XltError(f"The mapping {name} can't be read: {error}.") from None
    except ValueError as error:
        raise XltError(f"The mapping {name} can't be used: {error}.") from None


def _mapping(tables: dict[str, Any], stem: str) -> Mapping:
    _only(tables, _KNOWN, "the mapping")
    columns = tables.get("columns")
    if not isinstance(columns, dict) or "text" not in columns:
        raise ValueError("[columns] must at least say where `text` is")
    _only(columns, set(COLUMNS), "[columns]")
    lookups = {name: _lookup(name, table) for name, table in _table(tables, "lookup").items()}
    mapping = Mapping(
        name=_choice(tables, "name", stem),
        title=_choice(tables, "title", stem),
        platform=_choice(tables, "platform", stem),
        kind=_choice(tables, "kind", "json", ("json", "table")),
        columns={name: _column(spec, name) for name, spec in columns.items()},
        rows=tuple(parse(part) for part in _strings(tables, "rows")),
        recognise=tuple(parse_any(part) for part in _strings(tables, "recognise")),
        skip=tuple(parse(part) for part in _strings(tables, "skip")),
        need=tuple(parse(part) for part in _strings(tables, "need")),
        errors=tuple(parse(part) for part in _strings(tables, "errors")),
        void=tuple(_strings(tables, "void")),
        text_form=_choice(tables, "text_form", "plain", _FORMS),
        handles=_choice(tables, "handles", "word", _HANDLES),
        id_form=_choice(tables, "id_form", "plain", ("plain", "url")),
        earliest=_choice(tables, "earliest", "1990-01-01"),
        extra={name: _column(spec, name) for name, spec in _table(tables, "extra").items()},
        lookups=lookups,
    )
    if mapping.kind == "table" and (mapping.rows or lookups):
        raise ValueError("a mapping of kind table has neither rows nor lookups")
    for column in [*mapping.columns.values(), *mapping.extra.values()]:
        for path in (path for value in column for path in value.paths):
            if path.source not in ("", PAGE) and path.source not in lookups:
                raise ValueError(f"{path.spelt!r} asks for a lookup that is not there")
    return mapping


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ValueError(f"{where} has no key {key!r}; it knows {', '.join(sorted(known))}")


def _table(tables: dict[str, Any], key: str) -> dict[str, Any]:
    found = tables.get(key, {})
    if not isinstance(found, dict):
        raise ValueError(f"[{key}] must be a table")
    return found


def _strings(tables: dict[str, Any], key: str) -> list[str]:
    found = tables.get(key, [])
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{key} must be text or a list of texts")
    return found


def _choice(tables: dict[str, Any], key: str, default: str, known: tuple[str, ...] = ()) -> str:
    found = tables.get(key, default)
    if not isinstance(found, str) or not found.strip():
        raise ValueError(f"{key} must be text in quotes")
    if known and found not in known:
        raise ValueError(f"{key} is {found!r}; it can be {', '.join(known)}")
    return found


def _lookup(name: str, table: object) -> Lookup:
    if not isinstance(table, dict) or not all(isinstance(table.get(key), str) for key in ("rows", "key", "on")):
        raise ValueError(f"[lookup.{name}] needs rows, key and on")
    _only(table, {"rows", "key", "on"}, f"[lookup.{name}]")
    return Lookup(name, parse(table["rows"]), parse(table["key"]), parse(table["on"]))


def _column(spec: object, name: str) -> Column:
    specs = spec if isinstance(spec, list) else [spec]
    if not specs:
        raise ValueError(f"{name} lists no path")
    return tuple(_value(each, name) for each in specs)


def _value(spec: object, name: str) -> Value:
    if isinstance(spec, str):
        return Value((parse_any(spec),))
    if isinstance(spec, dict):
        _only(spec, {"template", "join", "with", "path", "when"}, f"{name} = {{…}}")
        when = parse_any(str(spec["when"])) if "when" in spec else ()
        if isinstance(spec.get("template"), str):
            return replace(_template(spec["template"]), when=when)
        if isinstance(spec.get("path"), str):
            return Value((parse_any(spec["path"]),), when=when)
        if isinstance(spec.get("join"), list) and all(isinstance(each, str) for each in spec["join"]):
            return Value(tuple(parse_any(each) for each in spec["join"]), join=str(spec.get("with", "")), when=when)
    raise ValueError(
        f"{name} must be a path, a list of paths, {{ template = … }}, {{ join = [ … ] }} or {{ path = … }}"
    )


def _template(source: str) -> Value:
    slots: list[tuple[Path, ...]] = []
    parts: list[str] = []
    for number, part in enumerate(source.replace("}", "{").split("{")):
        if number % 2:
            parts.append(f"{{{len(slots)}}}")
            slots.append(parse_any(part))
        else:
            parts.append(part)
    if not slots:
        raise ValueError(f"the template {source!r} holds no {{path}}")
    return Value(tuple(slots), template="".join(parts))
