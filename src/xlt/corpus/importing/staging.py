"""One file's posts as rows of `tweets`, in a temporary table `staged`, before they meet the corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xlt.corpus.duck import quote, text
from xlt.corpus.importing import dates, masks
from xlt.corpus.importing.mapping import COLUMNS, Column, Value
from xlt.corpus.importing.paths import Path, Step, parse
from xlt.corpus.importing.source import POSTS, Source
from xlt.corpus.readers import find_column
from xlt.corpus.schema import text_key, words_key
from xlt.languages import NAMES, OLD_CODES, UNDETERMINED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STAGED, BASE = "staged", "base"
# No user's column is called so.
NUMBER = '"xlt number"'
OPTIONS = {"text": "--text-column", "id": "--id-column", "lang_tag": "--lang-column", "created_at": "--date-column"}
OPTIONS |= {"author": "--author-column"}
GOLD = ("label", "coder", "coded_at", "codebook", "draw", "note")
_NULL = "NULL::VARCHAR"
_COUNTS = ("likes", "reposts", "replies", "quotes")
_LINKS = ("conversation", "reply_to", "retweet_of", "quote_of")
_TEXTS = tuple(name for name in COLUMNS if name != "created_at")


@dataclass(frozen=True)
class Options:
    """What the user said about the files."""

    mapping: str | None = None
    platform: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    """Column of the corpus → column of the file, for those that are not found by name."""
    keep: tuple[str, ...] = ()
    """Further columns of the file that go into `extra`."""
    keep_handles: bool = False
    dates: str | None = None
    encoding: str = "utf-8"
    labels: str | None = None
    """The column with gold labels."""


@dataclass(frozen=True)
class Rows:
    """One file's posts as SQL."""

    columns: dict[str, str]
    """Those columns of `tweets` that the file has → SQL over `relation`; `gold_*`; and what only the import needs.

    That is `unread` (a date that was not understood), `skip`, `failed`, `cut` (perhaps a retweet cut short) and `nr`,
    the post's number in the file, from 1.
    """
    relation: str
    """SQL that can stand after FROM."""
    platform: str
    order: str
    """SQL that puts the rows into the file's order, where the relation loses it: a join does."""


def stage(con: DuckDBPyConnection, source: Source, options: Options) -> None:
    """Fill `staged` with the rows of a file. Raises UsageError for a column that is not there."""
    if source.number is None:
        _number(con, source, options)
    rows = rows_of(source, options)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in rows.columns.items() if name != "cut")
    con.execute(f"DROP TABLE IF EXISTS {STAGED}")
    con.execute(f"CREATE TEMP TABLE {STAGED} AS SELECT {selected} FROM {rows.relation}{rows.order}")
    for table in (BASE, POSTS):
        con.execute(f"DROP TABLE IF EXISTS {table}")
    _understand_dates(con, source.mapping.earliest, options.dates)


def rows_of(source: Source, options: Options, numbered: bool = True) -> Rows:
    """The rows of a file; not `numbered`, they come from the file itself. Raises UsageError for a missing column."""
    mapping = source.mapping
    raw, present = _raw(source, options, numbered)
    platform = options.platform or mapping.platform
    handle = "handle" if options.keep_handles else "NULL"
    author, url = "author", "url"
    layers: list[Callable[[str], str]] = [lambda value: masks.plain(value, mapping.text_form)]
    if not options.keep_handles:
        layers += [lambda value: masks.masked(value, mapping.handles), masks.unlinked]
        author = masks.keyed(f"{text(platform + ':')} || author")
        url = masks.masked_url("url")
        if mapping.id_form == "url":
            raw = _replaced(raw, masks.masked_id, ("id", *_LINKS))
    # One layer on the other: each names the text several times, and within one another they would be a hundredfold.
    words = raw
    for layer in (*layers, masks.solid):
        words = _replaced(words, layer, [name for name in ("text", "quoted_text") if name in present])
    # A column of times needs no reading.
    time = "created_raw" if raw.find("::TIMESTAMP AS created_raw") >= 0 else dates.to_sql("created_raw")
    words = f"SELECT *, {time} AS stamp FROM ({words})"
    possible = f"(stamp >= {text(mapping.earliest)}::TIMESTAMP AND stamp < now()::TIMESTAMP + INTERVAL 2 DAY)"
    lat, lon = "try_cast(latitude AS DOUBLE)", "try_cast(longitude AS DOUBLE)"
    there = f"({lat} BETWEEN -90 AND 90 AND {lon} BETWEEN -180 AND 180)"
    spots = ("place", "profile", "latitude", "longitude")
    targets: dict[str, tuple[str, tuple[str, ...]]] = {
        "id": ("id", ()),
        "platform": (text(platform), ()),
        "text": ("text", ()),
        "text_key": (words_key() if "quoted_text" in present else text_key("text"), ()),
        "quoted_text": ("quoted_text", ("quoted_text",)),
        "created_at": (f"CASE WHEN {possible} THEN stamp END", ()),
        "lang_tag": (_lang("lang_tag"), ("lang_tag",)),
        "author": (author, ()),
        **{name: (name, (name,)) for name in _LINKS},
        "country": ("CASE WHEN regexp_full_match(country, '[A-Za-z]{2}') THEN upper(country) END", ("country",)),
        "place": (f"CASE WHEN place IS NOT NULL OR {there} THEN place ELSE profile END", spots),
        "place_source": (
            f"CASE WHEN place IS NOT NULL THEN 'place' WHEN {there} THEN 'coordinates' WHEN profile IS NOT NULL THEN "
            "'profile' END",
            spots,
        ),
        "latitude": (f"CASE WHEN {there} THEN {lat} END", ("latitude",)),
        "longitude": (f"CASE WHEN {there} THEN {lon} END", ("longitude",)),
        **{name: (f"try_cast({name} AS BIGINT)", (name,)) for name in _COUNTS},
        "url": (url, ("url",)),
        "extra": (_extra(source, options, handle), ("extra", "handle") if options.keep_handles else ("extra",)),
        "unread": (f"CASE WHEN {possible} IS NOT TRUE THEN created_raw::VARCHAR END", ()),
        **{f"gold_{name}": (f"gold_{name}", ("gold",)) for name in GOLD},
        **{name: (name, ()) for name in ("skip", "failed", "cut", "nr")},
    }
    # An empty column costs 16 bytes a row here, so what the file has nothing for is left out.
    there_are = {name: sql for name, (sql, of) in targets.items() if not of or set(of) & present}
    return Rows(there_are, f"({words})", platform, " ORDER BY nr" if mapping.lookups else "")


