"""`xlt agreement`: do coders agree, and does the model agree with them as well as they with one another?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlt.errors import XltError

if TYPE_CHECKING:
    from xlt.study.evaluate import Table


def agreement(
    draw: Annotated[str | None, typer.Option(help="Only labels of this draw (xlt sample list).")] = None,
    run: Annotated[str | None, typer.Option(help="The run that is set beside the people. Default: the newest.")] = None,
    task: Annotated[str, typer.Option(help="The task that was coded.")] = "immigration",
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
    workspace: Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")] = Path(),
) -> None:
    """Krippendorff's alpha by language, Cohen's kappa of every two coders, and the model beside the people.

    Example: xlt agreement --draw 2026-11
    """
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.cli.formats import check_format, print_json
    from xlt.cli.rows import objects
    from xlt.corpus import gate
    from xlt.corpus.coding import ratings
    from xlt.corpus.draws import find_draw
    from xlt.corpus.gold import predictions_of
    from xlt.corpus.labelled import find_runs, has_runs
    from xlt.study.agreement import agreement_table, footnotes, model_table, pair_table
    from xlt.tasks.load import find_task

    check_format(format, ("table", "json"))
    known = find_task(task, workspace)
    with gate.opened(find_corpus(WORD, workspace)) as con:
        chosen = find_draw(con, draw, known.name).id if draw else None
        rows = ratings(con, known.name, chosen)
        beside = find_runs(con, [run] if run else [])[0] if run or has_runs(con) else None
        found = predictions_of(con, beside.id, sorted({row[0] for row in rows})) if beside else {}
    people = agreement_table(rows, known)
    if not people.rows:
        coders = len({row[1] for row in rows})
        raise XltError(
            f"No text was coded by two people ({len(rows):,} labels by {coders:,} coders); draw some with xlt sample "
            "draw N --coders a,b --overlap 0.2."
        )
    tables = {"agreement": people, "pairs": pair_table(rows, known)}
    if beside:
        tables["model"] = model_table(rows, {key: label for key, (label, _) in found.items()}, known)
    if format == "json":
        content = {name: objects(table.columns, table.rows) for name, table in tables.items()}
        print_json({**content, "run": beside.id if beside else None, "notes": footnotes()})
        return
    for table in tables.values():
        if table.rows:
            _print(table)
    print("\n".join(footnotes()), file=sys.stderr)


def _print(table: Table) -> None:
    from xlt.cli.rows import print_table

    names = [column.replace("_", " ") for column in table.columns]
    print_table(names, [[f"{v:.2f}" if isinstance(v, float) else v for v in row] for row in table.rows])
    print()
