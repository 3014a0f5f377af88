"""A file opened by a mapping."""

from __future__ import annotations

from dataclasses import dataclass, field

from xlt.corpus.importing.mapping import Column, Mapping
from xlt.corpus.importing.paths import Field, Path, to_sql
from xlt.corpus.rejects import Reject

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
    unchecked: bool = False
    """Lines of JSON of which nobody has looked yet whether they are good."""

    def sql(self, path: Path) -> str | None:
        """SQL of a path's value as text; None when the file has no such column."""
        return to_sql(path, self.fields.get(path.source, {}))


def paths_of(mapping: Mapping) -> list[Path]:
    """All paths of a mapping that start at the post or at something that belongs to it."""
    columns: list[Column] = [*mapping.columns.values(), *mapping.extra.values()]
    found = [path for column in columns for value in column for path in value.paths]
    found += [*mapping.skip, *mapping.need, *(lookup.on for lookup in mapping.lookups.values())]
    # Of pages the errors stand on the page, and are looked for there.
    return found if mapping.rows else [*found, *mapping.errors]