def _replaced(query: str, change: Callable[[str], str], names: Sequence[str]) -> str:
    """A query with these columns changed."""
    if not names:
        return query
    return f"SELECT * REPLACE ({', '.join(f'{change(name)} AS {name}' for name in names)}) FROM ({query})"


def _number(con: DuckDBPyConnection, source: Source, options: Options) -> None:
    """Number the posts of a file that knows no numbers, in `base`, with the columns that are needed.

    Apart from the rest, since DuckDB numbers rows in one thread; and numbered, since CREATE TABLE AS over several
    threads was seen to swap blocks of rows.
    """
    columns = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {source.relation}").fetchall()]
    if source.mapping.kind == "table":
        mapped = [*source.mapping.columns.values(), *source.mapping.extra.values()]
        needed = {path.steps[0].name for column in mapped for value in column for path in value.paths}
        needed |= {*options.columns.values(), *options.keep, *(GOLD if options.labels else ()), options.labels or ""}
        folded = {name.casefold() for name in needed}
        columns = [name for name in columns if name.casefold() in folded]
    listed = "".join(quote(name) + ", " for name in columns)
    con.execute(f"DROP TABLE IF EXISTS {BASE}")
    con.execute(f"CREATE TEMP TABLE {BASE} AS SELECT {listed}row_number() OVER () AS {NUMBER} FROM {source.relation}")


def _raw(source: Source, options: Options, numbered: bool) -> tuple[str, set[str]]:
    """SQL of the fields that the mapping names, as text; and which of them the file has."""
    mapping = source.mapping
    columns = dict(mapping.columns)
    # A platform's layout knows its fields; what was said is about the tables among the files.
    for name, given in options.columns.items() if mapping.kind == "table" else ():
        columns[name] = named(source, given, OPTIONS[name])
    found = {name: column_sql(source, columns.get(name, ())) for name in _TEXTS}
    present = {name for name, sql in found.items() if sql}
    selected = [f"{f'trim({sql})' if sql and name == 'id' else sql or _NULL} AS {name}" for name, sql in found.items()]
    selected.append(f"{_created(source, columns.get('created_at', ()))} AS created_raw")
    extras = {**mapping.extra, **{name: named(source, name, "--keep") for name in options.keep}}
    for number, column in enumerate(extras.values()):
        sql = column_sql(source, column)
        present |= {"extra"} if sql else set()
        selected.append(f"{sql or _NULL} AS extra_{number}")
    selected += _gold(source, options)
    present |= {"gold"} if options.labels else set()
    selected.append(f"{_skip(source)} AS skip")
    errors = [] if mapping.rows else [sql for path in mapping.errors if (sql := source.sql(path))]
    selected.append(f"{'coalesce(' + ', '.join(errors) + ')' if errors else _NULL} AS failed")
    begins = "{0} LIKE 'RT @%' OR {0} LIKE 'RT ＠%'" if mapping.text_form != "html" else "contains({0}, 'RT ')"
    begins = begins.format(found["text"])
    cut = f"(({begins}) AND {found['retweet_of']} IS NOT NULL)" if found["text"] and found["retweet_of"] else "false"
    selected.append(f"{cut} AS cut")
    relation, counted = (source.relation, source.number or "NULL") if source.number or not numbered else (BASE, NUMBER)
    return f"SELECT {', '.join(selected)}, {counted} AS nr FROM {relation}", present


