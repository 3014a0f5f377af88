"""`xlt sample`: texts for people to code, drawn with known probabilities."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from xlt.errors import Exit, UsageError

if TYPE_CHECKING:
    from xlt.corpus.draws import Draw

app = typer.Typer(help="Draw texts for hand coding; write them out and read the labels back.", no_args_is_help=True)

WORKSPACE = Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb.")]
DRAW = Annotated[str | None, typer.Argument(help="A draw's id or the beginning of it. Default: the newest.")]


@app.command("draw")
def draw(
    n: Annotated[int, typer.Argument(min=1, help="How many to draw.")],
    purpose: Annotated[
        str, typer.Option(help="estimate (shares, scores), train or dev: what is drawn for one serves no other.")
    ] = "estimate",
    by: Annotated[str, typer.Option(help="Strata: lang, confidence, both (lang,confidence) or none.")] = "lang",
    allocation: Annotated[
        str, typer.Option(help="equal (each stratum the same) or proportional (by its size).")
    ] = "equal",
    least: Annotated[int, typer.Option(min=0, help="From every stratum at least so many.")] = 0,
    unit: Annotated[str, typer.Option(help="texts (each distinct text once) or posts.")] = "texts",
    langs: Annotated[str | None, typer.Option(help="Only these languages, such as en,de.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only posts from this day on.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only posts up to this day.")] = None,
    where: Annotated[str | None, typer.Option(help="Only posts for which this SQL condition holds.")] = None,
    max_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only texts that the run is at most so sure of.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="The run whose confidence counts. Default: the newest.")] = None,
    coders: Annotated[str | None, typer.Option(help="Who codes, such as ada,ben; texts are shared out evenly.")] = None,
    overlap: Annotated[float, typer.Option(min=0, max=1, help="Share of texts that two people code.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    task: Annotated[str, typer.Option(help="The task that is coded.")] = "immigration",
    workspace: WORKSPACE = Path(),
) -> None:
    """Draw texts at random for people to code, and keep how: frame, strata, probabilities, seed.

    What was drawn or coded for the task before is not drawn again. Labels of a draw by confidence may be used for
    shares only with the probabilities that are kept with it.

    Example: xlt sample draw 200 --coders ada,ben --overlap 0.2
    """
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.corpus import gate
    from xlt.corpus.drawing import Ask, Purpose, Stratum, Unit, make_draw
    from xlt.corpus.filters import Filter
    from xlt.corpus.labelled import find_runs
    from xlt.science.sampling import Allocation
    from xlt.tasks.load import find_task

    strata = () if by == "none" else _parts(by)
    for option, given, known in (
        ("--purpose", (purpose,), get_args(Purpose)),
        ("--allocation", (allocation,), get_args(Allocation)),
        ("--unit", (unit,), get_args(Unit)),
        ("--by", strata, get_args(Stratum)),
    ):
        for each in given:
            if each not in known:
                raise UsageError(f"{option} {each}: there are {', '.join(known)}.")
    named = find_task(task, workspace).name
    path = find_corpus(WORD, workspace)
    with gate.opened(path, write=True) as con:
        wanted = "confidence" in strata or max_confidence is not None or run is not None
        made = make_draw(
            con,
            Ask(
                task=named,
                purpose=cast("Purpose", purpose),
                n=n,
                unit=cast("Unit", unit),
                by=cast("tuple[Stratum, ...]", strata),
                allocation=cast("Allocation", allocation),
                least=least,
                seed=seed,
                filter=Filter(
                    langs=_parts(langs or ""),
                    since=since.date() if since else None,
                    until=until.date() if until else None,
                    where=where,
                    most=max_confidence,
                ),
                run=find_runs(con, [run] if run else [])[0] if wanted else None,
                coders=_parts(coders or ""),
                overlap=overlap,
            ),
        )
    print(made.id)
    for part in made.parts:
        print(f"{part.name or 'all'}: {part.drawn:,} of {part.size:,}", file=sys.stderr)
    if missed := sum(part.size or 0 for part in made.parts if not part.drawn):
        print(
            f"Nothing is drawn of {missed:,} {made.unit}: their strata are too small or too many, and no estimate can "
            "speak for them; draw more, or give --least 2.",
            file=sys.stderr,
        )
    print(
        f"{made.drawn:,} of {made.frame_size:,} {made.unit} drawn for {made.purpose}. Code them in xlt tui, or write "
        f"them out with xlt sample export {made.id} -o FILE.",
        file=sys.stderr,
    )


@app.command("list")
def listing(
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table", workspace: WORKSPACE = Path()
) -> None:
    """All draws, and how far they are coded.

    Example: xlt sample list
    """
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.cli.formats import check_format, print_json
    from xlt.cli.rows import objects, print_csv, print_table
    from xlt.corpus import gate
    from xlt.corpus.draws import draws

    check_format(format, ("table", "csv", "json"))
    with gate.opened(find_corpus(WORD, workspace)) as con:
        found = draws(con)
    columns = ("id", "task", "purpose", "unit", "drawn", "coded", "of", "seed")
    rows = [(d.id, d.task, d.purpose, d.unit, d.drawn, d.coded, d.frame_size, d.seed) for d in found]
    if format == "json":
        print_json(objects(columns, rows))
    elif format == "csv":
        print_csv(columns, rows)
    else:
        print_table(columns, rows)


@app.command("show")
def show(draw: DRAW = None, workspace: WORKSPACE = Path()) -> None:
    """One draw: what could be drawn, how, and how far each stratum and coder is.

    Example: xlt sample show
    """
    from xlt.cli.rows import print_table
    from xlt.corpus.coding import queue, split

    found, all_items = _items(draw, workspace)
    print(f"draw     {found.id}, {found.created_at:%Y-%m-%d %H:%M} UTC, seed {found.seed}")
    print(f"for      {found.purpose}, task {found.task}")
    print(f"frame    {found.frame_size:,} {found.unit}: {found.frame}")
    if found.run:
        print(f"run      {found.run}")
    print()
    print_table(("stratum", "drawn", "coded"), [(part.name, part.drawn, part.coded) for part in found.parts])
    people = sorted(
        {name for each in all_items for name in each.coders} | {v.coder for i in all_items for v in i.voices}
    )
    if people:
        print()
        rows = [
            (name, sum(each.by(name) is not None for each in all_items), len(queue(all_items, name))) for name in people
        ]
        print_table(("coder", "coded", "to code"), rows)
    disputed = len(split(all_items))
    if disputed:
        print(f"\n{disputed:,} texts have different labels and wait for an adjudicator.")


@app.command("export")
def export(
    draw: DRAW = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv file.")] = Path("to-code.csv"),
    coder: Annotated[str | None, typer.Option(help="Only what this coder has still to code.")] = None,
    workspace: WORKSPACE = Path(),
) -> None:
    """Write a draw's texts to a CSV with an empty column `label`, for coding elsewhere.

    Example: xlt sample export --coder ada -o ada.csv
    """
    from xlt.cli.rows import write_table
    from xlt.corpus.coding import queue

    if output.suffix.lower() != ".csv":
        raise UsageError(f"{output}: the output must end in .csv.")
    found, all_items = _items(draw, workspace)
    chosen = queue(all_items, coder) if coder else all_items
    columns = ("draw", "position", "key", "lang", "text", "quoted_text", "label", "note", "coder")
    rows = [
        (found.id, each.position, each.text_key, each.lang, each.text, each.quoted_text, None, None, coder)
        for each in chosen
    ]
    write_table(columns, rows, output)
    print(f"Written: {output}, {len(rows):,} texts. Read it back with xlt sample read {output}.", file=sys.stderr)


@app.command("read")
def read(
    file: Annotated[Path, typer.Argument(help="A file that xlt sample export wrote, with labels.")],
    coder: Annotated[str | None, typer.Option(help="Who coded, where the column `coder` is empty.")] = None,
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="These labels settle what coders disagree on.")
    ] = False,
    workspace: WORKSPACE = Path(),
) -> None:
    """Read labels back into the corpus. Rows without a label are left; reading a file twice adds nothing.

    Example: xlt sample read ada.csv --coder ada
    """
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.corpus import gate
    from xlt.corpus.coded_draws import read_codings, write_codings
    from xlt.corpus.draws import draws
    from xlt.corpus.importing.files import write_rejects
    from xlt.tasks.load import find_task

    path = find_corpus(WORD, workspace)
    with gate.opened(path) as con:
        tasks = {each.id: each.task for each in draws(con)}
    known = {draw: find_task(task, workspace) for draw, task in tasks.items()}
    codings, rejects = read_codings(file, known, coder, "adjudicator" if adjudicate else "coder")
    with gate.opened(path, write=True) as con:
        added = write_codings(con, codings)
    print(f"{added:,} labels added, {len(codings) - added:,} were there before.", file=sys.stderr)
    kept = write_rejects(file, rejects, workspace)
    if kept:
        print(f"{len(rejects):,} rows could not be used: see {kept}.", file=sys.stderr)
        raise typer.Exit(Exit.REJECTED_ROWS)


def _items(draw: str | None, workspace: Path) -> tuple[Draw, list[Any]]:
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.corpus import gate
    from xlt.corpus.coding import items
    from xlt.corpus.draws import find_draw

    with gate.opened(find_corpus(WORD, workspace)) as con:
        found = find_draw(con, draw)
        return found, list(items(con, found))


def _parts(given: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.split(",") if part.strip())
