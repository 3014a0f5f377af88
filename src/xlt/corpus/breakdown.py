"""Shares of topic and stance by language, time and any column, for posts, texts or authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from xlt.corpus import duck
from xlt.corpus.dimensions import Cell, Dimension, dimension, filled, shown
from xlt.corpus.filters import Filter, conditions
from xlt.corpus.filters import check as check_filter
from xlt.corpus.labelled import Labelled
from xlt.corpus.shares import Groups, Row, counted, fold, groups_of, pooled, top_share
from xlt.corpus.tally import Tally
from xlt.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Unit = Literal["posts", "texts", "authors"]


@dataclass(frozen=True)
class Question(Filter):
    """What a breakdown is asked for."""

    by: tuple[str, ...] = ("lang",)
    unit: Unit = "posts"
    author_cap: int | None = None
    """Posts that count per author; which ones is drawn by a hash of the post, so it is the same every time."""
    bootstrap: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """A breakdown: one row per cell in order, then all together; and what must be known to read it."""

    by: tuple[str, ...]
    unit: Unit
    zone: str | None
    """The time zone of the periods; None without any."""
    rows: tuple[Row, ...]
    total: Row
    without_label: int | None
    """Posts that were asked for and have no label; None where that can't be told."""
    without_author: int | None
    """Labelled posts whose author isn't known; None without a column of authors."""
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    """Labels that the task has not → posts; they are in no count."""
    excluded: int | None = None
    """Authors left out by name that the posts do have; None when none were named."""
    gaps_shown: bool = True
    """Whether empty periods have their rows (not when there would be too many)."""


def breakdown(
    con: DuckDBPyConnection, source: Labelled, question: Question, groups: Groups, labels: Sequence[str]
) -> Answer:
    """Ask `source`. `groups` and `labels` are the task's. Raises UsageError, XltError."""
    import duckdb

    _check(con, source, question)
    dimensions = [dimension(name, source.columns, question.zone) for name in question.by]
    if len({each.name for each in dimensions}) < len(dimensions):
        raise UsageError(f"--by {','.join(question.by)} names a column twice.")
    try:
        return _answer(con, source, question, dimensions, groups_of(groups, labels), tuple(labels))
    except (duckdb.BinderException, duckdb.ParserException, duckdb.ConversionException) as error:
        if question.where:
            reason = duck.sentence(error)
            raise UsageError(f"--where {question.where!r} is no condition on these tweets: {reason}.") from None
        raise duck.failed("The breakdown can't be made", error, "check the columns that it is by") from None
    except duckdb.Error as error:
        raise duck.failed("The breakdown can't be made", error, "run the same command again") from None


def posts_by(con: DuckDBPyConnection, source: Labelled, question: Question) -> list[Row]:
    """Posts in each cell, with a label or without: rows with nothing but n. Raises UsageError, XltError."""
    _check(con, source, question)
    dimensions = [dimension(name, source.columns, question.zone) for name in question.by]
    selected, params = _selected(source, question, dimensions)
    with duck.sentences("The posts can't be counted", "ask for another column"):
        found = Tally(con, selected, params, len(dimensions), with_authors=False).posts()
    cells = {key: {"": count} for key, _, count in found}
    keys = filled(dimensions, _order(dimensions, cells))[0]
    return [
        Row(tuple(shown(v, d) for v, d in zip(key, dimensions, strict=True)), cells.get(key, {"": 0})[""], {}, {}, {})
        for key in keys
    ]


def _check(con: DuckDBPyConnection, source: Labelled, question: Question) -> None:
    columns = source.columns
    needs_author = {
        "--unit authors": question.unit == "authors",
        "--author-cap": question.author_cap is not None,
        "--exclude-authors": bool(question.exclude_authors),
        "--bootstrap": question.bootstrap > 0,
    }
    for option, asked in needs_author.items():
        if asked and columns.author is None:
            raise UsageError(f"{option} needs a column with the author; name it with --author-column.")
    if question.bootstrap and question.unit == "texts":
        raise UsageError("--bootstrap draws authors, and one text can have many: use --unit posts or --unit authors.")
    if question.unit == "texts" and columns.text is None:
        raise UsageError("--unit texts needs a column with the text; name it with --text-column.")
    check_filter(con, columns, question)


def _selected(source: Labelled, question: Question, dimensions: Sequence[Dimension]) -> tuple[str, dict[str, Any]]:
    """The query that `Tally` counts, and its parameters."""
    columns = source.columns
    keys = "".join(f"{each.sql} AS k{position}, " for position, each in enumerate(dimensions))
    author = columns.author or "NULL"
    where, params = _where(source, question)
    text = f"{columns.text or 'NULL'} AS text, " if question.unit == "texts" else ""
    query = f"SELECT {keys}{author} AS author, {text}{columns.label} AS label FROM {source.relation}{where}"
    if question.author_cap is not None:
        # Posts without a known author are not capped: nobody knows whose they are.
        query += (
            f" QUALIFY {author} IS NULL OR row_number() OVER (PARTITION BY {author} ORDER BY hash({columns.order}), "
            f"{columns.order}) <= {int(question.author_cap)}"
        )
    return query, params


def _where(source: Labelled, question: Question) -> tuple[str, dict[str, Any]]:
    found, params = conditions(source.columns, question)
    return (" WHERE " + " AND ".join(found) if found else ""), params


