"""Draws posts or texts for people to code: what could be drawn, how, and with which probability, all kept.

What a draw takes does not hang on the order of rows: units are ordered by `md5(seed:key)`, as in `science.sampling`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from xlt.corpus import duck, filters
from xlt.corpus.draws import Draw, Part
from xlt.corpus.filters import Filter
from xlt.corpus.labelled import Run, corpus_columns, define_posts
from xlt.errors import UsageError, XltError
from xlt.science import sampling

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Purpose = Literal["train", "dev", "estimate"]
Unit = Literal["posts", "texts"]
Stratum = Literal["lang", "confidence"]
CUTS = (0.5, 0.7, 0.9)
"""Bounds of the bands of confidence."""


@dataclass(frozen=True)
class Ask:
    """What is to be drawn."""

    task: str
    purpose: Purpose
    n: int
    unit: Unit = "texts"
    by: tuple[Stratum, ...] = ("lang",)
    allocation: sampling.Allocation = "equal"
    least: int = 0
    """From every stratum that has so many."""
    seed: int = 0
    filter: Filter = field(default_factory=Filter)
    run: Run | None = None
    """Whose confidence makes strata, or is asked for in the filter."""
    coders: tuple[str, ...] = ()
    overlap: float = 0.0
    """Share of units that two coders get."""


def make_draw(con: DuckDBPyConnection, ask: Ask) -> Draw:
    """Draw and keep it, all or nothing. What the task has gold of or has drawn before is left out of the frame.

    Raises UsageError for a wish that can't be, XltError when there is nothing to draw.
    """
    _check(ask)
    con.execute("BEGIN")
    try:
        frame = _make_frame(con, ask)
        sizes = {
            str(name): int(size)
            for name, size in con.execute("SELECT stratum, count(*) FROM frame GROUP BY ALL ORDER BY ALL").fetchall()
        }
        if not sizes:
            raise XltError(
                "There is nothing left to draw: no text meets the condition that was not drawn or coded before; widen "
                "the filter, or import more."
            )
        wanted = sampling.allocate(sizes, ask.n, ask.allocation, ask.least)
        units = _take(con, ask, sizes, wanted)
        draw = _keep(con, ask, frame, sizes, units)
        con.execute("DROP TABLE frame")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return draw


def _check(ask: Ask) -> None:
    if ask.n < 1:
        raise UsageError(f"{ask.n} texts can't be drawn; draw one or more.")
    bounds = ask.filter.least is not None or ask.filter.most is not None
    if ("confidence" in ask.by or bounds) and ask.run is None:
        raise UsageError("Drawing by confidence needs a run's predictions; run xlt classify corpus first.")
    if not 0 <= ask.overlap <= 1:
        raise UsageError(f"--overlap {ask.overlap:g}: give the share of texts that two people code, from 0 to 1.")
    if twice := [name for name in ask.coders if ask.coders.count(name) > 1]:
        raise UsageError(f"The coder {twice[0]} is named twice.")
    if ask.overlap and len(ask.coders) < 2:
        raise UsageError("--overlap needs at least two --coders.")


def _make_frame(con: DuckDBPyConnection, ask: Ask) -> str:
    """Fill the temporary table `frame` (key, text_key, tweet_id, stratum); the condition that chose it, as SQL."""
    import duckdb

    columns = corpus_columns([ask.run] if ask.run else [])
    filters.check(con, columns, ask.filter)
    found, params = filters.conditions(columns, ask.filter)
    before = (
        "text_key NOT IN (SELECT text_key FROM gold WHERE task = $task) AND text_key NOT IN "
        "(SELECT text_key FROM drawn JOIN draws ON draws.id = drawn.draw WHERE draws.task = $task)"
    )
    where = " AND ".join(["text_key IS NOT NULL", *found])
    # Its `p`, `label` and `confidence` are those of the run.
    define_posts(con, ask.run.id if ask.run else None)
    parts = {"lang": "{language}", "confidence": _band_sql("{confidence}")}
    stratum = "concat_ws(' ', " + ", ".join(parts[each] for each in ask.by) + ")" if ask.by else "'all'"
    if ask.unit == "posts":
        columns_sql = "platform || ':' || id AS key, text_key, id AS tweet_id"
        stratum, grouped = stratum.format(language="language", confidence="confidence"), ""
    else:
        columns_sql = "text_key::VARCHAR AS key, text_key, NULL::VARCHAR AS tweet_id"
        stratum = stratum.format(language="min(language)", confidence="any_value(confidence)")
        grouped = " GROUP BY text_key"
    try:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE frame AS SELECT {columns_sql}, {stratum} AS stratum FROM posts "
            f"WHERE {where} AND {before}{grouped}",
            {**params, "task": ask.task},
        )
    except (duckdb.BinderException, duckdb.ParserException, duckdb.ConversionException) as error:
        if not ask.filter.where:
            raise
        raise UsageError(f"{ask.filter.where!r} is no condition on posts: {duck.sentence(error)}.") from None
    return f"{_spelt(where, params)} -- and of no earlier gold or draw of the task"


def _band_sql(confidence: str) -> str:
    """SQL for `sampling.band`; `no label` where a text has no prediction."""
    cases = "".join(f" WHEN {confidence} < {cut}::FLOAT THEN '{_band_below(cut)}'" for cut in CUTS)
    return f"CASE WHEN {confidence} IS NULL THEN 'no label'{cases} ELSE '{sampling.band(1.0, CUTS)}' END"


def _band_below(cut: float) -> str:
    edges = [0.0, *CUTS]
    return sampling.band(edges[edges.index(cut) - 1], CUTS)


def _spelt(where: str, params: Mapping[str, Any]) -> str:
    """The condition with its values in it: readable, and what it was at that time."""
    for name in sorted(params, key=len, reverse=True):
        value = params[name]
        if isinstance(value, list):
            literal = "[" + ", ".join(duck.text(each) for each in value) + "]"
        else:
            literal = str(value) if isinstance(value, int | float) else duck.text(value)
        where = where.replace(f"${name}", literal)
    return where


def _take(
    con: DuckDBPyConnection, ask: Ask, sizes: Mapping[str, int], wanted: Mapping[str, int]
) -> list[tuple[sampling.Drawn, str, str | None]]:
    """The units that come first in each stratum, with text key and post."""
    for spare in (True, False):
        con.execute("CREATE OR REPLACE TEMP TABLE wanted (stratum VARCHAR, n BIGINT, below VARCHAR)")
        con.executemany(
            "INSERT INTO wanted VALUES (?, ?, ?)",
            [[name, n, _cut(n, sizes[name]) if spare else "g"] for name, n in wanted.items() if n] or [["", 0, ""]],
        )
        rows = con.execute(
            "SELECT key, text_key::VARCHAR, tweet_id, stratum FROM (SELECT f.*, w.n, w.below, "
            "md5($seed || ':' || f.key) AS rank FROM frame f JOIN wanted w ON w.stratum = f.stratum) "
            "WHERE left(rank, 8) < below "
            "QUALIFY row_number() OVER (PARTITION BY stratum ORDER BY rank, key) <= n",
            {"seed": str(ask.seed)},
        ).fetchall()
        if len(rows) == sum(wanted.values()):
            break
    keys = sorted(rows, key=lambda row: sampling.rank(ask.seed, f"order:{row[0]}"))
    return [
        (sampling.Drawn(key, stratum, wanted[stratum] / sizes[stratum], position), text, post)
        for position, (key, text, post, stratum) in enumerate(keys, start=1)
    ]


def _cut(wanted: int, size: int) -> str:
    """A beginning of MD5 below which there are almost surely enough units: only those need to be ordered."""
    share = (1.5 * wanted + 50) / size
    # `g` is above every hexadecimal digit.
    return f"{int(share * 16**8):08x}" if share < 1 else "g"


def _keep(
    con: DuckDBPyConnection,
    ask: Ask,
    frame: str,
    sizes: Mapping[str, int],
    units: Sequence[tuple[sampling.Drawn, str, str | None]],
) -> Draw:
    row = con.execute("SELECT count(*), bit_xor(md5_number(key))::VARCHAR FROM frame").fetchone()
    assert row is not None
    frame_hash = hashlib.sha256(f"{row[0]}:{row[1]}".encode()).hexdigest()
    created = datetime.now(UTC).replace(tzinfo=None)
    digest = hashlib.sha256(json.dumps([ask.task, frame_hash, ask.seed, ask.n, ask.by, ask.purpose]).encode())
    name = f"{created:%Y-%m-%d}-{ask.purpose}-{digest.hexdigest()[:6]}"
    coders = sampling.assign([unit for unit, _, _ in units], ask.coders, ask.overlap, ask.seed) if ask.coders else {}
    con.execute(
        "INSERT INTO draws VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [name, ask.task, ask.purpose, ask.unit, frame, frame_hash, row[0], ask.run and ask.run.id, ask.seed, created],
    )
    con.executemany(
        "INSERT INTO drawn VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            [
                name,
                text,
                post,
                unit.stratum,
                unit.probability,
                unit.position,
                list(coders[unit.key]) if coders else None,
            ]
            for unit, text, post in units
        ],
    )
    parts = tuple(
        Part(stratum, size, sum(unit.stratum == stratum for unit, _, _ in units), 0) for stratum, size in sizes.items()
    )
    return Draw(
        name,
        ask.task,
        ask.purpose,
        ask.unit,
        frame,
        int(row[0]),
        ask.run.id if ask.run else None,
        ask.seed,
        created,
        parts,
    )
