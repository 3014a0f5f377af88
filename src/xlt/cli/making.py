"""`xlt models merge|export|push|remove`: what is made of a model that is there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from xlt.release.quantise import Kind

Workspace = Annotated[Path, typer.Option(help="The folder that holds models/.")]
Name = Annotated[str, typer.Argument(help="A name from `xlt models list`, or a model's folder.")]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Labelled file to compare on. Default: the training's held-out rows, or the sample's."),
]
Task = Annotated[str | None, typer.Option("--task", help="The task's name or .toml file. Default: the model's.")]


def merge(
    name: Name,
    out: Annotated[
        str | None, typer.Option("--name", help="What the merged model is called. Default: NAME-merged.")
    ] = None,
    workspace: Workspace = Path(),
) -> None:
    """Merge an adapter into its unquantised base: a plain Hugging Face folder in bfloat16.

    The sum is computed in float32 and rounded once, tensor by tensor, so that a large model needs little memory. The
    folder loads in transformers and in mlx-lm.

    Example: xlt models merge en-de
    """
    from xlt.release.merge import merge as merge_model

    print(merge_model(name, out, workspace))


def export(
    name: Name,
    to: Annotated[
        Literal["release", "seqcls"],
        typer.Option(help="release: weights in every form with a model card. seqcls: a classifier for transformers."),
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The folder to make. Default: NAME-TO.")] = None,
    forms: Annotated[
        str | None, typer.Option("--with", help="4-bit forms of a release: mlx, gguf, nf4, or none. Default: mlx,gguf.")
    ] = None,
    data: Data = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Compare 4-bit forms on so many texts at most.")] = 500,
    task: Task = None,
    workspace: Workspace = Path(),
) -> None:
    """Make a folder for others: a release with model card and checksums, or a classifier that takes raw tweets.

    Example: xlt models export en-de --to release -o en-de-release
    """
    from xlt.cli.narrate import Narrator
    from xlt.release.export import Export, export_classifier, export_release

    out = output or Path(f"{Path(name).name}-{to}")
    order = Export(name, out, _forms(forms), tuple(data or ()), task, limit, workspace)
    with Narrator() as narrator:
        if to == "seqcls":
            export_classifier(order)
        else:
            export_release(order, narrator.say)
    print(out)


def _forms(given: str | None) -> tuple[Kind, ...] | None:
    from xlt.release.quantise import check_kind

    if given is None:
        return None
    return tuple(check_kind(each.strip(), 4) for each in given.split(",")) if given != "none" else ()


def push(
    name: Annotated[str, typer.Argument(help="A folder made by `xlt models export`.")],
    repo: Annotated[str, typer.Argument(help="The hub's repository, such as my-lab/immigration-en-de.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private if it is made anew.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent and send nothing.")] = False,
    workspace: Workspace = Path(),
) -> None:
    """Send an exported model to the Hugging Face hub. Uses the token of `hf auth login`, or HF_TOKEN.

    Never sends training data or checkpoints.

    Example: xlt models push en-de-release my-lab/immigration-en-de --dry-run
    """
    from xlt.backends.common import amount
    from xlt.cards.push import check_repo, files_to_send
    from xlt.cards.push import push as send
    from xlt.cards.registry import locate

    check_repo(repo)
    path = locate(name, "torch", workspace).path
    files = files_to_send(path if path.is_dir() else path.parent)
    total = sum(each.size for each in files)
    if dry_run:
        for each in files:
            print(f"{each.name}\t{each.size}")
        print(f"Would send {len(files)} files, {amount(total)}, to {repo}; nothing was sent.", file=sys.stderr)
        return
    print(f"Sending {len(files)} files, {amount(total)}, to {repo} …", file=sys.stderr)
    print(send(files, repo, private=private))


def remove(
    name: Annotated[str, typer.Argument(help="The name of a model in the workspace.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    workspace: Workspace = Path(),
) -> None:
    """Remove a model of the workspace, its training folder included. Built-in models and the hub's cache stay.

    Example: xlt models remove en-de --yes
    """
    from xlt.backends.common import amount
    from xlt.cards.listing import known

    folder = (workspace / "models").resolve()
    there = {path.stem if path.is_file() else path.name: path for path in (workspace / "models").glob("[!.]*")}
    path = there.get(name)
    if path is None or path.resolve().parent != folder:
        elsewhere = next((entry.where for entry in known(workspace) if entry.name == name), None)
        here = ", ".join(sorted(there)) or "none"
        what = f"{name} is no model of the workspace but {elsewhere}" if elsewhere else f"There is no model {name!r}"
        raise UsageError(f"{what}; only models in {workspace / 'models'} can be removed: {here}.")
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    size = amount(sum(each.stat().st_size for each in files))
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{path} holds {len(files)} files, {size}; add --yes to remove it.")
        typer.confirm(f"Remove {path} ({len(files)} files, {size})?", abort=True, err=True)
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise XltError(f"{path} can't be removed: {(error.strerror or str(error)).lower()}.") from None
    print(f"Removed {path}: {len(files)} files, {size}.", file=sys.stderr)