def _answer(
    con: DuckDBPyConnection,
    source: Labelled,
    question: Question,
    dimensions: list[Dimension],
    groups: Groups,
    labels: tuple[str, ...],
) -> Answer:
    selected, params = _selected(source, question, dimensions)
    with_authors = source.columns.author is not None
    tally = Tally(con, selected, params, len(dimensions), with_authors)
    posts = tally.posts()
    unlabelled = sum(count for _, label, count in posts if label is None)
    unknown = pooled([{label: count} for _, label, count in posts if label is not None and label not in labels])
    cells = fold((key, label, count) for key, label, count in posts if label in labels and label is not None)
    order = _order(dimensions, cells)
    keys, gaps_shown = filled(dimensions, order)
    rows, total = _rows(tally, question, cells, groups, labels)
    if with_authors:
        active = tally.activity(True, labels)
        rows = {key: replace(row, top=top_share(active.get(key, ()))) for key, row in rows.items()}
        total = replace(total, top=top_share(tally.activity(False, labels).get((), ())))
    if question.bootstrap and total.n:
        rows, total = _with_intervals(tally, question, order, rows, total, groups, labels)
    empty = counted((), {}, groups)
    named = [
        replace(rows.get(key, empty), keys=tuple(shown(v, d) for v, d in zip(key, dimensions, strict=True)))
        for key in keys
    ]
    has_period = any(each.period for each in dimensions)
    return Answer(
        by=tuple(each.name for each in dimensions),
        unit=question.unit,
        zone=question.zone if has_period else None,
        rows=tuple(named) if dimensions else (),
        total=total,
        without_label=unlabelled if source.posts is None else _without_label(con, source, question, posts),
        without_author=tally.without_author(labels) if with_authors else None,
        unknown_labels=unknown,
        excluded=_excluded(con, source, question),
        gaps_shown=gaps_shown,
    )


def _order(dimensions: Sequence[Dimension], cells: Mapping[Cell, Mapping[str, int]]) -> list[Cell]:
    """Periods by time; the values of everything else by how many posts they have; what is unknown last."""
    sizes: list[dict[Any, int]] = [{} for _ in dimensions]
    for key, labels in cells.items():
        for position, value in enumerate(key):
            sizes[position][value] = sizes[position].get(value, 0) + sum(labels.values())

    def rank(key: Cell) -> tuple[Any, ...]:
        parts: list[Any] = []
        for each, value, size in zip(dimensions, key, sizes, strict=True):
            parts += [value is None, ("" if value is None else str(value)) if each.period else -size[value], str(value)]
        return tuple(parts)

    return sorted(cells, key=rank)


def _rows(
    tally: Tally,
    question: Question,
    posts: Mapping[Cell, Mapping[str, int]],
    groups: Groups,
    labels: Sequence[str],
) -> tuple[dict[Cell, Row], Row]:
    """A row for each cell, and for all together; keys are those of SQL."""
    if question.unit == "texts":
        known = set(labels)
        cells = fold(each for each in tally.texts(keyed=True) if each[1] in known)
        whole = fold(each for each in tally.texts(keyed=False) if each[1] in known).get((), {})
    else:
        cells, whole = {key: dict(found) for key, found in posts.items()}, pooled(posts.values())
    rows = {key: counted((), found, groups) for key, found in cells.items()}
    total = counted((), whole, groups)
    if question.unit == "authors":
        nobody = replace(counted((), {}, groups), n=0)
        authors = {key: (n, bases, counts) for key, n, bases, counts in tally.authors(True, groups, labels)}
        rows = {key: replace(row, n=0, bases=nobody.bases, counts=nobody.counts) for key, row in rows.items()}
        for key, (n, bases, counts) in authors.items():
            rows[key] = replace(rows[key], n=n, bases=bases, counts=counts)
        total = replace(total, n=0, bases=nobody.bases, counts=nobody.counts)
        for _, n, bases, counts in tally.authors(False, groups, labels):
            total = replace(total, n=n, bases=bases, counts=counts)
    return rows, total


def _with_intervals(
    tally: Tally,
    question: Question,
    keys: Sequence[Cell],
    rows: Mapping[Cell, Row],
    total: Row,
    groups: Groups,
    labels: Sequence[str],
) -> tuple[dict[Cell, Row], Row]:
    from xlt.corpus.bootstrap import intervals

    patterns = tally.patterns(keys, groups, labels, by_author=question.unit == "authors")
    columns: list[list[int]] = []
    for classes in groups.values():
        first = columns[-1][-1] + 1 if columns else 0
        columns.append(list(range(first, first + len(classes))))
    found = intervals(patterns, columns, question.bootstrap, question.seed)

    def of(cell: int) -> dict[str, dict[str, tuple[float, float] | None]]:
        return {
            group: dict(zip(classes, each[cell], strict=True))
            for (group, classes), each in zip(groups.items(), found, strict=True)
        }

    with_them = {key: replace(rows[key], intervals=of(position)) for position, key in enumerate(keys)}
    return with_them, replace(total, intervals=of(len(keys)))


def _excluded(con: DuckDBPyConnection, source: Labelled, question: Question) -> int | None:
    if not question.exclude_authors:
        return None
    author = source.columns.author
    query = f"SELECT count(DISTINCT {author}) FROM {source.relation} WHERE {author} IN (SELECT unnest(?::VARCHAR[]))"
    row = con.execute(query, [list(question.exclude_authors)]).fetchone()
    return int(row[0]) if row else 0


def _without_label(
    con: DuckDBPyConnection, source: Labelled, question: Question, posts: Sequence[tuple[Cell, str | None, int]]
) -> int | None:
    """Posts of the corpus that were asked for and that no run has labelled."""
    import duckdb

    if question.author_cap is not None or source.posts is None:
        return None
    where, params = _where(source, question)
    try:
        row = con.execute(f"SELECT count(*) FROM {source.posts}{where}", params).fetchone()
    except duckdb.BinderException:
        # The condition is about the predictions themselves.
        return None
    asked = int(row[0]) if row else 0
    return asked * len(source.runs) - sum(count for _, _, count in posts)
