"""Gold, predictions and chances of being drawn in one table, for design-based supervised learning (R's `dsl`)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.corpus import duck
from xlt.corpus.breakdown import Question
from xlt.corpus.draws import Draw
from xlt.corpus.estimates import OF_UNIT, define_sampled, in_frame
from xlt.corpus.filters import check, conditions
from xlt.corpus.labelled import Run, from_corpus
from xlt.corpus.results import copy_out
from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Task

COVARIATES = (
    *("id", "platform", "created_at", "author", "conversation", "country", "place"),
    *("likes", "reposts", "replies", "quotes"),
)


def write(
    con: DuckDBPyConnection,
    run: Run,
    draw: Draw,
    question: Question,
    task: Task,
    output: Path,
    without: Collection[str] = (),
) -> tuple[int, int, list[str]]:
    """Write a row for every unit that could have been drawn: covariates, gold or nothing, prediction, chance.

    `gold_…` and `pred_…` are 1 and 0 for each label; `labelled` says what was coded. dsl scales chances so that their
    mean is the share of coded units, so a unit that was not coded carries the mean of all such: nothing is scaled then.
    Gold of texts whose keys are in `without` is left out.
    Returns rows, coded rows and sentences. Raises XltError where nobody has coded.
    """
    source = from_corpus(con, [run])
    asked = in_frame(question, draw, run)
    check(con, source.columns, asked)
    notes = define_sampled(con, task.name, draw, without)
    found, params = conditions(source.columns, asked)
    once = "QUALIFY row_number() OVER (PARTITION BY text_key ORDER BY platform, id) = 1" if draw.unit == "texts" else ""
    with duck.sentences("The table can't be made", "check the condition"):
        con.execute(
            "CREATE OR REPLACE TEMP TABLE units AS SELECT * FROM labelled LEFT JOIN sampled ON "
            f"{OF_UNIT} WHERE {' AND '.join(found)} {once}",
            params,
        )
        sums = con.execute(
            "SELECT count(*), count(s_label), coalesce(list_sum(list(s_chance::DOUBLE ORDER BY s_chance) "
            "FILTER (s_chance IS NOT NULL)), 0) FROM units"
        ).fetchone()
    assert sums is not None
    rows, coded, chances = int(sums[0]), int(sums[1]), float(sums[2])
    if not coded:
        raise XltError(f"Nobody has coded any of the draw {draw.id} yet; code some, or name another with --draw.")
    rest = (coded - chances) / (rows - coded) if rows > coded else 1.0
    copy_out(con, f"SELECT {', '.join(_columns(run, task, rest))} FROM units ORDER BY platform, id", output)
    return rows, coded, notes


def _columns(run: Run, task: Task, rest: float) -> list[str]:
    columns = [*COVARIATES, "language AS lang", "(retweet_of IS NOT NULL)::INT AS repost"]
    columns += ["s_label AS gold", "label AS predicted", "confidence", "(s_label IS NOT NULL)::INT AS labelled"]
    columns += [f"coalesce(s_chance::DOUBLE, {rest!r}) AS probability"]
    for name in task.names:
        short = task.column(name).removeprefix("p_")
        for kind, column in (("gold", "s_label"), ("pred", "label")):
            columns.append(f"({column} = {duck.text(name)})::INT AS {duck.quote(f'{kind}_{short}'[:32])}")
    columns += [f"p[{at}] AS {duck.quote(task.column(name))}" for at, name in enumerate(run.labels, start=1)]
    return columns
