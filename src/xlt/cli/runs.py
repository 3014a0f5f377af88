"""`xlt runs`: what was classified with what; merge and remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.runlist import Run

app = typer.Typer(help="Runs: one model applied to one set of tweets. List, show, merge, remove.", no_args_is_help=True)

Workspace = Annotated[Path, typer.Option(help="The folder that holds corpus.duckdb and runs/.")]
Format = Annotated[str, typer.Option("--format", help="table, csv or json.")]
COLUMNS = ("run", "model", "task", "source", "texts", "of", "state", "begun")


@app.command("list")
def list_runs(
    format: Format = "table",
    workspace: Workspace = Path(),
) -> None:
    """List the runs of this workspace: those in the corpus, unfinished ones, and those over files.

    Example: xlt runs list
    """
    from xlt.cli.formats import check_format, print_json
    from xlt.cli.rows import objects, print_csv, print_table
    from xlt.corpus.runlist import listing

    check_format(format, ("table", "csv", "json"))
    corpus = _corpus(workspace)
    runs, trouble = listing(corpus)
    rows = [_row(run) for run in runs]
    if format == "json":
        print_json(objects(COLUMNS, rows))
    elif format == "csv":
        print_csv(COLUMNS, rows)
    elif rows:
        print_table(COLUMNS, rows)
    else:
        print("No runs yet; xlt classify makes them.", file=sys.stderr)
    if trouble:
        print(trouble, file=sys.stderr)


def _row(run: Run) -> list[Any]:
    begun = run.created[:16].replace("T", " ")
    return [run.id, run.model, run.task, run.source, run.texts, run.total, run.state, begun]


def _corpus(workspace: Path) -> Path:
    """The workspace's corpus, there or not, with finished runs merged."""
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.corpus.store import corpus_path

    path = corpus_path(workspace)
    return find_corpus(WORD, workspace) if path.exists() else path


@app.command("show")
def show_run(
    run: Annotated[str, typer.Argument(help="The run's id, or how it begins or ends.")],
    format: Format = "table",
    workspace: Workspace = Path(),
) -> None:
    """Show a run: model, task, how it was loaded, what it is about, labels of its texts.

    Example: xlt runs show 2026-11-20-5c8dfd4e
    """
    from xlt.cli.formats import check_format, print_json
    from xlt.cli.rows import print_csv
    from xlt.corpus.runlist import details, find_run

    check_format(format, ("table", "csv", "json"))
    corpus = _corpus(workspace)
    found = details(corpus, find_run(corpus, run))
    if format == "json":
        print_json(found)
        return
    pairs = _pairs(found)
    if format == "csv":
        print_csv(("key", "value"), pairs)
        return
    width = max(len(key) for key, _ in pairs)
    for key, value in pairs:
        print(f"{key:<{width}}  {value}")


def _pairs(found: dict[str, Any]) -> list[tuple[str, str]]:
    record = found.get("record", {})
    model, task, loaded, what = (record.get(key) or {} for key in ("model", "task", "loaded", "identity"))
    pairs = [
        ("run", found["id"]),
        ("state", found["state"]),
        ("texts", f"{found['texts']:,}"),
        ("model", f"{model.get('name')} (hash {model.get('hash')})"),
        ("tuned on", ", ".join(model.get("languages", [])) or "no language"),
        ("task", f"{task.get('name')} {task.get('version')} (hash {task.get('hash')})"),
        ("xlt", str(what.get("xlt"))),
        ("begun", str(record.get("created"))),
    ]
    if loaded:
        batch = record.get("batch_tokens")
        pairs.append(
            ("loaded", f"{loaded['backend']} on {loaded['device']}, {loaded['precision']}, {batch} tokens per batch")
        )
    pairs.append(("temperature", f"{what.get('temperature', 1.0):g}"))
    pairs += [(key.replace("_", " "), str(found[key])) for key in ("merged_at", "folder") if found.get(key)]
    if record.get("output"):
        pairs.append(("output", str(record["output"])))
    for each in record.get("rounds", []):
        asked = {key: value for key, value in each["selection"].items() if value}
        kind = ", ".join(f"{key} {_spelt(value)}" for key, value in asked.items()) or "all tweets"
        pairs.append((f"round {int(each['number'])}", f"{each['staged']['distinct']:,} new texts of {kind}"))
    total = sum(found.get("labels", {}).values())
    pairs += [
        (name, f"{count:,} texts ({100 * count / total:.1f} %)") for name, count in found.get("labels", {}).items()
    ]
    return pairs


def _spelt(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


@app.command("merge")
def merge_runs(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids of runs. Default: all that the corpus lacks.")] = None,
    workspace: Workspace = Path(),
) -> None:
    """Bring finished predictions from the run folders into the corpus; what it has already stays as it is.

    Every command on a corpus does this for runs that ended while it was in use. This one also fills a corpus that was
    made anew: its predictions are still in the run folders.

    Example: xlt runs merge
    """
    from xlt.cli.corpora import WORD, find_corpus
    from xlt.corpus.runlist import find_run, unmerged
    from xlt.corpus.runs import merge_runs as merge
    from xlt.corpus.runs import of_corpus, record_of

    corpus = find_corpus(WORD, workspace)
    if runs:
        which = []
        for wanted in runs:
            run = find_run(corpus, wanted)
            if run.folder is None or not of_corpus(record_of(run.folder), corpus):
                raise UsageError(
                    f"The run {run.id} is no run over the corpus with a folder; there is nothing to merge."
                )
            which.append(run.folder)
    else:
        which = unmerged(corpus)
    if not which:
        print("The corpus has the predictions of every finished run.", file=sys.stderr)
        return
    for each in merge(corpus, which):
        print(f"{each.run}: {each.added:,} predictions added, {each.texts:,} in the corpus.", file=sys.stderr)


@app.command("remove")
def remove_run(
    run: Annotated[str, typer.Argument(help="The run's id, or how it begins or ends.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    workspace: Workspace = Path(),
) -> None:
    """Remove a run: its predictions from the corpus, and its folder. Tweets and gold labels stay.

    Example: xlt runs remove 2026-11-20-5c8dfd4e --yes
    """
    from xlt.corpus.runlist import find_run
    from xlt.corpus.runs import remove

    corpus = _corpus(workspace)
    found = find_run(corpus, run)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{found.id} has {found.texts:,} predictions; add --yes to remove them.")
        typer.confirm(f"Remove {found.id} and its {found.texts:,} predictions?", abort=True, err=True)
    gone = remove(corpus, found.id)
    print(f"Removed {found.id}: {gone:,} predictions in the corpus and its folder.", file=sys.stderr)