def named(source: Source, name: str, option: str) -> Column:
    """A column of the file by its name; of pages, where there are no columns, a path. Raises UsageError."""
    if not source.names:
        return (Value(((parse(name),),)),)
    found = find_column(source.names, name, (), option) or name
    return (Value(((Path("", (Step(found),), found),),)),)


def column_sql(source: Source, column: Column) -> str | None:
    """SQL of a column of the mapping as text, null where it is empty; None when the file has nothing for it."""
    found = [sql for value in column if (sql := _value(source, value))]
    if not found:
        return None
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _value(source: Source, value: Value) -> str | None:
    slots = [_slot(source, slot) for slot in value.slots]
    result: str | None
    if value.template is not None:
        if None in slots:
            return None
        pieces: list[str] = []
        for number, piece in enumerate(value.template.replace("}", "{").split("{")):
            if number % 2:
                pieces.append(str(slots[int(piece)]))
            elif piece:
                pieces.append(text(piece))
        result = "(" + " || ".join(pieces) + ")"
    elif value.join is not None:
        present = [slot for slot in slots if slot]
        result = f"nullif(concat_ws({text(value.join)}, {', '.join(present)}), '')" if present else None
    else:
        result = slots[0]
    if result and value.when:
        condition = _slot(source, value.when)
        return f"(CASE WHEN {condition} IS NOT NULL THEN {result} END)" if condition else None
    return result


def _slot(source: Source, paths: tuple[Path, ...]) -> str | None:
    void = "".join(f", {text(each)}" for each in source.mapping.void)
    found = []
    for path in paths:
        sql = source.sql(path)
        if sql:
            found.append(f"(CASE WHEN {sql} NOT IN (''{void}) THEN {sql} END)" if void else f"nullif({sql}, '')")
    if not found:
        return None
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _created(source: Source, column: Column) -> str:
    """The date as text, or as it is when a Parquet column holds times."""
    for value in column:
        for path in (path for slot in value.slots for path in slot):
            name = next((each for each in source.types if each.casefold() == path.steps[0].name.casefold()), None)
            if name and dates.is_typed(source.types[name]):
                return f"{quote(name)}::TIMESTAMP"
    sql = column_sql(source, column)
    return f"trim({sql})" if sql else "NULL::VARCHAR"


def _lang(tag: str) -> str:
    """SQL of languages.canonical; null where there is no tag."""
    short = f"lower(regexp_extract({tag}, '^\\s*([A-Za-z]+)', 1))"
    unknown = ", ".join(text(code) for code in sorted(UNDETERMINED))
    # Most tags are right as they are, and to see that costs a fraction of taking one apart.
    usual = f"regexp_full_match({tag}, {text('|'.join(sorted(NAMES)))})"
    old = " ".join(f"WHEN {text(code)} THEN {text(new)}" for code, new in OLD_CODES.items())
    return (
        f"(CASE WHEN {usual} THEN {tag} WHEN {tag} IS NULL THEN NULL WHEN {short} IN ({unknown}) THEN 'und' "
        f"ELSE CASE {short} {old} ELSE {short} END END)"
    )


def _extra(source: Source, options: Options, handle: str) -> str:
    names = [*source.mapping.extra, *options.keep]
    parts = [(name, f"extra_{number}") for number, name in enumerate(names)]
    if options.keep_handles:
        parts.append(("handle", handle))
    if not parts:
        return "NULL::JSON"
    pairs = ", ".join(f"{text(name)}, {sql}" for name, sql in parts)
    some = ", ".join(sql for _, sql in parts)
    return f"(CASE WHEN coalesce({some}) IS NOT NULL THEN json_merge_patch('{{}}', json_object({pairs})) END)"


def _gold(source: Source, options: Options) -> list[str]:
    found = dict.fromkeys(GOLD, "NULL::VARCHAR")
    if options.labels is not None:
        for name in GOLD:
            wanted = options.labels if name == "label" else None
            column = wanted if not source.names else find_column(source.names, wanted, (name,), "--labels")
            if column is not None:
                found[name] = f"trim({column_sql(source, named(source, column, '--labels'))})"
    return [f"{sql} AS gold_{name}" for name, sql in found.items()]


def _skip(source: Source) -> str:
    conditions = [f"{sql} IS NOT NULL" for path in source.mapping.skip if (sql := source.sql(path))]
    conditions += [f"{source.sql(path) or 'NULL'} IS NULL" for path in source.mapping.need]
    return "(" + " OR ".join(conditions) + ")" if conditions else "false"


def _understand_dates(con: DuckDBPyConnection, earliest: str, given: str | None) -> None:
    """Read dates whose order of day and month must be known first."""
    order = dates.order_of(con, f"(SELECT unread FROM {STAGED} WHERE unread IS NOT NULL)", "unread", given)
    if order is None:
        return
    read = dates.ordered_sql("unread", order)
    con.execute(
        f"UPDATE {STAGED} SET created_at = {read}, unread = NULL WHERE unread IS NOT NULL "
        f"AND {read} BETWEEN {text(earliest)}::TIMESTAMP AND now()::TIMESTAMP + INTERVAL 2 DAY"
    )
